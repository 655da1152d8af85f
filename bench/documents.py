"""The ERP's PDF export and XLSX files: from bytes to records, every cell right."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import Unstoppable
from measure import Measured, stopwatch
from payload import COLUMNS, row

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_PAGES = 100_000
_MAX_BYTES = 4_000_000_000


def write_pdf(path: str, rows: int) -> Measured:
    """Write the demo ERP's export of ``rows`` products."""
    server = import_module("archibald_sync.demo.server")
    export = import_module("archibald_sync.demo.archibald_export")
    erp = server.DemoErp(rows=rows, seed=1, drift=False)
    Path(path).write_bytes(export.exported(erp, {}))
    return Measured()


def read_pdf(path: str, rows: int) -> Measured:
    """Read an export, in this process, and compare each cell with what was printed."""
    reader = import_module("archibald_sync.sources.archibald.pdf")
    expected = _printed(rows)
    headers = [header for header, _ in expected]
    measured = Measured()
    records: list[Sequence[Any]] = []
    with stopwatch(measured):
        (announced,), *batches = reader.read_pdf(path, headers, _MAX_PAGES)
        for batch in batches:
            records.extend(batch)
    right = all(
        _text(record[column]) == _text(cells[number])
        for column, (_, cells) in enumerate(expected)
        for number, record in enumerate(records)
    )
    if not right or len(records) != rows or announced[0] != rows:
        raise RuntimeError(f"{path}: not every cell was read as it was printed")
    measured.facts = {"rows": len(records), "cells": len(records) * len(expected)}
    return measured


def plumb_pdf(path: str) -> Measured:
    """Read the tables of all pages with pdfplumber."""
    plumber = import_module("pdfplumber")
    measured = Measured()
    with stopwatch(measured), plumber.open(path) as document:
        tables = [page.extract_table() for page in document.pages]
    measured.facts["rows"] = sum(len(table or ()) for table in tables)
    return measured


def write_xlsx(path: str, rows: int) -> Measured:
    """Write a workbook of ``rows`` products as text."""
    xlsxwriter = import_module("xlsxwriter")
    with xlsxwriter.Workbook(path, {"constant_memory": True}) as book:
        sheet = book.add_worksheet("Prodotti")
        sheet.write_row(0, 0, list(COLUMNS.values()))
        for number in range(rows):
            sheet.write_row(number + 1, 0, list(row(number).values()))
    return Measured()


def read_xlsx(path: str, rows: int) -> Measured:
    """Read a workbook as the connector does: in a child process, with fingerprints."""
    child = import_module("archibald_sync.sources.child")
    name = "archibald_sync.sources.files.workbook_reader:read"
    arguments = (path, 1, 1, tuple(COLUMNS.values()), 0, _MAX_BYTES)
    limits = child.ChildLimits(memory_bytes=4_000_000_000, nice=0)
    measured = Measured()
    with stopwatch(measured):
        _headers, *batches = child.read_in_child(name, arguments, limits, Unstoppable())
    measured.facts["rows"] = sum(map(len, batches))
    if measured.facts["rows"] != rows:
        raise RuntimeError(f"{path}: {measured.facts['rows']} of {rows} rows were read")
    return measured


def calamine_xlsx(path: str) -> Measured:
    """Read a workbook with calamine alone."""
    calamine = import_module("python_calamine")
    measured = Measured()
    with stopwatch(measured):
        book = calamine.CalamineWorkbook.from_path(path)
        measured.facts["rows"] = sum(1 for _ in book.get_sheet_by_index(0).iter_rows()) - 1
    return measured


def _text(cell: Any) -> str:  # noqa: ANN401  # text, or bytes where the ERP prints a picture
    return " ".join((cell.decode() if isinstance(cell, bytes) else str(cell)).split())


def _printed(rows: int) -> list[tuple[str, list[str]]]:
    """Return each column of the demo ERP's export: its header, and its cells as printed."""
    server = import_module("archibald_sync.demo.server")
    export = import_module("archibald_sync.demo.archibald_export")
    listing = import_module("archibald_sync.demo.archibald_list")
    erp = server.DemoErp(rows=rows, seed=1, drift=False)
    products, _ = erp.revisions.products(0, rows, {})
    return [
        (column.italian, [listing.printed(one, column, is_english=False) for one in products])
        for column in export.shown_columns({})
    ]
