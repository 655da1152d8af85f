"""How answers look: text that cannot steer a terminal, columns, instants, progress."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from rich.console import Console

from archibald_sync.cli.output import echo_pairs, echo_table, instant, plain, seconds
from archibald_sync.cli.progress import RunProgress

if TYPE_CHECKING:
    import pytest


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    """Escape sequences and line breaks in a value become spaces."""
    assert plain("a\x1b[31mb\nc\u202ed") == "a [31mb c d"
    assert plain(None) == "-"
    assert plain(0) == "0"


def test_instants_carry_their_offset() -> None:
    """An instant is unambiguous, whatever the time zone of the reader."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d", instant(1_705_678_900_000))
    assert instant(None) == "-"
    assert seconds(55_040) == "55.0 s"
    assert seconds(None) == "-"


def test_tables_align(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns stand under their headers, and no line ends in spaces."""
    echo_table(("NAME", "ROLE"), [("anna", "viewer"), ("b", "admin")])
    echo_pairs([("owner", None), ("x", 1)])

    assert capsys.readouterr().out == (
        "NAME  ROLE\nanna  viewer\nb     admin\n  owner  -\n  x      1\n"
    )


def run_of(**session: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a run at work with one session."""
    defaults: dict[str, Any] = {
        "id": "s1",
        "attempt": 1,
        "stage": "download",
        "status": "running",
        "itemsProcessed": 1500,
        "totalItems": 4540,
        "pagesProcessed": 3,
        "totalPages": 10,
    }
    return {"sessions": [{**defaults, **session}]}


def drawn(*runs: dict[str, Any]) -> str:
    """Return the last picture of a progress bar that was shown ``runs``."""
    console = Console(file=io.StringIO(), width=120, force_terminal=False)
    with RunProgress(console) as bar:
        for run in runs:
            bar.show(run)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_progress_shows_pages_and_rows() -> None:
    """The bar tells the stage, the pages and the rows, and how many there will be."""
    picture = drawn(run_of())

    assert "attempt 1: download" in picture
    assert "3/10 pages" in picture
    assert "1,500/4,540 rows" in picture


def test_progress_expects_rows_from_pages() -> None:
    """Where the ERP declares no total, the bar goes by the pages."""
    picture = drawn(run_of(totalItems=None))

    assert "1,500 rows" in picture
    assert "3/10 pages" in picture


def test_progress_without_any_total() -> None:
    """Nothing is invented where nothing is known."""
    picture = drawn(run_of(totalItems=None, totalPages=None, itemsProcessed=None))

    assert "3 pages" in picture
    assert "0 rows" in picture


def test_progress_waits_for_priority() -> None:
    """A run without a session says what it waits for."""
    assert "waiting for a priority lease to end" in drawn({"sessions": []})


def test_progress_follows_the_next_attempt() -> None:
    """A second attempt begins at zero; the end of one is told."""
    second = run_of(id="s2", attempt=2, status="completed", itemsProcessed=4540)

    assert "attempt 2: completed" in drawn(run_of(), second)
