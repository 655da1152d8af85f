"""What the export faces have in common: a table of all products, and conditional requests."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from archibald_sync.demo.columns import COLUMNS, Column

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archibald_sync.demo.exchange import Exchange, Hits

Row = dict[str, Any]

_EVERYTHING = 10**9
_FIRST_REVISION_S = 1_750_000_000
_REVISION_S = 60


def answer(
    exchange: Exchange, kind: str, write: Callable[[Sequence[Column], Sequence[Row], Hits], bytes]
) -> None:
    """Answer with a file of all products, or 304, or as the faults make it.

    Args:
        exchange: The request.
        kind: The content type.
        write: Makes the file.
    """
    erp = exchange.erp
    if not exchange.is_let_in():
        return
    hits = erp.faults.taking_effect(1)
    if exchange.is_refused(hits):
        return
    rows, _ = erp.revisions.products(0, _EVERYTHING, hits)
    validators = _validators(erp.revisions.number, hits)
    if _is_known(exchange, validators):
        exchange.send(304, b"", kind, validators)
        return
    body = write(_columns(hits), _spoiled([dict(row) for row in rows], hits), hits)
    exchange.deliver(body, hits, kind, validators)


def _validators(revision: int, hits: Hits) -> dict[str, str]:
    """Return the headers that tell one state of the file from another."""
    faults = zlib.crc32(repr(sorted(hits.items())).encode())
    stamp = uuid.uuid4().hex if "volatile" in hits else f"{revision}-{faults:x}"
    changed_s = _FIRST_REVISION_S + _REVISION_S * revision
    return {"ETag": f'"{stamp}"', "Last-Modified": formatdate(changed_s, usegmt=True)}


def _is_known(exchange: Exchange, validators: dict[str, str]) -> bool:
    if (etag := exchange.headers.get("If-None-Match")) is not None:
        return bool(etag == validators["ETag"])
    return bool(exchange.headers.get("If-Modified-Since") == validators["Last-Modified"])


def _columns(hits: Hits) -> list[Column]:
    """Return the columns as the faults make them look."""
    columns = list(COLUMNS)
    if "english" in hits:
        columns = [replace(one, header=one.english) for one in columns]
    if "renamed" in hits:
        columns[1] = replace(columns[1], header="NOME PRODOTTO")
    if (options := hits.get("hidden")) is not None:
        hidden = options.get("column", "NAME")
        columns = [one for one in columns if one.field != hidden]
    if "reordered" in hits:
        columns.reverse()
    if "additional" in hits:
        columns.insert(1, Column("ADDED", "COLONNA NUOVA", "NEW COLUMN"))
    if "volatile" in hits:
        columns.append(Column("READSTAMP", "READSTAMP", "READSTAMP"))
    return columns


def _spoiled(rows: list[Row], hits: Hits) -> list[Row]:
    """Return the products as the faults make them look."""
    if "short-page" in hits:
        rows = rows[:-1]
    if "duplicated" in hits:
        rows = [*rows[:1], *rows]
    if "wrong-key-type" in hits and rows:
        rows[0] = rows[0] | {"ITEMID": hits["wrong-key-type"].get("value")}
    if (options := hits.get("bad-value")) is not None:
        spoiled = {options.get("column", "PRICEUNIT"): options.get("value", float("nan"))}
        rows = [row | spoiled for row in rows]
    if "volatile" in hits:
        rows = [row | {"READSTAMP": uuid.uuid4().hex} for row in rows]
    if "additional" in hits:
        rows = [row | {"ADDED": f"={number}"} for number, row in enumerate(rows)]
    return rows
