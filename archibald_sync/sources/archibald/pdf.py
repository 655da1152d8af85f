"""The pages of a PDF file as tables, read with PDFium; it knows nothing of their meaning.

Works in a child process: PDFium is a large library in C++ that reads foreign bytes. A page
takes one call for all of its text, two positions a word, and one box a rectangle.
"""

from __future__ import annotations

import ctypes
import re
from typing import TYPE_CHECKING, Any, Self

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.archibald.document import outline_of, records_of
from archibald_sync.sources.archibald.layout import Table, Word, table_of
from archibald_sync.sources.archibald.pdfium import Origins, address_of, boxes, calls_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WORD = re.compile(r"[^ \t\r\n]+")
# PDFium marks a hyphen at the end of a line as one that might be left out.
_MARKS = {0xFFFE: "-", 0x0002: "-"}
_SAME_LINE = 1.0
_CODES = 0x110000
_MAX_PER_PAGE = 200_000  # characters, and objects: a real page has some thousands


def read_pdf(path: str, columns: Sequence[str], max_pages: int) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the records of the export at ``path``, a cycle of pages at a time.

    The first batch holds one tuple: how many records are announced, how many cycles
    there are, and the headers that nobody asked for. Each further one holds records:
    the texts of ``columns``, which are headers, in their order.

    Raises:
        SourceFormatError: The file is damaged, or no export of this list, or not complete.
    """
    with PdfPages(path) as pages:
        if len(pages) > max_pages:
            message = f"the PDF has {len(pages)} pages, more than {max_pages}; raise "
            raise SourceFormatError(f"{message}max_pages if that is right", code="source_endless")
        outline = outline_of(pages, columns)
        yield [(outline.total, outline.cycles, outline.unmapped)]
        yield from records_of(pages, outline)


class PdfPages:
    """The pages of one open file; close it by leaving the block."""

    def __init__(self, path: str) -> None:
        """Open the file at ``path``.

        Raises:
            SourceFormatError: It is no PDF that can be read.
        """
        # Imported when used: 40 ms that only the reading process has to spend.
        import pypdfium2  # noqa: PLC0415
        import pypdfium2.raw  # noqa: PLC0415

        self._pdfium = pypdfium2.raw
        self._calls = calls_of(pypdfium2.raw)
        try:
            self._document = pypdfium2.PdfDocument(path)
            self._length = len(self._document)
        except (pypdfium2.PdfiumError, OSError) as exc:
            raise _damaged("the PDF") from exc

    def __len__(self) -> int:
        """Return how many pages there are."""
        return self._length

    def __enter__(self) -> Self:
        """Return the pages."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the file."""
        self._document.close()

    def table(self, number: int) -> Table:
        """Return the table of page ``number``, which counts from 0.

        Raises:
            SourceFormatError: The page cannot be read, or holds no table.
        """
        pdfium, name = self._pdfium, f"page {number + 1} of the PDF"
        page = pdfium.FPDF_LoadPage(self._document, number)
        if not page:
            raise _damaged(name)
        try:
            text_page = pdfium.FPDFText_LoadPage(page)
            if not text_page:
                raise _damaged(name)
            try:
                table = self._table(page, text_page, name)
            finally:
                pdfium.FPDFText_ClosePage(text_page)
        finally:
            pdfium.FPDF_ClosePage(page)
        if table is None:
            message = f"{name} holds no table with borders; look at the export of the ERP"
            raise SourceFormatError(message, code="source_pdf_layout")
        return table

    def _table(self, page: Any, text_page: Any, name: str) -> Table | None:  # noqa: ANN401  # C
        origin = Origins(self._calls, address_of(text_page))
        words = list(_words(page_text(self._pdfium, text_page, name), origin))
        count = _limited(self._pdfium.FPDFPage_CountObjects(page), name)
        rects = boxes(self._calls, address_of(page), count)

        def glyph(index: int) -> tuple[int, float]:
            written_with = self._pdfium.FPDFText_GetTextObject(text_page, index)
            return address_of(written_with).value or 0, origin(index)[0]

        return table_of(rects, words, glyph)


def _words(text: str, origin: Origins) -> Iterator[Word]:
    """Yield the words of ``text`` in the order of the page."""
    for match in _WORD.finditer(text):
        start, end = match.span()
        while start < end:
            left, y = origin(start)
            right, last_y = origin(end - 1) if end - start > 1 else (left, y)
            # A hyphen at the end of a line hides that the next word is on another line.
            stop = end if abs(last_y - y) <= _SAME_LINE else _end_of_line(start, y, origin)
            yield Word(
                left, origin(stop - 1)[0] if stop < end else right, y, text[start:stop], start
            )
            start = stop


def _end_of_line(start: int, y: float, origin: Origins) -> int:
    """Return the first character after ``start`` that is on another line."""
    index = start + 1
    while abs(origin(index)[1] - y) <= _SAME_LINE:
        index += 1
    return index


def page_text(pdfium: Any, text_page: Any, name: str) -> str:  # noqa: ANN401  # C
    """Return one character for each that the page has, so that numbers agree."""
    count = _limited(pdfium.FPDFText_CountChars(text_page), name)
    buffer = (ctypes.c_ushort * (2 * count + 2))()
    written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
    text = bytes(buffer).decode("utf-16-le", "replace")[:count]
    if written != count + 1 or len(text) != count or "\0" in text:
        # Characters beyond 16 bits, or without a meaning, make that text longer or shorter.
        codes = (pdfium.FPDFText_GetUnicode(text_page, index) for index in range(count))
        text = "".join(chr(code) if 0 < code < _CODES else "\ufffd" for code in codes)
    return text.translate(_MARKS)


def _limited(count: int, name: str) -> int:
    if count < 0:
        raise _damaged(name)
    if count > _MAX_PER_PAGE:
        message = f"{name} holds {count} things, more than {_MAX_PER_PAGE}: no page of a list"
        raise SourceFormatError(message, code="source_pdf_layout")
    return count


def _damaged(what: str) -> SourceFormatError:
    message = f"{what} is damaged; export it by hand and look whether the ERP makes it well"
    return SourceFormatError(message, code="source_pdf_damaged")
