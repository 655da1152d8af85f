"""`status --watch`: how the sync stands, for as long as somebody looks.

In a terminal it is drawn again and again; elsewhere each change is a line.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from archibald_sync.cli.output import described, instant, plain, progress_line, seconds
from archibald_sync.cli.signals import until_told_to_end
from archibald_sync.errors import ArchibaldSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rich.console import RenderableType

    from archibald_sync.bootstrap import Services
    from archibald_sync.services.feed import Happening, Listener

_LOOK_S = 0.25
_LAST_RUNS = 5
_BAR_WIDTH = 40
_STYLES = {
    "running": "cyan",
    "idle": "green",
    "completed": "green",
    "paused": "yellow",
    "held": "yellow",
    "stale": "yellow",
    "failing": "red",
    "failed": "red",
    "interrupted": "red",
}


def watch(services: Services, resource: str, *, as_json: bool) -> None:
    """Show the status of ``resource`` again whenever it changes, until told to end.

    Raises:
        ArchibaldSyncError: The status can no longer be read.
    """
    listener = services.resources[resource].feed.listen()
    try:
        with until_told_to_end():
            if as_json:
                _print_each(listener, lambda found: json.dumps(found, ensure_ascii=False))
            elif sys.stdout.isatty():
                _draw(services, resource, listener)
            else:
                _print_each(listener, lambda found: line_of(resource, found))
    finally:
        listener.close()


def line_of(resource: str, found: Mapping[str, Any]) -> str:
    """Return a status on one line, without the time of the question."""
    reason = f": {plain(found['reason'])}" if found["reason"] else ""
    parts = [f"{resource} {found['state']}{reason}"]
    if found["progress"]:
        parts.append(progress_line(found["progress"]))
    if found["currentRun"] and found["currentRun"]["nextAttemptAt"]:
        parts.append(f"next attempt at {instant(found['currentRun']['nextAttemptAt'])}")
    elif not found["progress"]:
        parts.append(f"next run at {instant(found['nextRunAt'])}")
    return "; ".join(parts)


def view_of(
    resource: str, found: Mapping[str, Any], runs: Sequence[Mapping[str, Any]], now: int
) -> RenderableType:
    """Return a status as a terminal shows it at ``now``."""
    head = Text.assemble(
        (f"{resource} {found['state']}", f"bold {_STYLES.get(found['state'], '')}")
    )
    if found["reason"]:
        head.append(f": {plain(found['reason'])}")
    pairs = Table.grid(padding=(0, 2))
    for name, value in (*_countdowns(found, now), *described(found)):
        pairs.add_row(Text(f"  {name}", "dim"), Text(plain(value)))
    return Group(head, *_bar(found["progress"]), pairs, *_outcomes(runs))


def _countdowns(found: Mapping[str, Any], now: int) -> Iterator[tuple[str, str]]:
    """Yield what is awaited, and in how long it will come."""
    run, progress = found["currentRun"], found["progress"]
    if run and run["nextAttemptAt"]:
        attempt = f"attempt {run['attempt'] + 1} of {run['maxAttempts']}"
        yield "then", f"{attempt} in {_left(run['nextAttemptAt'], now)}"
    elif progress:
        yield "since", seconds(max(now - progress["startedAt"], 0))
        if progress["etaAt"]:
            yield "probably ends", f"in {_left(progress['etaAt'], now)}"
    elif found["nextRunAt"]:
        yield "runs", f"in {_left(found['nextRunAt'], now)}"


def _left(at_ms: int, now: int) -> str:
    """Return the time until an instant as minutes and seconds."""
    minutes, rest = divmod(max(round((at_ms - now) / 1000), 0), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _bar(progress: Mapping[str, Any] | None) -> Iterator[RenderableType]:
    if progress is None:
        return
    for done, total in (("items", "totalItems"), ("pages", "totalPages")):
        if progress[total]:
            yield ProgressBar(progress[total], progress[done] or 0, width=_BAR_WIDTH)
            return


def _outcomes(runs: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    if not runs:
        return
    table = Table("STARTED", "OUTCOME", "TOOK", "TRY", "NEW", "CHANGED", "GONE", "WHY", box=None)
    for run in runs:
        outcome = run["outcome"] or "at work"
        cells = (
            seconds(run["durationMs"]),
            run["attempts"],
            run["itemsCreated"],
            run["itemsUpdated"],
            run["itemsDeleted"],
            run["detail"] or "",
        )
        table.add_row(
            instant(run["startedAt"]),
            Text(outcome, _STYLES.get(outcome, "")),
            *(Text(plain(cell)) for cell in cells),
        )
    yield Text()
    yield table


def _draw(services: Services, resource: str, listener: Listener) -> None:
    overview = services.resources[resource].overview
    with Live(Text("…"), console=Console(), auto_refresh=False) as live:
        status: Mapping[str, Any] | None = None
        runs: Sequence[Mapping[str, Any]] = ()
        for happening in _happenings(listener):
            if happening is not None:
                status, runs = happening.status, overview.runs(_LAST_RUNS)
            if status is not None:
                now = services.clock.now_ms()
                live.update(view_of(resource, status, runs, now), refresh=True)


def _print_each(listener: Listener, text_of: Any) -> None:  # noqa: ANN401  # a function of a status
    """Print each status that differs from the one before."""
    before = None
    for happening in _happenings(listener):
        if happening is not None and (text := text_of(happening.status)) != before:
            before = text
            click.echo(text)
            sys.stdout.flush()


def _happenings(listener: Listener) -> Iterator[Happening | None]:
    """Yield each change, and None several times a second while there is none.

    Raises:
        ArchibaldSyncError: There will be no more.
    """
    while not listener.is_over:
        yield listener.wait(_LOOK_S)
    raise ArchibaldSyncError("the status can no longer be read; its error stands above")
