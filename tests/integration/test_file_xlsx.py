"""XLSX as Excel and others write it: typed cells, sheets, and archives that mean harm."""

from __future__ import annotations

import datetime as dt
import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest
import xlsxwriter
from file_support import delivered, file_source, read, values

from archibald_sync.errors import (
    ConfigError,
    PermanentSourceError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from archibald_sync.domain.ports import Source

FIELDS = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO"}
MIB = 1024 * 1024


def workbook(
    *sheets: tuple[str, Sequence[Any]], change: Callable[[Any], None] | None = None
) -> bytes:
    """Return a workbook with these sheets; dates and times become cells of that kind."""
    file = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "default_date_format": "dd/mm/yyyy hh:mm:ss",
    }
    with xlsxwriter.Workbook(file, options) as book:
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
            if change is not None:
                change(sheet)
    return file.getvalue()


def source_of(folder: Path, content: bytes, **keys: Any) -> Source:  # noqa: ANN401
    """Return a source that reads ``content``."""
    (folder / "drop.xlsx").write_bytes(content)
    return file_source(
        folder, "xlsx", **{"path": "drop.xlsx", "settle_s": 0, "fields": FIELDS, **keys}
    )


def failure(source: Source) -> SourceError:
    """Return the error with which an extract fails."""
    with pytest.raises(SourceError) as error:
        read(source)
    return error.value


def repacked(content: bytes, change: Callable[[str, bytes], bytes]) -> bytes:
    """Return a workbook with the bytes of its parts changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            new.writestr(part.filename, change(part.filename, old.read(part)), zipfile.ZIP_DEFLATED)
    return out.getvalue()


SIMPLE = workbook(("S", [["ID ARTICOLO", "NOME ARTICOLO"], ["1", "a"], ["2", "b"]]))


def test_cells_keep_the_type_that_excel_gave_them(tmp_path: Path) -> None:
    """Numbers, dates and truth need no notation; an id that became a number is an id again."""
    fields = {
        "id": "ID ARTICOLO",
        "packageContent": "CONTENUTO",
        "maxQty": "MASSIMA",
        "purchasePrice": "PREZZO",
        "createdAtSource": "CREATA",
        "modifiedAtSource": "MODIFICATA",
        "orderable": "ORDINABILE",
        "stopped": "FERMATO",
    }
    moment, day = dt.datetime(2024, 1, 31, 10, 0, 1), dt.datetime(2024, 2, 29)  # noqa: DTZ001
    rows = [
        list(fields.values()),
        [10012345, 5, 1000.0, 234.59, moment, day, True, 0],
        ["016869K2", "10", "1.000,50", "(360,65)", "31/01/2024 10:00:00", "", "No", 1.0],
        ["100", 0.0, 1e-7, 0.1, day, moment, False, "Sì"],
    ]

    source = source_of(tmp_path, workbook(("S", rows)), fields=fields)

    by_name = [dict(zip(source.fields, row, strict=True)) for row in values(source, read(source))]
    assert by_name[0] == {
        "id": "10012345",
        "packageContent": 5,
        "maxQty": "1000",
        "purchasePrice": "234.59",
        "createdAtSource": "2024-01-31T10:00:01",
        "modifiedAtSource": "2024-02-29T00:00:00",
        "orderable": 1,
        "stopped": 0,
    }
    assert by_name[1] == {
        "id": "016869K2",
        "packageContent": 10,
        "maxQty": "1000.5",
        "purchasePrice": "-360.65",
        "createdAtSource": "2024-01-31T10:00:00",
        "modifiedAtSource": None,
        "orderable": 0,
        "stopped": 1,
    }
    assert by_name[2]["maxQty"] == "0.0000001"
    assert by_name[2]["stopped"] == 1


def test_cells_that_do_not_fit_reject_their_rows(tmp_path: Path) -> None:
    """A text that Excel made a date, a time or a fraction of is no text any more."""
    day, hour = dt.datetime(2024, 3, 1), dt.time(10, 30)  # noqa: DTZ001
    odd = [day, hour, True, 4.691, 1e300]
    rows: list[list[object]] = [["ID ARTICOLO", "NOME ARTICOLO"]]
    rows += ([str(n), one] for n, one in enumerate(odd))

    source = source_of(tmp_path, workbook(("S", rows)))

    assert values(source, read(source)) == ["name"] * len(odd)


def test_a_date_is_no_number_and_a_number_no_date(tmp_path: Path) -> None:
    """Values are read by the declared type of their field, whatever the cell could be."""
    fields = {"id": "A", "minQty": "B", "createdAtSource": "C", "orderable": "D"}
    day = dt.datetime(2024, 3, 1)  # noqa: DTZ001
    rows = [["A", "B", "C", "D"], ["1", day, "", ""], ["2", "", 45322.5, ""], ["3", "", "", 2]]

    source = source_of(tmp_path, workbook(("S", rows)), fields=fields)

    assert values(source, read(source)) == ["minQty", "createdAtSource", "orderable"]


def test_plain_notation_takes_the_same_cells(tmp_path: Path) -> None:
    """Dates of cells fit either notation; text follows the one of the table."""
    fields = {"id": "A", "minQty": "B", "createdAtSource": "C"}
    day = dt.datetime(2024, 3, 1, 8)  # noqa: DTZ001
    rows = [["A", "B", "C"], ["1", "1000.50", day], ["2", 1000.5, "2024-03-01T08:00:00"]]

    source = source_of(tmp_path, workbook(("S", rows)), fields=fields, notation="plain")

    assert [row[1:] for row in values(source, read(source))] == [
        ("1000.5", "2024-03-01T08:00:00")
    ] * 2


def test_text_that_looks_like_a_formula_is_text(tmp_path: Path) -> None:
    """An equals sign at the start of a text means nothing; of a formula its result counts."""

    def change(sheet: Any) -> None:  # noqa: ANN401
        sheet.write_formula(2, 1, "=1+1", None, 2)
        sheet.write_formula(3, 1, '="a"&"b"', None, "ab")

    rows = [["ID ARTICOLO", "NOME ARTICOLO"], ["1", "=1+1"], ["2", ""], ["3", ""]]

    source = source_of(tmp_path, workbook(("S", rows), change=change))

    assert [row[1] for row in values(source, read(source))] == ["=1+1", "2", "ab"]


def test_a_cell_with_an_error_fails_the_file(tmp_path: Path) -> None:
    """A formula that failed is no empty value: it must not clear what we have."""

    def change(sheet: Any) -> None:  # noqa: ANN401
        if sheet.get_name() == "Bad":
            sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")

    rows = [["ID ARTICOLO", "NOME ARTICOLO"], ["1", "x"]]
    content = workbook(("Good", rows), ("Bad", rows), change=change)

    raised = failure(source_of(tmp_path, content, sheet="Bad"))

    assert (type(raised), raised.code) == (SourceFormatError, "source_cell_error")
    assert len(delivered(read(source_of(tmp_path, content, sheet="Good")))) == 1


def test_the_sheet_is_found_by_name_or_number(tmp_path: Path) -> None:
    """The first sheet is read unless another is named; a missing one lists those there are."""
    first = [["ID ARTICOLO", "NOME ARTICOLO"], ["1", "first"]]
    second = [["ID ARTICOLO", "NOME ARTICOLO"], ["2", "second"]]
    content = workbook(("Listino", first), ("Altri & più", second))

    def name(**keys: Any) -> object:  # noqa: ANN401
        return delivered(read(source_of(tmp_path, content, **keys)))[0][1]

    assert (name(), name(sheet=2), name(sheet="Altri & più")) == ("first", "second", "second")
    for sheet in ("Prezzi", 3):
        raised = failure(source_of(tmp_path, content, sheet=sheet))
        assert (type(raised), raised.code) == (SourceFormatError, "source_sheet_missing")
        assert "Listino, Altri & più" in str(raised)


def test_headers_may_stand_further_down(tmp_path: Path) -> None:
    """``header_row`` is the row's number in Excel, blank rows and columns before it included."""
    rows = [[], ["", "Esportato oggi"], [], ["", "NOME ARTICOLO", "ID ARTICOLO"], ["", "a", "1"]]
    content = workbook(("S", rows))

    source = source_of(tmp_path, content, header_row=4)

    assert values(source, read(source)) == [("1", "a")]
    assert failure(source_of(tmp_path, content, header_row=3)).code == "source_no_header"
    assert failure(source_of(tmp_path, content, header_row=9)).code == "source_no_header"


def test_blank_rows_are_no_records(tmp_path: Path) -> None:
    """Rows without any mapped value are skipped, wherever they are, even a whole batch of them."""
    head = ["ID ARTICOLO", "NOME ARTICOLO", "X"]
    rows = [head, ["1", "a", ""], *([["", "", "note"]] * 2500), ["2", "b", ""], ["", "", ""]]

    source = source_of(tmp_path, workbook(("S", rows)))

    assert values(source, read(source)) == [("1", "a"), ("2", "b")]


def test_headers_alone_are_an_empty_extract(tmp_path: Path) -> None:
    """A sheet without rows is complete: the guards judge it; one without anything is not."""
    pages = read(source_of(tmp_path, workbook(("S", [["ID ARTICOLO", "NOME ARTICOLO"]]))))
    assert [(len(page.fingerprints), page.validator is None) for page in pages] == [(0, False)]

    assert failure(source_of(tmp_path, workbook(("S", [])))).code == "source_no_header"


# --- archives that are not what they should be --------------------------------------


def test_what_is_no_workbook_says_so(tmp_path: Path) -> None:
    """Other files are told apart: text, another archive, the old format or a password."""
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("readme.txt", "hello")

    codes = {
        b"ID ARTICOLO;NOME ARTICOLO\n": "source_not_xlsx",
        other.getvalue(): "source_not_xlsx",
        b"\xd0\xcf\x11\xe0" + bytes(600): "source_xls",
    }

    for content, code in codes.items():
        raised = failure(source_of(tmp_path, content))
        assert (type(raised), raised.code) == (SourceFormatError, code)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.99])
def test_a_workbook_that_breaks_off_may_be_whole_later(tmp_path: Path, part: float) -> None:
    """A cut file is told by its missing end."""
    raised = failure(source_of(tmp_path, SIMPLE[: int(len(SIMPLE) * part)]))

    assert (type(raised), raised.code) == (TransientSourceError, "source_cut")


def test_a_damaged_part_is_refused(tmp_path: Path) -> None:
    """A bit that fell over fails the file, even where the parser would not look."""
    place = SIMPLE.index(b"xl/worksheets/sheet1.xml") + len("xl/worksheets/sheet1.xml") + 40
    damaged = SIMPLE[:place] + bytes([SIMPLE[place] ^ 1]) + SIMPLE[place + 1 :]

    assert failure(source_of(tmp_path, damaged)).code == "source_zip"


def test_a_workbook_that_inflates_too_far_is_refused(tmp_path: Path) -> None:
    """What the directory announces is compared with the limits before anything is parsed."""
    padded = repacked(SIMPLE, lambda _name, body: body + b" " * 200_000)
    raised = failure(source_of(tmp_path, padded, max_inflated_bytes=MIB))
    assert (type(raised), raised.code) == (SourceFormatError, "source_zip_bomb")
    assert "max_inflated_bytes" in str(raised)
    assert len(read(source_of(tmp_path, padded, max_inflated_bytes=4 * MIB))) == 1

    bomb = repacked(SIMPLE, lambda name, body: body + b" " * (40 * MIB if "sheet1" in name else 0))
    raised = failure(source_of(tmp_path, bomb))
    assert (type(raised), raised.code) == (SourceFormatError, "source_zip_bomb")
    assert "200 times" in str(raised)


def test_a_directory_that_lies_is_found_out(tmp_path: Path) -> None:
    """A part that inflates to more than the directory says is refused, however it is written."""
    honest, name = b"<worksheet/>", "xl/worksheets/sheet1.xml"
    long = honest + b" " * (8 * MIB)
    content = repacked(SIMPLE, lambda part, body: long if part == name else body)
    info = zipfile.ZipFile(io.BytesIO(content)).getinfo(name)
    sizes = struct.pack("<III", info.CRC, info.compress_size, info.file_size)
    lie = struct.pack("<III", zlib.crc32(honest), info.compress_size, len(honest))
    assert content.count(sizes) == 2

    raised = failure(source_of(tmp_path, content.replace(sizes, lie)))

    assert (type(raised), raised.code) == (SourceFormatError, "source_zip_bomb")
    assert "longer than the directory says" in str(raised)


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    """An archive of ten thousand parts is no workbook."""
    out = io.BytesIO(SIMPLE)
    with zipfile.ZipFile(out, "a") as archive:
        for number in range(10_001):
            archive.writestr(f"x{number}", b"")

    assert failure(source_of(tmp_path, out.getvalue())).code == "source_zip_bomb"


def test_a_sheet_that_claims_the_whole_grid_is_limited(tmp_path: Path) -> None:
    """Two cells at either end of the largest grid cost a child its memory, and us nothing."""

    def change(sheet: Any) -> None:  # noqa: ANN401
        sheet.write(1_048_575, 16_383, "far")

    content = workbook(("S", [["ID ARTICOLO", "NOME ARTICOLO"], ["1", "a"]]), change=change)

    raised = failure(source_of(tmp_path, content, max_memory_mib=256))

    assert isinstance(raised, PermanentSourceError)
    assert raised.code in {"source_reader_memory_limit", "source_reader_crashed"}


def test_parsing_is_limited_in_time(tmp_path: Path) -> None:
    """A workbook that takes too long is ended, and may be tried again."""
    rows = [["ID ARTICOLO", "NOME ARTICOLO"], *([str(n), "x" * 50] for n in range(60_000))]

    raised = failure(source_of(tmp_path, workbook(("S", rows)), parse_timeout_s=0.05))

    assert (type(raised), raised.code) == (TransientSourceError, "source_timeout")


@pytest.mark.parametrize(
    "part", ["xl/workbook.xml", "xl/_rels/workbook.xml.rels", "xl/worksheets/sheet1.xml"]
)
@pytest.mark.parametrize("body", [b"", b"<", b"<a/>", b"\xff\xfe", b"<a>" * 1000])
def test_nonsense_in_a_part_is_one_of_our_errors(tmp_path: Path, part: str, body: bytes) -> None:
    """Whatever a part holds, the file is refused by name."""
    content = repacked(SIMPLE, lambda name, old: body if name == part else old)

    raised = failure(source_of(tmp_path, content))

    assert raised.code in {"source_xlsx", "source_no_header", "source_sheet_missing", "source_zip"}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"sheet": 0}, "sheet"),
        ({"sheet": ""}, "sheet"),
        ({"sheet": True}, "sheet"),
        ({"max_memory_mib": 1}, "max_memory_mib"),
        ({"max_inflated_bytes": "1 GB"}, "max_inflated_bytes"),
        ({"parse_timeout_s": 0}, "parse_timeout_s"),
        ({"delimiter": ";"}, "delimiter: is unknown"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    """Every wrong key is named with its remedy."""
    with pytest.raises(ConfigError) as error:
        source_of(tmp_path, SIMPLE, **keys)

    assert words in str(error.value)
