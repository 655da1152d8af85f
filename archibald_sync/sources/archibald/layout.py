"""From the rectangles and words of one page to the cells of its table.

Geometry alone: it knows neither PDF files nor what the cells mean. Coordinates are in
points, y upwards. Borders are thin filled rectangles; a word belongs to the cell in which
it stands.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Rect = Sequence[float]  # left, bottom, right, top
GlyphAt = Callable[[int], tuple[int, float]]

# Where a line ends in the middle of a word that is wider than its cell.
CUT = "\r"

_INSET = 2.0
_THIN = 2.0  # what is thinner is a border
_SAME_EDGE = 2.0  # borders of neighbours lie side by side
_SAME_LINE = 3.0  # less than half of the distance between two lines of a cell
_MAX_CELL_HEIGHT = 200.0  # what is higher is a background


class Word(NamedTuple):
    """Characters without space between: where the first and the last begin, and the text.

    ``start`` is the number of its first character on the page.
    """

    left: float
    right: float
    y: float
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Table:
    """The table of a page; a line feed parts the lines within a cell, or ``CUT``.

    ``loose`` is the text that stands in no cell.
    """

    header: tuple[str, ...]
    rows: list[list[str]]
    loose: str = ""


class Grid:
    """Where the rows and columns of a table begin and end."""

    def __init__(self, rects: Iterable[Rect]) -> None:
        """Find the edges that ``rects`` draw."""
        ys: set[float] = set()
        tops: dict[float, float] = {}  # of the vertical edges: how far up each reaches
        for left, bottom, right, top in rects:
            height, is_narrow = top - bottom, right - left <= _THIN
            if height <= _THIN:
                if not is_narrow:
                    ys.add((bottom + top) / 2)
            elif is_narrow:
                _raise(tops, (left + right) / 2, top)
            elif height <= _MAX_CELL_HEIGHT:
                ys.update((bottom, top))
                _raise(tops, left, top)
                _raise(tops, right, top)
        self._tops = tops
        self.ys = _merged(ys)
        self.xs = _merged(tops)

    @property
    def row_count(self) -> int:
        """Return how many rows there are, the header included."""
        return max(len(self.ys) - 1, 0)

    def row(self, y: float) -> int:
        """Return the row in which ``y`` is, the topmost is 0; -1 where there is none."""
        above = bisect_right(self.ys, y)
        return self.row_count - above if 0 < above < len(self.ys) else -1

    def column(self, x: float) -> int:
        """Return the column in which ``x`` is; -1 where there is none."""
        right = bisect_right(self.xs, x)
        return right - 1 if right < len(self.xs) else -1

    def begin_at(self, row: int) -> None:
        """Let ``row`` be the header: its cells say where the columns are.

        What spans several columns further down, a summary say, must not count.
        """
        bottom = self.ys[self.row_count - 1 - row]
        columns = _merged(x for x, top in self._tops.items() if top > bottom + _SAME_EDGE)
        if len(columns) > 2:  # noqa: PLR2004  # else it is one filled box for all of them
            self.xs = columns


def table_of(rects: Iterable[Rect], words: Sequence[Word], glyph: GlyphAt) -> Table | None:
    """Return the table that ``rects`` and ``words`` make up; None where there is none.

    Args:
        rects: Borders and filled cells.
        words: In the order of the page.
        glyph: Tells of a character what it was written with, and where it begins; for
            words that reach over a border.
    """
    grid = Grid(rects)
    rows = [grid.row(word.y) for word in words]
    first = min((row for row in rows if row >= 0), default=None)
    if first is None:
        return None
    grid.begin_at(first)
    width, loose = len(grid.xs) - 1, []
    if width < 1:
        return None
    cells: dict[tuple[int, int], list[Word]] = {}
    for row, word in zip(rows, words, strict=True):
        for column, piece in _pieces(word, grid, glyph):
            if row < 0 or column < 0:
                loose.append(piece.text)
            else:
                cells.setdefault((row, column), []).append(piece)
    widths = [right - left for left, right in pairwise(grid.xs)]
    texts = {place: _text(pieces, widths[place[1]]) for place, pieces in cells.items()}
    header, *body = (
        [texts.get((row, column), "") for column in range(width)]
        for row in range(first, grid.row_count)
    )
    return Table(tuple(header), body, " ".join(loose))


def _pieces(word: Word, grid: Grid, glyph: GlyphAt) -> Iterator[tuple[int, Word]]:
    """Yield ``word`` with its column; in pieces where it reaches over a border.

    Two cells without a visible space between them look like one word, but were written as
    two. What was written as one and is wider than its cell belongs to where most of it is.
    """
    column = grid.column(word.left)
    if column == grid.column(word.right):
        yield column, word
        return
    begin = 0
    glyphs = [glyph(word.start + index) for index in range(len(word.text))]
    for _, group in groupby(glyphs, key=itemgetter(0)):
        columns = [grid.column(x) for _, x in group]
        end = begin + len(columns)
        text, left = word.text[begin:end], glyphs[begin][1]
        yield Counter(columns).most_common(1)[0][0], word._replace(text=text, left=left)
        begin = end


def _text(pieces: list[Word], width: float) -> str:
    """Return the text of a cell of this width: words in reading order, marks between lines."""
    if len(pieces) == 1:
        return pieces[0].text
    lines: list[list[Word]] = []
    for piece in sorted(pieces, key=lambda piece: -piece.y):
        if lines and lines[-1][0].y - piece.y < _SAME_LINE:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    text = ""
    for line in lines:
        line.sort(key=lambda word: word.left)
        text += " ".join(word.text for word in line)
        if line is not lines[-1]:
            text += CUT if len(line) == 1 and _fills(line[0], width) else "\n"
    return text


def _fills(word: Word, width: float) -> bool:
    """Return whether not even one further character would have found room beside ``word``."""
    if len(word.text) == 1:
        return False
    span = word.right - word.left
    character = span / (len(word.text) - 1)
    return width - 2 * _INSET - (span + character) < character


def _raise(tops: dict[float, float], x: float, top: float) -> None:
    if top > tops.get(x, -inf):
        tops[x] = top


def _merged(edges: Iterable[float]) -> list[float]:
    """Return ascending edges, those that lie side by side made one."""
    groups: list[list[float]] = []
    for edge in sorted(edges):
        if groups and edge - groups[-1][-1] <= _SAME_EDGE:
            groups[-1].append(edge)
        else:
            groups.append([edge])
    return [(group[0] + group[-1]) / 2 for group in groups]
