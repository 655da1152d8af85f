"""The reader of workbooks as its child process calls it, without the process."""

from __future__ import annotations

import datetime as dt
import io
import re
import struct
import zipfile
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import xlsxwriter

from archibald_sync.errors import SourceError, SourceFormatError
from archibald_sync.sources.files.archive import check_archive
from archibald_sync.sources.files.workbook_reader import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

MIB = 1024 * 1024
COLUMNS = ("A", "B")


def workbook(rows: Sequence[Sequence[Any]], change: Callable[[Any], None] | None = None) -> bytes:
    """Return a workbook with one sheet."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file, {"default_date_format": "dd/mm/yyyy hh:mm:ss"}) as book:
        sheet = book.add_worksheet("S")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
        if change is not None:
            change(sheet)
    return file.getvalue()


def rows_of(folder: Path, content: bytes, seed: int = 1, **changes: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401
    """Return all that the reader yields."""
    path = folder / "book.xlsx"
    path.write_bytes(content)
    keys = {"sheet": 1, "header_row": 1, "columns": COLUMNS, **changes}
    batches = read(str(path), **keys, seed=seed, max_inflated_bytes=4 * MIB)
    return [row for batch in batches for row in batch]


def cells(raw: bytes) -> list[object]:
    """Return the cells of a row none of which is a date."""
    values, moments = msgspec.msgpack.decode(raw)
    assert moments == []
    return list(values)


def test_each_row_is_a_print_and_its_cells(tmp_path: Path) -> None:
    """The headers come first; equal cells have equal prints, for one seed."""
    content = workbook([["B", "X", "A"], [1, "x", "k"], [1, "y", "k"], [2, "", "k"]])

    headers, *rows = rows_of(tmp_path, content)

    assert headers == ("B", "X", "A")
    assert [cells(raw) for _, raw in rows] == [["k", 1.0], ["k", 1.0], ["k", 2.0]]
    assert rows[0][0] == rows[1][0] != rows[2][0]
    assert len(rows[0][0]) == 16
    assert rows_of(tmp_path, content, seed=2)[1][0] != rows[0][0]


def test_dates_are_told_from_text(tmp_path: Path) -> None:
    """The places of dates and times are told: none can pass for a text that looks like it."""
    moment, day = dt.datetime(2024, 1, 31, 10), dt.datetime(2024, 2, 1)  # noqa: DTZ001
    content = workbook([["A", "B"], [moment, day], [dt.time(9, 30), "2024-01-31T10:00:00"]])

    _, *rows = rows_of(tmp_path, content)

    assert [msgspec.msgpack.decode(raw) for _, raw in rows] == [
        [["2024-01-31T10:00:00", "2024-02-01"], [0, 1]],
        [["09:30:00", "2024-01-31T10:00:00"], [0]],
    ]


def test_one_column_is_enough(tmp_path: Path) -> None:
    """A single mapped column gives rows of one cell."""
    _, row = rows_of(tmp_path, workbook([["A", "B"], ["k", 1]]), columns=("B",))

    assert cells(row[1]) == [1.0]


def test_every_shape_of_row_is_read_alike(tmp_path: Path) -> None:
    """More kinds of rows than are remembered are read as the first ones are."""
    names = [f"C{number}" for number in range(12)]
    rows = [
        [1.5 if number >> place & 1 else "x" for place in range(12)] for number in range(1, 1200)
    ]

    _, *found = rows_of(tmp_path, workbook([names, *rows]), columns=names)

    assert [cells(raw) for _, raw in found] == rows


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sheet": 2}, "source_sheet_missing"),
        ({"sheet": "T"}, "source_sheet_missing"),
        ({"header_row": 5}, "source_no_header"),
        ({"columns": ("A", "Z")}, "source_column_missing"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, changes: dict[str, Any], code: str) -> None:
    """A missing sheet, header or column is an error of its own."""
    with pytest.raises(SourceFormatError) as error:
        rows_of(tmp_path, workbook([["A", "B"], ["k", 1]]), **changes)

    assert error.value.code == code


def test_an_error_in_a_cell_is_refused(tmp_path: Path) -> None:
    """A formula that failed fails the sheet."""
    content = workbook(
        [["A", "B"], ["k", 1]],
        lambda sheet: sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!"),
    )

    with pytest.raises(SourceFormatError) as error:
        rows_of(tmp_path, content)

    assert error.value.code == "source_cell_error"


def changed(content: bytes, name: str, body: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a workbook one part of which has another body, packed in another way."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            is_it = part.filename == name
            kept = body if is_it else old.read(part)
            new.writestr(part.filename, kept, method if is_it else zipfile.ZIP_DEFLATED)
    return out.getvalue()


SIMPLE = workbook([["A", "B"], ["k", 1]])
(SIMPLE_DIRECTORY,) = struct.unpack("<I", SIMPLE[-6:-2])
SHEET, BOOK = "xl/worksheets/sheet1.xml", "xl/workbook.xml"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"hello", "source_not_xlsx"),
        (b"\xd0\xcf\x11\xe0" + bytes(100), "source_xls"),
        (SIMPLE[:500], "source_cut"),
        (changed(SIMPLE, BOOK, b"<"), "source_xlsx"),
        (changed(SIMPLE, SHEET, b"<"), "source_xlsx"),
        (changed(SIMPLE, SHEET, bytes(5 * MIB)), "source_zip_bomb"),
        (changed(SIMPLE, SHEET, b"x", zipfile.ZIP_LZMA), "source_zip"),
        (re.sub(rb"(PK\x01\x02.{4}).", b"\\1\x01", SIMPLE, flags=re.DOTALL), "source_zip"),
        (re.sub(rb"(PK\x01\x02..)..", rb"\1cc", SIMPLE, flags=re.DOTALL), "source_zip"),
        (SIMPLE[:-6] + struct.pack("<IH", SIMPLE_DIRECTORY + 500, 0), "source_zip"),
        (SIMPLE.replace(BOOK.encode(), b"xl/workbook.xmk"), "source_not_xlsx"),
    ],
    ids=[
        "text",
        "ole",
        "cut",
        "book",
        "sheet",
        "bomb",
        "lzma",
        "encrypted",
        "version",
        "offset",
        "other",
    ],
)
def test_archives_that_are_refused(tmp_path: Path, content: bytes, code: str) -> None:
    """Whatever is no sound workbook is refused with its own code."""
    with pytest.raises(SourceError) as error:
        rows_of(tmp_path, content)

    assert error.value.code == code


def test_a_part_may_be_stored_as_it_is(tmp_path: Path) -> None:
    """An archive need not compress its parts."""
    with zipfile.ZipFile(io.BytesIO(SIMPLE)) as archive:
        sheet = archive.read(SHEET)

    assert len(rows_of(tmp_path, changed(SIMPLE, SHEET, sheet, zipfile.ZIP_STORED))) == 2


def test_a_digit_that_fell_over_is_seen(tmp_path: Path) -> None:
    """Damage that leaves a sheet readable is found by its checksum."""
    with zipfile.ZipFile(io.BytesIO(SIMPLE)) as archive:
        sheet = archive.read(SHEET)
    assert sheet.count(b"<v>1</v>") == 2
    damaged = changed(SIMPLE, SHEET, sheet, zipfile.ZIP_STORED).replace(b"<v>1</v>", b"<v>0</v>")

    with pytest.raises(SourceFormatError) as error:
        rows_of(tmp_path, damaged)

    assert error.value.code == "source_zip"


@pytest.mark.parametrize(
    ("part", "body"),
    [
        ("xl/_rels/workbook.xml.rels", b"<a/>"),
        (BOOK, b"<a/>"),
    ],
)
def test_errors_of_a_sheet_that_is_not_told_count(part: str, body: bytes) -> None:
    """Where the archive does not tell which part a sheet is, it may be the one with errors."""
    content = changed(changed(SIMPLE, SHEET, b'<c t="e"/>'), part, body)

    archive = check_archive(io.BytesIO(content), 4 * MIB)

    assert archive.parts_with_errors == {SHEET}
    with pytest.raises(SourceFormatError) as error:
        archive.refuse_errors("S")
    assert error.value.code == "source_cell_error"


@pytest.mark.parametrize("body", [b"<", b" " * (4 * MIB)])
def test_a_directory_of_sheets_that_cannot_be_read_is_refused(body: bytes) -> None:
    """Relations that are damaged or far too long fail the file."""
    content = changed(changed(SIMPLE, SHEET, b'<c t="e"/>'), "xl/_rels/workbook.xml.rels", body)

    with pytest.raises(SourceFormatError) as error:
        check_archive(io.BytesIO(content), 8 * MIB).refuse_errors("S")

    assert error.value.code == "source_zip"


def test_a_mark_that_two_chunks_share_is_seen(tmp_path: Path) -> None:
    """The mark of an error is found wherever it lies in a part."""
    for before in range(1024 * 1024 - 10, 1024 * 1024 + 1):
        sheet = b"x" * before + b'<c t="e"/>'
        archive = check_archive(io.BytesIO(changed(SIMPLE, SHEET, sheet, 0)), 4 * MIB)

        assert archive.parts_with_errors == {SHEET}, before
