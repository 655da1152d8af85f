"""Real PDF files, read with PDFium: other fonts and cycles, and files that are damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from archibald_support import SHOWN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reportlab.pdfgen.canvas import Canvas

from archibald_sync.demo.archibald_pdf import Export, drawn, laid_out
from archibald_sync.errors import PermanentSourceError, SourceFormatError
from archibald_sync.services.control import RunControl
from archibald_sync.sources.archibald.pdf import read_pdf
from archibald_sync.sources.child import ChildLimits, read_in_child

if TYPE_CHECKING:
    from pathlib import Path

HEADERS = [(column.italian, column.width) for column in SHOWN]
NAMES = [name for name, _ in HEADERS]


def cells(count: int, width: int) -> list[list[str]]:
    """Return rows in which each cell is another, some are empty and some have odd characters."""
    odd = ("", "179.204. 1", "Ø 3°", "à l'è", "360,65-", "(1.000,00)", "K2-", "a b c d", "x|y")
    return [
        [f"{row:06d}K2" if at == 0 else odd[(row + at) % 9] or f"{row}.{at}" for at in range(width)]
        if row % 3
        else [f"{row:06d}K2", *[""] * (width - 1)]
        for row in range(count)
    ]


def export_to(
    path: Path,
    rows: list[list[str]],
    headers: list[tuple[str, float]] = HEADERS,
    **options: Any,  # noqa: ANN401  # passed on
) -> None:
    """Write an export with numbers at the right in every second column."""
    body = [[(text, at % 2 == 1) for at, text in enumerate(row)] for row in rows]
    footer = f"Count={len(rows):,}".replace(",", ".")
    export = Export(headers, body, footer, **options)
    path.write_bytes(drawn(laid_out(export), export.font))


def read(path: Path, columns: list[str]) -> tuple[tuple[Any, ...], list[list[str]]]:
    """Return what the reader says first, and all records."""
    (head,), *batches = read_pdf(str(path), columns, 1000)
    return head, [list(row) for batch in batches for row in batch]


@pytest.mark.parametrize(("font", "stretch"), [("Times-Roman", 1.0), ("Vera", 1.3)])
def test_every_cell_of_a_file(tmp_path: Path, font: str, stretch: float) -> None:
    """With a font that is embedded in part or not at all, each cell is what was written."""
    rows = cells(60, len(NAMES))
    headers = [(name, width * stretch) for name, width in HEADERS]
    export_to(tmp_path / "a.pdf", rows, headers, font=font)

    head, found = read(tmp_path / "a.pdf", NAMES)

    assert head == (60, 2, ())
    assert found == rows


def test_words_wider_than_their_column(tmp_path: Path) -> None:
    """A word that is broken because its column is narrow is put together again."""
    rows = [[f"{row:03d}", f"H129FSQ.104.023.{row}", "1.234.567.890,00"] for row in range(50)]
    headers = [("ID", 40.0), ("NOME", 52.0), ("SCONTO", 45.0)]
    export_to(tmp_path / "a.pdf", rows, headers)

    assert read(tmp_path / "a.pdf", ["ID", "NOME", "SCONTO"])[1] == rows


@pytest.mark.parametrize(("width", "pages_a_cycle"), [(460, 6), (155, 2), (90, 2), (78, 1)])
def test_any_number_of_pages_a_cycle(tmp_path: Path, width: int, pages_a_cycle: int) -> None:
    """Wide or narrow columns: the cycle is found, however many pages it has."""
    headers = [(name, float(width)) for name in NAMES[:6]]
    rows = cells(100, 6)
    export_to(tmp_path / "a.pdf", rows, headers)

    head, found = read(tmp_path / "a.pdf", NAMES[:6])

    assert found == rows
    assert head[0] == 100
    document = (tmp_path / "a.pdf").read_bytes()
    assert document.count(b"/Type /Page\n") == head[1] * pages_a_cycle


@pytest.mark.parametrize("style", ["one path", "lines", "boxes", "scaled"])
def test_however_borders_are_drawn(tmp_path: Path, style: str) -> None:
    """All borders in one path, as lines or as boxes, or under a transformation: all the same."""
    path, scale = str(tmp_path / "a.pdf"), 0.5 if style == "scaled" else 1.0
    canvas = Canvas(path, pagesize=(612, 792))
    canvas.scale(scale, scale)
    canvas.setFont("Times-Roman", 9.75 / scale)
    rows = [["ID", "NOME"], ["1", "due"], ["3", ""], ["Count=2", ""]]
    borders = canvas.beginPath()
    for number, row in enumerate(rows):
        for at, text in enumerate(row):
            x, y = (72 + 100 * at) / scale, (720 - 13.5 * (number + 1)) / scale
            width, height = 100 / scale, 13.5 / scale
            if style == "boxes":
                canvas.rect(x, y, width, height, stroke=1, fill=0)
            elif style == "lines":
                canvas.line(x, y, x + width, y)
                canvas.line(x, y + height, x + width, y + height)
                canvas.line(x, y, x, y + height)
                canvas.line(x + width, y, x + width, y + height)
            else:
                borders.rect(x, y, width, 0.75)
                borders.rect(x, y + height, width, 0.75)
                borders.rect(x, y, 0.75, height)
                borders.rect(x + width, y, 0.75, height)
            canvas.drawString(x + 2 / scale, y + 3.5 / scale, text)
    canvas.drawPath(borders, stroke=0, fill=1)
    canvas.save()

    assert read(tmp_path / "a.pdf", ["ID", "NOME"])[1] == [["1", "due"], ["3", ""]]


def test_text_that_wraps(tmp_path: Path) -> None:
    """Cells over two and three lines come out as one line, their neighbours stay in their row."""
    text = "Fresa in carburo di tungsteno con punta lunga e gambo corto per laboratorio"
    rows = [[f"{row:06d}K2", text[: 25 * (1 + row % 3)].strip(), "1,00"] for row in range(80)]
    headers = [("ID ARTICOLO", 100.0), ("DESCRIZIONE", 140.0), ("QTÀ", 80.0)]
    export_to(tmp_path / "a.pdf", rows, headers)

    _, found = read(tmp_path / "a.pdf", ["ID ARTICOLO", "QTÀ", "DESCRIZIONE"])

    assert found == [[row[0], row[2], row[1]] for row in rows]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.lists(
            st.text(
                st.sampled_from("aZ09.,-/()[]{}'\"&%*+:;=_àèéìòùÀÈÉÌÒÙ°ØüßñÇ€ "), max_size=9
            ).map(lambda text: " ".join(text.split())),
            min_size=3,
            max_size=3,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_any_text_comes_through(tmp_path: Path, texts: list[list[str]]) -> None:
    """Whatever characters a cell holds, they are read as they were printed."""
    headers = [("ID", 100.0), ("A", 110.0), ("B", 110.0), ("C", 110.0)]
    rows = [[f"{number}", *row] for number, row in enumerate(texts, start=1)]
    export_to(tmp_path / "a.pdf", rows, headers)

    assert read(tmp_path / "a.pdf", ["ID", "A", "B", "C"])[1] == rows


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.4\n%%EOF", b"%PDF-1.4\ntrailer<</Root 1 0 R>>\n%%EOF", b"\0" * 5000]
)
def test_files_that_are_no_pdf(tmp_path: Path, content: bytes) -> None:
    """What PDFium cannot open is called damaged."""
    (tmp_path / "a.pdf").write_bytes(content)

    with pytest.raises(SourceFormatError) as failure:
        read(tmp_path / "a.pdf", NAMES)

    assert failure.value.code == "source_pdf_damaged"


def test_damaged_copies_give_our_errors(tmp_path: Path) -> None:
    """Hundreds of damaged copies: each fails with an error of ours, or is still complete."""
    rows = cells(30, 8)
    export_to(tmp_path / "a.pdf", rows, HEADERS[:8])
    reader = "archibald_fuzz:read_damaged"
    arguments = (str(tmp_path / "a.pdf"), NAMES[:8], 1, 300)

    outcomes = [
        row
        for batch in read_in_child(reader, arguments, ChildLimits(), RunControl())
        for row in batch
    ]

    assert len(outcomes) == 300
    # The first tuple of a reading says what is announced.
    assert {rows_read for code, rows_read in outcomes if code == "complete"} <= {len(rows) + 1}
    assert {code for code, _ in outcomes} > {"source_pdf_damaged", "complete"}


def test_memory_is_limited(tmp_path: Path) -> None:
    """A reader that needs more memory than it may ends with an error that says so."""
    export_to(tmp_path / "a.pdf", cells(30, 8), HEADERS[:8])
    arguments = (str(tmp_path / "a.pdf"), NAMES[:8], 1000)
    reader = "archibald_sync.sources.archibald.pdf:read_pdf"

    with pytest.raises(PermanentSourceError) as failure:
        list(read_in_child(reader, arguments, ChildLimits(memory_bytes=1 << 20), RunControl()))

    assert failure.value.code.startswith("source_reader_")
