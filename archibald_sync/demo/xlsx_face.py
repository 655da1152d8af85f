"""The XLSX face: all products on one sheet, in cells of their types."""

from __future__ import annotations

import io
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from archibald_sync.demo import export
from archibald_sync.demo.columns import Column, instant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archibald_sync.demo.exchange import Exchange, Hits

_PATH = "/export/products.xlsx"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_WRITTEN_AT = datetime(2025, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def serves(path: str) -> bool:
    """Return whether this face answers requests for ``path``."""
    return path == _PATH


def answer(exchange: Exchange) -> None:
    """Answer with the file; 501 where the library that writes it is not installed."""
    try:
        import xlsxwriter  # noqa: F401, PLC0415  # for this face alone
    except ImportError:
        exchange.json(501, {"error": "install xlsxwriter to see this face"})
        return
    export.answer(exchange, _TYPE, written)


def written(columns: Sequence[Column], rows: Sequence[export.Row], _hits: Hits) -> bytes:
    """Return a workbook with one sheet; the same rows give the same bytes."""
    import xlsxwriter  # noqa: PLC0415  # for this face alone

    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"in_memory": True, "constant_memory": False}) as book:
        book.set_properties({"created": _WRITTEN_AT})
        sheet = book.add_worksheet("Prodotti")
        dates = book.add_format({"num_format": "dd/mm/yyyy hh:mm:ss"})
        for position, column in enumerate(columns):
            sheet.write_string(0, position, column.header)
        for number, row in enumerate(rows, start=1):
            for position, column in enumerate(columns):
                _write(sheet, (number, position), row.get(column.field), column, dates)
    return file.getvalue()


def _write(
    sheet: Any,  # noqa: ANN401  # of a library without types
    place: tuple[int, int],
    value: object,
    column: Column,
    dates: object,
) -> None:
    """Write a cell: text is written as text even where it begins with an equals sign."""
    if isinstance(value, bool):
        sheet.write_boolean(*place, value)
    elif isinstance(value, int | float) and math.isfinite(value):
        sheet.write_number(*place, value)
    elif column.kind == "datetime" and (moment := instant(value)) is not None:
        sheet.write_datetime(*place, moment, dates)
    elif value is not None:
        sheet.write_string(*place, str(value))
