"""From rectangles and words to cells: whatever the table looks like, each cell is right."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.sources.archibald.layout import Grid, Table, Word, table_of

_CHARACTER = 4.0  # wide, every one


@dataclass(frozen=True)
class Drawn:
    """A table as it would stand on a page."""

    rects: list[tuple[float, float, float, float]]
    words: list[Word]
    header: tuple[str, ...]
    rows: list[list[str]]

    def glyph(self, index: int) -> tuple[int, float]:
        """Return what a character was written with, and where it begins."""
        raise AssertionError(f"character {index} reaches over no border")


WORDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=6)
LINES = st.lists(WORDS, min_size=1, max_size=2)
CELLS = st.lists(LINES, max_size=2)  # lines of words


@st.composite
def tables(draw: st.DrawFn) -> Drawn:
    """Draw a table with borders on all four sides of each cell, or filled cells."""
    column_count = draw(st.integers(1, 6))
    header = [
        [[word]] for word in draw(st.lists(WORDS, min_size=column_count, max_size=column_count))
    ]
    body = draw(st.lists(st.lists(CELLS, min_size=column_count, max_size=column_count), max_size=8))
    is_filled = draw(st.booleans())
    border = draw(st.sampled_from([0.5, 0.75, 1.0]))
    rects: list[tuple[float, float, float, float]] = []
    words: list[Word] = []
    start, top = 0, 720.0
    for cells in [header, *body]:
        height = 13.5 + 11.25 * (max(1, *(len(cell) for cell in cells)) - 1)
        left, bottom = 72.0, top - height
        for cell in cells:
            right = left + 90
            if is_filled:
                rects.append((left, bottom, right, top))
            else:
                rects += [
                    (left, top - border, right, top),
                    (left, bottom, right, bottom + border),
                    (left, bottom, left + border, top),
                    (right - border, bottom, right, top),
                ]
            for number, line in enumerate(cell):
                x = left + 2
                for text in line:
                    last = x + (len(text) - 1) * _CHARACTER
                    words.append(Word(x, last, top - 10 - 11.25 * number, text, start))
                    start += len(text) + 1
                    x = last + 2 * _CHARACTER
            left = right
        top = bottom
    return Drawn(
        draw(st.permutations(rects)),
        words,
        tuple(_shown(cell) for cell in header),
        [[_shown(cell) for cell in cells] for cells in body],
    )


def _shown(cell: list[list[str]]) -> str:
    return "\n".join(" ".join(line) for line in cell)


@given(tables())
def test_every_cell_is_found(drawn: Drawn) -> None:
    """Wrapped, empty and full cells come out as they were drawn, whatever draws the borders."""
    assert table_of(drawn.rects, drawn.words, drawn.glyph) == Table(drawn.header, drawn.rows)


@given(tables(), st.randoms())
def test_order_of_words_does_not_matter(drawn: Drawn, chance: object) -> None:
    """Lines and words of a cell are put in reading order."""
    words = list(drawn.words)
    chance.shuffle(words)  # type: ignore[attr-defined]  # a random.Random

    assert table_of(drawn.rects, words, drawn.glyph) == Table(drawn.header, drawn.rows)


def no_glyph(index: int) -> tuple[int, float]:
    """Fail: no word reaches over a border."""
    raise AssertionError(index)


def bordered(lefts: list[float], tops: list[float]) -> list[tuple[float, float, float, float]]:
    """Return full-width and full-height borders."""
    return [
        *((left - 0.25, tops[-1], left + 0.25, tops[0]) for left in lefts),
        *((lefts[0], top - 0.25, lefts[-1], top + 0.25) for top in tops),
    ]


def test_cells_without_a_gap_are_parted_at_the_border() -> None:
    """A number at the right and the text of the next cell look like one word, and are two."""
    rects = bordered([72, 110, 200, 260], [720, 706, 692])
    words = [
        Word(74, 74, 710, "A", 0),
        Word(112, 112, 710, "B", 1),
        Word(204, 204, 710, "C", 2),
        Word(90, 210, 696, "1,00xyz", 3),
    ]
    xs = {3: 90, 4: 95, 5: 100, 6: 105, 7: 112, 8: 117, 9: 210}

    table = table_of(rects, words, lambda index: ((index > 6) + (index > 8), xs[index]))

    assert table == Table(("A", "B", "C"), [["1,00", "xy", "z"]])


def test_what_is_too_wide_stays_in_its_cell() -> None:
    """Text that was written as one and reaches over a border belongs to where most of it is."""
    rects = bordered([72, 110, 200], [720, 706, 692])
    words = [
        Word(74, 74, 710, "A", 0),
        Word(112, 112, 710, "B", 1),
        Word(74, 114, 696, "12345", 2),
    ]

    table = table_of(rects, words, lambda index: (0, 74 + (index - 2) * 10))

    assert table == Table(("A", "B"), [["12345", ""]])


def test_text_outside_is_loose() -> None:
    """What stands in no cell belongs to none: a footer under the table, say."""
    words = [
        Word(74, 74, 710, "A", 0),
        Word(74, 90, 650, "Count=1", 1),
        Word(500, 510, 700, "note", 9),
    ]

    table = table_of(bordered([72, 110], [720, 706]), words, no_glyph)

    assert table == Table(("A",), [], "Count=1 note")


def test_a_wide_summary_makes_no_column() -> None:
    """Columns are where the header has borders; a summary below may have others."""
    rects = [
        *bordered([72, 110, 200], [720, 706, 692]),
        (150.0, 678.0, 150.5, 692.0),
        (72.0, 677.75, 200.0, 678.25),
    ]
    words = [
        Word(74, 74, 710, "A", 0),
        Word(112, 112, 710, "B", 1),
        Word(74, 90, 682, "Count=1", 3),
    ]

    table = table_of(rects, words, no_glyph)

    assert table == Table(("A", "B"), [["", ""], ["Count=1", ""]])


def test_one_box_around_the_header_parts_no_columns() -> None:
    """Where the header is one filled box, the borders of the rows say where columns are."""
    rects = [
        (72.0, 706.0, 200.0, 720.0),
        *bordered([72, 110, 200], [706, 692]),
    ]
    words = [Word(74, 74, 710, "A", 0), Word(112, 112, 710, "B", 1), Word(74, 74, 696, "1", 2)]

    assert table_of(rects, words, no_glyph) == Table(("A", "B"), [["1", ""]])


def test_no_table() -> None:
    """A page without borders or without text holds no table; a background is none."""
    word = Word(74, 74, 710, "A", 0)

    assert table_of([], [word], no_glyph) is None
    assert table_of(bordered([72, 110], [720, 706]), [], no_glyph) is None
    assert table_of([(0.0, 0.0, 612.0, 792.0)], [word], no_glyph) is None
    assert table_of([(72.0, 720.0, 90.0, 720.5), (72, 700, 90, 700.5)], [word], no_glyph) is None


def test_edges_of_a_grid() -> None:
    """Outside of the outermost edges there is neither row nor column."""
    grid = Grid(bordered([72, 110, 200], [720, 706, 692]))

    assert [grid.row(y) for y in (730, 710, 700, 680)] == [-1, 0, 1, -1]
    assert [grid.column(x) for x in (60, 80, 120, 210)] == [-1, 0, 1, -1]
