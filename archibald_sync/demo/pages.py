"""What the faces that speak JSON have in common: how faults spoil a page, and its bytes."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archibald_sync.demo.catalogue import Product
    from archibald_sync.demo.exchange import Hits


def encoded(body: object) -> bytes:
    """Return a body as JSON, which knows no NaN and no infinity: ``NaN`` and ``1e999``."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return text.replace(":Infinity", ":1e999").encode()


def spoiled(rows: list[Product], hits: Hits) -> list[Product]:
    """Return the products of a page as the faults make them look."""
    if not hits:
        return rows
    rows = [dict(row) for row in rows]
    if "short-page" in hits:
        rows = rows[:-1]
    if "duplicated" in hits:
        rows = [*rows[:1], *rows]
    if "wrong-key-type" in hits and rows:
        rows[0]["ITEMID"] = hits["wrong-key-type"].get("value")
    for row in rows:
        _spoil(row, hits)
    return rows


def _spoil(row: dict[str, Any], hits: Hits) -> None:
    if "renamed" in hits:
        row["ITEMNAME"] = row.pop("NAME", None)
    if (options := hits.get("hidden")) is not None:
        row.pop(options.get("column", "NAME"), None)
    if (options := hits.get("additional")) is not None:
        row[options.get("column", "NEWCOLUMN")] = "new"
    if (options := hits.get("bad-value")) is not None:
        row[options.get("column", "PRICEUNIT")] = options.get("value", float("nan"))
    if "volatile" in hits:
        row["READSTAMP"] = uuid.uuid4().hex
