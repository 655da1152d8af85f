"""What the demo ERP exports: the list of one revision as PDF, spoiled as the faults say."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from archibald_sync.demo.archibald_list import COLUMNS, HIDDEN, Column, number, printed
from archibald_sync.demo.archibald_pdf import Export, Sheet, drawn, laid_out

if TYPE_CHECKING:
    from archibald_sync.demo.catalogue import Product
    from archibald_sync.demo.exchange import Hits
    from archibald_sync.demo.server import DemoErp

_KEPT = 4
_ADDED = Column("(added)", "COLONNA NUOVA", "NEW COLUMN", 90)
_RENAMED = "NOME DEL PRODOTTO"


class PdfCache:
    """The last few exports: making one of 4,540 products takes seconds."""

    def __init__(self) -> None:
        """Begin with none."""
        self._files: OrderedDict[str, bytes] = OrderedDict()

    def get(self, name: str) -> bytes | None:
        """Return the export called ``name``, if it was kept."""
        return self._files.get(name)

    def put(self, name: str, content: bytes) -> None:
        """Keep an export, and forget the oldest if there are too many."""
        self._files[name] = content
        while len(self._files) > _KEPT:
            self._files.popitem(last=False)


def exported(erp: DemoErp, hits: Hits, *, is_english: bool = False) -> bytes:
    """Return the export of all products as they are now.

    Raises:
        NoPdfError: The library that makes PDF files is not installed.
    """
    products, _ = erp.revisions.products(0, 10**9, hits)
    name = f"{erp.revisions.number} {is_english} {sorted(hits.items())!r}"
    content = erp.exports.get(name)
    if content is None:
        content = _made(products, hits, is_english=is_english)
        erp.exports.put(name, content)
    return content


def _made(products: list[Product], hits: Hits, *, is_english: bool) -> bytes:
    columns = shown_columns(hits)
    if "duplicated" in hits:
        products = [*products[:1], *products]
    rows = [
        [
            (_cell(product, column, is_english=is_english), column.is_right_aligned)
            for column in columns
        ]
        for product in products
    ]
    _spoil_values(rows, columns, hits.get("bad-value"))
    headers = [(one.english if is_english else one.italian, one.width) for one in columns]
    count = number(len(rows) + ("wrong-total" in hits), is_english=is_english)
    footer = "" if "no-footer" in hits else f"Count={count}"
    sheets = laid_out(Export(headers, rows, footer))
    content = drawn(_spoiled(sheets, hits))
    if "truncated-pdf" in hits:
        return content[: len(content) // 2]
    if "damaged-pdf" in hits:
        return content[:100] + bytes(len(content) - 200) + content[-100:]
    return content


def shown_columns(hits: Hits) -> list[Column]:
    """Return the columns that the list shows, in its order."""
    columns = [column for column in COLUMNS if column.field not in HIDDEN]
    if (options := hits.get("hidden")) is not None:
        columns = [one for one in columns if one.field != options.get("column", "NAME")]
    if (options := hits.get("shown")) is not None:
        columns += [one for one in COLUMNS if one.field == options.get("column", HIDDEN[0])]
    if "additional" in hits:
        columns.insert(2, _ADDED)
    if "reordered" in hits:
        columns.reverse()
    if "renamed" in hits:
        columns = [
            replace(one, italian=_RENAMED) if one.field == "NAME" else one for one in columns
        ]
    return columns


def _cell(product: Product, column: Column, *, is_english: bool) -> str:
    return "x" if column is _ADDED else printed(product, column, is_english=is_english)


def _spoil_values(
    rows: list[list[tuple[str, bool]]], columns: list[Column], options: dict[str, Any] | None
) -> None:
    """Print a value that makes no sense in the first rows."""
    if options is None:
        return
    field, value = options.get("column", "PRICEUNIT"), str(options.get("value", "31/02"))
    place = next(at for at, column in enumerate(columns) if column.field == field)
    for row in rows[: options.get("rows", 1)]:
        row[place] = (value, row[place][1])


def _spoiled(sheets: list[Sheet], hits: Hits) -> list[Sheet]:
    if (options := hits.get("short-page")) is not None:
        sheet = sheets[options.get("sheet", 2) - 1]
        middle = len(sheet.rows) // 2
        del sheet.rows[middle], sheet.heights[middle + 1]
    if (options := hits.get("dropped-page")) is not None:
        del sheets[options.get("sheet", len(sheets)) - 1]
    return sheets
