"""What pages mean: any number of pages a cycle, and nothing taken for granted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.archibald.document import normalised, outline_of, records_of
from archibald_sync.sources.archibald.layout import Table


@dataclass
class FakePages:
    """Pages that are tables already."""

    tables: list[Table]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.tables)

    def table(self, number: int) -> Table:
        """Return one."""
        return self.tables[number]


def cut(
    columns: list[str], rows: list[list[str]], groups: list[int], rows_a_page: int
) -> FakePages:
    """Return the pages of a document: ``groups`` says how many columns each page of a cycle has."""
    tables = []
    for begin in range(0, max(len(rows), 1), rows_a_page):
        first = 0
        for width in groups:
            part = [row[first : first + width] for row in rows[begin : begin + rows_a_page]]
            is_end = begin + rows_a_page >= len(rows) and first == 0
            if is_end:
                count = f"{len(rows):,}".replace(",", ".")
                part.append([f"Count={count}", *[""] * (width - 1)])
            tables.append(Table(tuple(columns[first : first + width]), part))
            first += width
    return FakePages(tables)


def read(pages: FakePages, wanted: list[str]) -> list[tuple[Any, ...]]:
    """Return all records of ``pages``."""
    return [row for batch in records_of(pages, outline_of(pages, wanted)) for row in batch]


@given(
    st.data(),
    st.lists(st.integers(1, 4), min_size=1, max_size=9),
    st.integers(0, 30),
    st.integers(1, 7),
)
def test_any_cycle_is_put_together(
    data: st.DataObject, groups: list[int], row_count: int, rows_a_page: int
) -> None:
    """Whatever the number of columns, pages a cycle and rows a page, each record is whole."""
    columns = [f"COLUMN {number}" for number in range(sum(groups))]
    rows = [[f"{row} in {column}" for column in columns] for row in range(row_count)]
    wanted = data.draw(st.lists(st.sampled_from(columns), min_size=1, unique=True))

    pages = cut(columns, rows, groups, rows_a_page)

    places = [columns.index(one) for one in wanted]
    assert read(pages, wanted) == [tuple(row[place] for place in places) for row in rows]
    outline = outline_of(pages, wanted)
    assert outline.total == row_count
    assert outline.cycles == max(-(-row_count // rows_a_page), 1)
    assert set(outline.unmapped) == set(columns) - set(wanted)


COLUMNS = ["ID ARTICOLO", "NOME", "PACCO", "FIGURA"]
ROWS = [[f"{number:06d}K2", f"N{number}", "K2", "F"] for number in range(7)]


def document() -> FakePages:
    """Return three cycles of two pages: of 3, 3 and 1 rows."""
    return cut(COLUMNS, ROWS, [2, 2], 3)


def changed(number: int, **changes: Any) -> FakePages:  # noqa: ANN401  # any part of a table
    """Return the document with page ``number`` changed."""
    pages = document()
    pages.tables[number] = replace(pages.tables[number], **changes)
    return pages


def without(number: int) -> FakePages:
    """Return the document without page ``number``."""
    pages = document()
    del pages.tables[number]
    return pages


FAULTS = [
    (FakePages([]), "source_pdf_damaged"),
    (without(2), "source_pdf_pages"),
    (without(5), "source_pdf_pages"),
    (FakePages(document().tables[:4]), "source_pdf_footer_missing"),
    (FakePages([*document().tables, *document().tables]), "source_pdf_pages"),
    (changed(1, header=("PACCO", "NOME")), "source_column_twice"),
    (changed(3, header=("FIGURA", "PACCO")), "source_pdf_columns"),
    (changed(3, rows=document().tables[3].rows[:-1]), "source_pdf_rows"),
    (changed(4, rows=[["x", "y"], ["z", ""], ["Count=7", ""]]), "source_pdf_rows"),
    (changed(4, rows=[["000006K2", "N6"], ["Count=8", ""]]), "source_pdf_count"),
    (changed(4, rows=[["000006K2", "N6"], ["Count=6", ""]]), "source_pdf_count"),
    (changed(4, rows=[["000006K2", "N6"], ["Count=7,5", ""]]), "source_pdf_footer_missing"),
    (changed(4, rows=[["000006K2", "N6"], ["Count=1,007", ""]]), "source_language"),
    (changed(4, rows=[["000006K2", "N6"], ["Count=", ""]]), "source_pdf_footer_missing"),
    (changed(4, rows=[["000006K2", "N6"]]), "source_pdf_footer_missing"),
    (changed(2, rows=[["00001\n6K2", "N6"], *ROWS[1:3]]), "source_pdf_key_wraps"),
]


@pytest.mark.parametrize(("pages", "code"), FAULTS, ids=range(len(FAULTS)))
def test_every_fault_fails_the_file(pages: FakePages, code: str) -> None:
    """A page, row, column or the footer that is not as it should be fails the whole file."""
    with pytest.raises(SourceFormatError) as failure:
        read(pages, ["ID ARTICOLO", "PACCO", "NOME"])

    assert failure.value.code == code


def test_unmapped_columns_may_have_one_name() -> None:
    """Two columns of one name are a fault only where that name is mapped."""
    pages = cut(["ID", "NOTE", "NOME", "NOTE"], [["1", "a", "b", "c"]], [2, 2], 5)

    assert read(pages, ["ID", "NOME"]) == [("1", "b")]
    with pytest.raises(SourceFormatError, match="NOTE"):
        read(pages, ["ID", "NOTE"])


def test_endless_cycle() -> None:
    """Columns that never come again are noticed, before the whole file is kept in memory."""
    pages = FakePages([Table((f"C{number}",), []) for number in range(500)])

    with pytest.raises(SourceFormatError, match="up to page 101 "):
        read(pages, ["C0"])


@pytest.mark.parametrize(
    ("rows", "further"),
    [
        ([["000006K2", "N6"]], []),  # the footer stands under the table
        ([["000006K2", "N6"], ["Count=7", ""]], [["", ""]]),  # it has a place on each page
    ],
    ids=["loose", "empty place"],
)
def test_where_the_footer_stands(rows: list[list[str]], further: list[list[str]]) -> None:
    """The footer may stand in a row, on further pages too, or under the table."""
    pages = changed(4, rows=rows, loose="" if further else "Count=7 Pagina 5")
    pages.tables[5] = replace(pages.tables[5], rows=[["K2", "F"], *further])

    assert len(read(pages, ["ID ARTICOLO"])) == 7


def test_a_cycle_of_the_footer_alone() -> None:
    """Where the rows fill their pages, the footer stands on pages of its own."""
    pages = cut(COLUMNS, ROWS[:6], [2, 2], 3)
    del pages.tables[2].rows[-1]
    empty = [replace(table, rows=[]) for table in pages.tables[:2]]
    pages.tables += [replace(empty[0], rows=[["Count=6", ""]]), empty[1]]

    assert len(read(pages, COLUMNS)) == 6


def test_cells_are_made_one_line() -> None:
    """Wrapped lines become one; after a hyphen within a word there was no space."""
    rows = [["1", "con punta\nlunga", "anti-\nurto", "0 -\n5"], ["2", "System.Byte[]", "", ""]]

    found = read(cut(COLUMNS, rows, [4], 5), COLUMNS)

    assert found == [
        ("1", "con punta lunga", "anti-urto", "0 - 5"),
        ("2", b"System.Byte[]", "", ""),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("UNITÀ DI PREZZO", "unita\u0300 di prezzo:"),
        ("CONTENUTO DELL'IMBALLAGGIO", "Contenuto dell\u2019\nimballaggio"),
        ("DATAAREAID", "DATAARE\nAID"),
        (" ID ARTICOLO ", "id articolo"),
    ],
)
def test_headers_that_are_the_same(one: str, other: str) -> None:
    """Case, form of accents and apostrophes, colons and breaks do not count."""
    assert normalised(one) == normalised(other)
    assert normalised("ID") != normalised("ID ARTICOLO")


def test_another_language_is_told_from_a_missing_column() -> None:
    """English headers are called that; a few columns that are gone are named."""
    english = cut(["ITEM ID", "ITEM NAME", "PACKAGE"], [["1", "N", "K2"]], [3], 5)
    foreign = cut(["XX", "YY", "PACCO"], [["1", "N", "K2"]], [3], 5)

    with pytest.raises(SourceFormatError, match="another language") as language:
        read(english, ["ID ARTICOLO", "NOME", "PACCO"])
    with pytest.raises(SourceFormatError, match="ID ARTICOLO, NOME") as missing:
        read(foreign, ["ID ARTICOLO", "NOME", "PACCO"])

    assert (language.value.code, missing.value.code) == ("source_language", "source_column_missing")
