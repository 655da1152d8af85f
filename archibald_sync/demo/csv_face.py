"""The CSV face: all products in one file, printed the Italian way."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

from archibald_sync.demo import export
from archibald_sync.demo.columns import Column, printed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archibald_sync.demo.exchange import Exchange, Hits

_PATH = "/export/products.csv"


def serves(path: str) -> bool:
    """Return whether this face answers requests for ``path``."""
    return path == _PATH


def answer(exchange: Exchange) -> None:
    """Answer with the file; ``?encoding=cp1252`` writes it as older systems do."""
    encoding = "cp1252" if exchange.query.get("encoding") == "cp1252" else "utf-8-sig"

    def write(columns: Sequence[Column], rows: Sequence[export.Row], hits: Hits) -> bytes:
        body = written(columns, rows).encode(encoding)
        return body[:-12] if "cut-line" in hits else body

    export.answer(exchange, f"text/csv; charset={encoding.removesuffix('-sig')}", write)


def written(columns: Sequence[Column], rows: Sequence[export.Row]) -> str:
    """Return a CSV file with semicolons, quoted where that is needed."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerow([column.header for column in columns])
    for row in rows:
        writer.writerow([printed(row.get(one.field), one.kind) for one in columns])
    return text.getvalue()
