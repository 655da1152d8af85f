"""The PDF that the ERP exports: cycles of pages, in the geometry that it really has.

US Letter with margins of an inch, Times of 9.75 points, a grey header on every page, rows
of 13.5 points, thin filled rectangles as borders. A page takes columns while they fit; as
many pages as that needs show the same rows, then come the next rows.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_WIDTH, _HEIGHT, _MARGIN = 612.0, 792.0, 72.0
_ROOM = _WIDTH - 2 * _MARGIN
_FONT, _FONT_SIZE = "Times-Roman", 9.75
_ROW, _LINE, _INSET, _BORDER = 13.5, 11.25, 2.0, 0.75
_BASELINE = 10.0  # below the top of a row
_GREY = 0.5

Cell = tuple[str, bool]  # text, whether it stands at the right


class NoPdfError(RuntimeError):
    """The library that makes PDF files is not installed."""


@dataclass(slots=True)
class Sheet:
    """One page: its columns and how high its rows are; faults change it before it is drawn."""

    widths: list[float]
    header: list[str]
    rows: list[list[Cell]]
    heights: list[float]
    footer: str = ""


@dataclass(slots=True)
class Export:
    """What is exported: headers with widths, rows of cells, the footer."""

    headers: Sequence[tuple[str, float]]
    rows: Sequence[Sequence[Cell]]
    footer: str
    font: str = _FONT
    sheets: list[Sheet] = field(default_factory=list)


def laid_out(export: Export) -> list[Sheet]:
    """Return the pages of an export in their order.

    Raises:
        NoPdfError: reportlab is not installed.
    """
    groups = list(_groups(export.headers))
    lines = _measure(export.font)
    head = max(_height(lines, text, width) for text, width in export.headers)
    widths = [width for _, width in export.headers]
    heights = [
        max(_height(lines, text, width) for (text, _), width in zip(row, widths, strict=True))
        for row in export.rows
    ]
    sheets: list[Sheet] = []
    for begin, end in _cycles(heights, _HEIGHT - 2 * _MARGIN - head):
        is_last = end == len(heights)
        for first, last in groups:
            sheets.append(
                Sheet(
                    widths[first:last],
                    [text for text, _ in export.headers[first:last]],
                    [list(row[first:last]) for row in export.rows[begin:end]],
                    [head, *heights[begin:end]],
                    export.footer if is_last and first == 0 else "",
                )
            )
    return sheets


def drawn(sheets: Sequence[Sheet], font: str = _FONT) -> bytes:
    """Return ``sheets`` as a PDF file.

    Raises:
        NoPdfError: reportlab is not installed.
    """
    lines = _measure(font)
    buffer = io.BytesIO()
    canvas = _library("reportlab.pdfgen.canvas").Canvas(
        buffer, pagesize=(_WIDTH, _HEIGHT), pageCompression=1, invariant=1
    )
    for sheet in sheets:
        _draw(canvas, sheet, lines, font)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _groups(headers: Sequence[tuple[str, float]]) -> Iterator[tuple[int, int]]:
    """Yield the columns of each page of a cycle: as many as fit."""
    begin, room = 0, _ROOM
    for index, (_, width) in enumerate(headers):
        if width > room and index > begin:
            yield begin, index
            begin, room = index, _ROOM
        room -= width
    yield begin, len(headers)


def _cycles(heights: Sequence[float], room: float) -> Iterator[tuple[int, int]]:
    """Yield the rows of each cycle: as many as fit, with room for the footer at the end."""
    begin, left = 0, room - _ROW
    for index, height in enumerate(heights):
        if height > left:
            yield begin, index
            begin, left = index, room - _ROW
        left -= height
    yield begin, len(heights)


def _height(lines: Callable[[str, float], tuple[str, ...]], text: str, width: float) -> float:
    return _ROW + _LINE * (len(lines(text, width)) - 1)


def _measure(font: str) -> Callable[[str, float], tuple[str, ...]]:
    """Return what breaks a text into the lines that fit a column."""
    metrics = _library("reportlab.pdfbase.pdfmetrics")
    if font not in metrics.standardFonts and font not in metrics.getRegisteredFontNames():
        metrics.registerFont(_library("reportlab.pdfbase.ttfonts").TTFont(font, f"{font}.ttf"))

    @lru_cache(50_000)
    def lines(text: str, width: float) -> tuple[str, ...]:
        done, room = [""], width - 2 * _INSET
        for word in text.split(" "):
            longer = f"{done[-1]} {word}" if done[-1] else word
            if metrics.stringWidth(longer, font, _FONT_SIZE) <= room:
                done[-1] = longer
            else:
                done = [*(done if done[-1] else []), *broken(word, room)]
        return tuple(done)

    def broken(word: str, room: float) -> list[str]:
        """Return a word in as many parts as its width needs."""
        parts = [""]
        for char in word:
            if parts[-1] and metrics.stringWidth(parts[-1] + char, font, _FONT_SIZE) > room:
                parts.append("")
            parts[-1] += char
        return parts

    return lines


def _draw(
    canvas: Any,  # noqa: ANN401  # reportlab carries no types
    sheet: Sheet,
    lines: Callable[[str, float], tuple[str, ...]],
    font: str,
) -> None:
    top = _HEIGHT - _MARGIN
    canvas.setFont(font, _FONT_SIZE)
    header = [(text, False) for text in sheet.header]
    for number, (height, row) in enumerate(zip(sheet.heights, [header, *sheet.rows], strict=False)):
        left = _MARGIN
        for (text, is_right), width in zip(row, sheet.widths, strict=True):
            if number == 0:
                canvas.setFillGray(_GREY)
                canvas.rect(left, top - height, width, height, stroke=0, fill=1)
            canvas.setFillGray(0)
            _borders(canvas, left, top, width, height)
            canvas.setFillGray(1 if number == 0 else 0)
            for index, line in enumerate(lines(text, width)):
                baseline = top - _BASELINE - index * _LINE
                if is_right:
                    canvas.drawRightString(left + width - _INSET, baseline, line)
                elif line:
                    canvas.drawString(left + _INSET, baseline, line)
            left += width
        top -= height
    if sheet.footer:
        canvas.setFillGray(0)
        _borders(canvas, _MARGIN, top, sheet.widths[0], _ROW)
        canvas.drawString(_MARGIN + _INSET, top - _BASELINE, sheet.footer)


def _borders(canvas: Any, left: float, top: float, width: float, height: float) -> None:  # noqa: ANN401
    bottom = top - height
    for x, y, w, h in (
        (left, top - _BORDER, width, _BORDER),
        (left, bottom, width, _BORDER),
        (left, bottom, _BORDER, height),
        (left + width - _BORDER, bottom, _BORDER, height),
    ):
        canvas.rect(x, y, w, h, stroke=0, fill=1)


def _library(name: str) -> Any:  # noqa: ANN401  # reportlab carries no types
    from importlib import import_module  # noqa: PLC0415  # used here only

    try:
        return import_module(name)
    except ImportError as exc:
        message = "the demo ERP needs reportlab to make PDF files: pip install 'archibald-sync"
        raise NoPdfError(f"{message}[demo]'") from exc
