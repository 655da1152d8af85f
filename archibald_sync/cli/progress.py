"""A run at work, as a progress bar: pages, rows, rate, time left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from rich.progress import Task


class _RateColumn(ProgressColumn):
    """Rows a second."""

    def render(self, task: Task) -> Text:
        """Return the rate, or nothing while it is unknown."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "")


class RunProgress:
    """Shows the row of a run and its sessions again and again; a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        """Draw on ``console``, else on standard error, which leaves the answer alone."""
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[pages]}  {task.fields[rows]}"),
            _RateColumn(),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
        )
        self._task = self._bar.add_task("waiting", total=None, pages="", rows="")
        self._session_id: str | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Draw for the last time."""
        self._bar.stop()

    def show(self, run: Mapping[str, Any]) -> None:
        """Draw how far ``run``, as `MonitoringService.run` returns it, has come."""
        if not run["sessions"]:
            self._bar.update(self._task, description="waiting for a priority lease to end")
            return
        session = run["sessions"][-1]
        if session["id"] != self._session_id:
            self._session_id = session["id"]
            self._bar.reset(self._task, total=None)
        rows = session["itemsProcessed"] or 0
        self._bar.update(
            self._task,
            description=_description(session),
            completed=rows,
            total=_expected_rows(session),
            pages=_share(session["pagesProcessed"], session["totalPages"], "pages"),
            rows=_share(rows, session["totalItems"], "rows"),
        )


def _description(session: Mapping[str, Any]) -> str:
    doing = session["stage"] if session["status"] == "running" else session["status"]
    return f"attempt {session['attempt']}: {doing}"


def _share(done: int | None, total: int | None, unit: str) -> str:
    return f"{done or 0:,}/{total:,} {unit}" if total else f"{done or 0:,} {unit}"


def _expected_rows(session: Mapping[str, Any]) -> float | None:
    """Return the declared number of rows, else what the pages so far let expect."""
    if session["totalItems"]:
        return float(session["totalItems"])
    pages, rows = session["pagesProcessed"], session["itemsProcessed"]
    if session["totalPages"] and pages and rows:
        return float(rows * session["totalPages"] / pages)
    return None
