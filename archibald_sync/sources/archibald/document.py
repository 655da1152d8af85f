"""What the pages of an export mean: cycles of pages, columns by header, the counted rows.

N columns need K pages, and the document is cycles of K pages that show the same rows. K
is found where the headers of the first page come again. Nothing is taken for granted: a
row, a column or a page too few fails the whole file.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.archibald.layout import CUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archibald_sync.sources.archibald.layout import Table

_MAX_CYCLE_PAGES = 100
_FOOTER = re.compile(r"\bcount\s*=\s*(\S*)", re.IGNORECASE)
_COUNT = re.compile(r"[0-9]{1,3}(?:\.[0-9]{3})*|[0-9]+", re.ASCII)
_ENGLISH_COUNT = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+", re.ASCII)
_ENGLISH_WORDS = frozenset(
    {"by", "created", "date", "description", "group", "item", "max", "min", "modified", "name"}
    | {"number", "package", "price", "product", "qty", "quantity", "size", "stopped", "unit"}
)
_WRAP_AT_HYPHEN = re.compile(r"(?<=\w)-\n")
# Before NFKC, which makes a space and an accent of some of them.
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u0060\u00b4\u2032", "'"))
_PICTURE = "System.Byte[]"


class Pages(Protocol):
    """The pages of a document."""

    def __len__(self) -> int:
        """Return how many there are."""

    def table(self, number: int) -> Table:
        """Return the table of a page; the first is 0."""


@dataclass(frozen=True, slots=True)
class Outline:
    """How a document is made up.

    ``headers`` are those of each page of a cycle, normalised; ``places`` says where in a
    cycle each wanted column is: page and column. ``first`` are tables read already, by
    page.
    """

    headers: tuple[tuple[str, ...], ...]
    places: tuple[tuple[int, int], ...]
    unmapped: tuple[str, ...]
    cycles: int
    total: int
    first: dict[int, Table]


def normalised(header: str) -> str:
    """Return a header as it is compared: neither case, accents' form, space nor colon count.

    Spaces go altogether, because a header may wrap in the middle of a word.
    """
    text = unicodedata.normalize("NFKC", header.translate(_APOSTROPHES)).casefold()
    return "".join(text.replace(":", "").split())


def outline_of(pages: Pages, columns: Sequence[str]) -> Outline:
    """Read the first cycle and the footer of the last.

    Args:
        pages: The document.
        columns: The headers that are wanted, the key first.

    Raises:
        SourceFormatError: A column is missing or there twice, the ERP answered in another
            language, the pages make up no cycles, or the footer is missing.
    """
    if not len(pages):
        raise SourceFormatError("the PDF has no page", code="source_pdf_damaged")
    tables = _first_cycle(pages)
    headers = tuple(map(_headers, tables))
    places = {
        name: (page, column)
        for page, names in enumerate(headers)
        for column, name in enumerate(names)
        if name
    }
    shown = [text for table in tables for text in table.header if text]
    _check_columns(columns, places, shown)
    cycles, rest = divmod(len(pages), len(headers))
    if rest:
        message = f"the PDF has {len(pages)} pages, but its columns come again each "
        message += f"{len(headers)} pages: a page is missing, or one too many"
        raise SourceFormatError(message, code="source_pdf_pages")
    wanted = {normalised(column) for column in columns}
    first = dict(enumerate(tables))
    last = (cycles - 1) * len(headers)
    first.setdefault(last, pages.table(last))
    return Outline(
        headers,
        tuple(places[normalised(column)] for column in columns),
        tuple(" ".join(text.split()) for text in shown if normalised(text) not in wanted),
        cycles,
        _announced(first[last]),
        first,
    )


def records_of(pages: Pages, outline: Outline) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the records of each cycle; all of them, or an exception.

    Raises:
        SourceFormatError: The pages of a cycle do not fit together, or there are not as
            many records as the footer says.
    """
    count, width = 0, len(outline.headers)
    for cycle in range(outline.cycles):
        tables = [
            outline.first.pop(number) if number in outline.first else pages.table(number)
            for number in range(cycle * width, (cycle + 1) * width)
        ]
        rows = _rows_of_cycle(tables, outline, cycle)
        count += len(rows[0])
        if count > outline.total:
            break
        yield [
            tuple([_value(rows[page][row][column]) for page, column in outline.places])
            for row in range(_checked_keys(rows, outline, cycle))
        ]
    if count != outline.total:
        is_more = " or more" if count > outline.total else ""
        message = f"the PDF holds {count}{is_more} rows, but says that there are {outline.total}; "
        raise SourceFormatError(f"{message}it is not complete", code="source_pdf_count")


def _first_cycle(pages: Pages) -> list[Table]:
    """Return the tables of the first pages until the headers of the first come again."""
    tables = [pages.table(0)]
    seen = [_headers(tables[0])]
    for number in range(1, len(pages)):
        table = pages.table(number)
        headers = _headers(table)
        if headers == seen[0]:
            break
        if headers in seen or number >= _MAX_CYCLE_PAGES:
            message = f"up to page {number + 1} of the PDF the columns of the first page do not "
            message += "come again, as they must after all others: a page is missing"
            raise SourceFormatError(message, code="source_pdf_pages")
        tables.append(table)
        seen.append(headers)
    return tables


def _headers(table: Table) -> tuple[str, ...]:
    return tuple(map(normalised, table.header))


def _check_columns(columns: Sequence[str], found: dict[str, Any], shown: list[str]) -> None:
    missing = [column for column in columns if normalised(column) not in found]
    if 2 * len(missing) > len(columns) and _looks_english(shown):
        raise _foreign(f"the columns are called {', '.join(shown[:3])}, …")
    if missing:
        message = f"the export no longer holds the column(s): {', '.join(missing)}; show them "
        message += "in the ERP's list again, or correct the mapping in source.toml"
        raise SourceFormatError(message, code="source_column_missing")
    names = list(map(normalised, shown))
    if twice := [column for column in columns if names.count(normalised(column)) > 1]:
        message = f"the export holds the column(s) {', '.join(twice)} more than once; hide one "
        raise SourceFormatError(f"{message}in the ERP's list", code="source_column_twice")


def _looks_english(shown: list[str]) -> bool:
    is_english = [
        not _ENGLISH_WORDS.isdisjoint(text.casefold().split()) for text in shown if text.strip()
    ]
    return 2 * sum(is_english) > len(is_english)


def _foreign(evidence: str) -> SourceFormatError:
    message = f"the ERP answered in another language ({evidence}); set language in source.toml "
    return SourceFormatError(f"{message}or in the ERP's profile", code="source_language")


def _announced(table: Table) -> int:
    """Return the number of records that the footer on the last cycle's first page says."""
    footer = _footer(table)
    if footer is None:
        message = "the PDF ends without its footer Count=…: it is not complete"
        raise SourceFormatError(message, code="source_pdf_footer_missing")
    if _COUNT.fullmatch(footer):
        return int(footer.replace(".", ""))
    if _ENGLISH_COUNT.fullmatch(footer):
        raise _foreign(f"the footer says Count={footer}")
    message = f"the footer of the PDF says Count={footer[:20]}, expected a number such as 4.540"
    raise SourceFormatError(message, code="source_pdf_footer_missing")


def _footer(table: Table) -> str | None:
    """Return what the summary row says, which is the last row, or stands under the table."""
    row = " ".join(filter(None, table.rows[-1])) if table.rows else ""
    match = _FOOTER.fullmatch(row.strip()) or _FOOTER.search(table.loose)
    return match[1] if match else None


def _is_footer(row: Sequence[str]) -> bool:
    return _FOOTER.fullmatch(" ".join(filter(None, row)).strip()) is not None


def _rows_of_cycle(tables: list[Table], outline: Outline, cycle: int) -> list[list[list[str]]]:
    """Return the rows of each page of a cycle: as many on each."""
    begin, is_last = cycle * len(tables), cycle == outline.cycles - 1
    for offset, table in enumerate(tables):
        if _headers(table) != outline.headers[offset]:
            message = f"page {begin + offset + 1} of the PDF has other columns than its place "
            message += "in the cycle says: a page is missing, or the columns changed"
            raise SourceFormatError(message, code="source_pdf_columns")
    rows = [table.rows for table in tables]
    if rows[0] and _is_footer(rows[0][-1]):
        if not is_last:
            message = f"page {begin + 1} of the PDF holds its footer, but is not the end"
            raise SourceFormatError(message, code="source_pdf_pages")
        count = len(rows[0]) - 1
        # The summary may have an empty place on the further pages, or none.
        rows = [one[:count] if not any(map(any, one[count:])) else one for one in rows[1:]]
        rows = [tables[0].rows[:count], *rows]
    for offset, one in enumerate(rows):
        if len(one) != len(rows[0]):
            message = f"page {begin + offset + 1} of the PDF has {len(one)} rows, page "
            message += f"{begin + 1} of the same cycle {len(rows[0])}: it is not complete"
            raise SourceFormatError(message, code="source_pdf_rows")
    return rows


def _checked_keys(rows: list[list[list[str]]], outline: Outline, cycle: int) -> int:
    """Return how many records there are, none of which has a key that wraps."""
    page, column = outline.places[0]
    for number, row in enumerate(rows[page], start=1):
        if "\n" in row[column] or CUT in row[column]:
            place = f"page {cycle * len(outline.headers) + page + 1}, row {number} of the PDF"
            message = f"the key on {place} wraps, so that it cannot be told for sure; make its "
            message += "column wider in the ERP's list"
            raise SourceFormatError(message, code="source_pdf_key_wraps")
    return len(rows[page])


def _value(text: str) -> str | bytes:
    """Return what a cell delivers: its text in one line; bytes where it prints a picture.

    No field takes bytes, so that a picture in a mapped column rejects its row.
    """
    text = text.replace(CUT, "")
    if "\n" in text:
        text = _WRAP_AT_HYPHEN.sub("-", text).replace("\n", " ")
    return text.encode() if text == _PICTURE else text
