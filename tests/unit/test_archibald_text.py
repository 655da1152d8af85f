"""Text of a page whose characters are not one 16-bit unit each, and pages that are no pages."""

from __future__ import annotations

import pytest

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.archibald.pdf import page_text


class FakePdfium:
    """PDFium's functions for one page of these characters."""

    def __init__(self, codes: list[int], units: list[int] | None = None) -> None:
        """Let the whole text be ``units``, and the characters ``codes``."""
        self._codes = codes
        self._units = codes if units is None else units

    def FPDFText_CountChars(self, _page: object) -> int:  # noqa: N802  # PDFium's name
        """Return how many characters there are."""
        return len(self._codes)

    def FPDFText_GetText(  # noqa: N802  # PDFium's name
        self, _page: object, _start: int, count: int, buffer: list[int]
    ) -> int:
        """Write up to ``count`` units into ``buffer``; return how many, and a closing zero."""
        for index, unit in enumerate(self._units[:count]):
            buffer[index] = unit
        return min(len(self._units), count) + 1

    def FPDFText_GetUnicode(self, _page: object, index: int) -> int:  # noqa: N802
        """Return one character."""
        return self._codes[index]


@pytest.mark.parametrize(
    ("codes", "units", "text"),
    [
        ([0x41, 0x20, 0xE0], None, "A à"),
        ([0x4B, 0xFFFE], None, "K-"),  # a hyphen at the end of a line
        ([0x41, 0x1F600, 0x42], [0x41, 0xD83D, 0xDE00, 0x42], "A\U0001f600B"),
        ([0x41, 0, 0x42], [0x41, 0x42], "A\ufffdB"),  # one without a meaning
        ([], None, ""),
    ],
)
def test_one_character_for_each(codes: list[int], units: list[int] | None, text: str) -> None:
    """The text has as many characters as the page, so that each has its place."""
    assert page_text(FakePdfium(codes, units), None, "page 1") == text


@pytest.mark.parametrize(
    ("count", "code"), [(200_001, "source_pdf_layout"), (-1, "source_pdf_damaged")]
)
def test_pages_that_are_none(count: int, code: str) -> None:
    """A page with more characters than any list has, or with none that can be counted, fails."""
    pdfium = FakePdfium([])
    pdfium.FPDFText_CountChars = lambda _page: count  # type: ignore[method-assign]

    with pytest.raises(SourceFormatError) as failure:
        page_text(pdfium, None, "page 1")

    assert failure.value.code == code
