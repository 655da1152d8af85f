"""`sync`: one run in the foreground, here or in the service that owns the resource."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from archibald_sync import logs
from archibald_sync.bootstrap import build_driver
from archibald_sync.cli.exits import OUTCOMES, ExitCode
from archibald_sync.cli.instance import (
    audited,
    has_terminal,
    opened_services,
    requester,
    resource_option,
)
from archibald_sync.cli.output import plain, seconds
from archibald_sync.cli.planned import echo_plan
from archibald_sync.cli.progress import RunProgress
from archibald_sync.domain.models import IntentKind, IntentState, RunOutcome, Trigger
from archibald_sync.domain.policy import OWNER_LEASE_TTL_S
from archibald_sync.errors import ConfigError, RefusedError, SyncInProgressError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from archibald_sync.bootstrap import ResourceServices, Services
    from archibald_sync.domain.models import Intent
    from archibald_sync.scheduler.driver import Driver

    Run = Mapping[str, Any]
    Wish = Callable[[ResourceServices], Intent]

_POLL_S = 0.2
# A stopped process keeps its lease until that runs out; then we are the owner.
_OWNER_WAIT_S = OWNER_LEASE_TTL_S + 10


@click.command()
@resource_option
@click.option("--no-progress", is_flag=True, help="Draw no progress bar.")
@click.option("--dry-run", is_flag=True, help="Only make the plan; write nothing.")
@click.option("--diff", is_flag=True, help="With --dry-run: print every entry of the plan.")
def sync(resource: str, *, no_progress: bool, dry_run: bool, diff: bool) -> None:
    """Run one sync in the foreground.

    Where a service owns the resource it does the work, and this command follows it; a
    run that is at work already is followed, too. Ctrl-C ends a run of this process; it
    does not end one of the service.

    The exit code tells the outcome: 0 completed, 1 failed, 3 held, 4 cancelled or
    interrupted, 5 nobody took it on.
    """
    if diff and not dry_run:
        raise click.UsageError("--diff shows the plan of a dry run: add --dry-run")

    def wish(asked: ResourceServices) -> Intent:
        return asked.schedule.run_now(requester(), is_dry_run=dry_run)

    run_in_foreground(resource, wish, no_progress=no_progress, has_diff=diff)


def run_in_foreground(
    resource: str, wish: Wish, *, no_progress: bool, has_diff: bool = False
) -> None:
    """Ask for a run, follow it to its end, and end with its exit code.

    Where no service owns the resource, this process drives it meanwhile.
    """
    with opened_services() as services, _terminable():
        logs.configure(services.settings.log_format)
        asked = services.resources[resource]
        driver = _own_driver(services, asked)
        run_id = None
        try:
            if driver is not None:
                driver.start()
            with audited(services, f"{resource}.run"):
                run_id, is_others = _ask(asked, wish)
            if is_others:
                click.echo(f"Run {run_id} is at work already; following it.", err=True)
            _follow(asked, run_id, has_bar=has_terminal() and not no_progress)
        except KeyboardInterrupt:
            if run_id and not (driver and driver.is_owner):
                click.echo("No longer following; the run goes on in the service.", err=True)
                sys.exit(ExitCode.CANCELLED)
            click.echo("Ending the run …", err=True)
        finally:
            if driver is not None:
                driver.stop()
        # A run that we broke off has its outcome only now.
        run = asked.monitoring.run(run_id) if run_id else None
        if has_diff and run and run["isDryRun"] and run["outcome"] == RunOutcome.COMPLETED:
            echo_plan(asked.monitoring, run["id"])
        _finish(run)


def _own_driver(services: Services, asked: ResourceServices) -> Driver | None:
    """Return our own part in driving; None where only the service knows the source.

    Raises:
        ConfigError: ``source.toml`` is missing or wrong, and no service runs.
    """
    try:
        return build_driver(services, asked.resource, has_schedule=False)
    except ConfigError:
        # A service that reads from the demo ERP has no source.toml in the instance.
        if asked.monitoring.is_driven():
            return None
        raise


def _ask(asked: ResourceServices, wish: Wish) -> tuple[str, bool]:
    """Ask for a run; return its id, or that of one at work already, and whether it is that.

    Raises:
        SyncInProgressError: A run is at work, and following it would answer another wish.
        RefusedError: The owner refused.
    """
    intent = wish(asked)
    if intent.state is IntentState.PENDING:
        click.echo("Waiting for the owner to answer …", err=True)
        intent = asked.schedule.answer(intent, _OWNER_WAIT_S)
    result = intent.result or {}
    if "detail" in result:
        raise RefusedError(str(result["reason"]), str(result["detail"]))
    if "runId" not in result:
        click.echo("skipped: no process has taken the run on", err=True)
        sys.exit(ExitCode.NOT_DONE)
    run_id, is_others = str(result["runId"]), intent.state is IntentState.REJECTED
    if is_others and not _is_plain_run(intent):
        raise SyncInProgressError(run_id)
    return run_id, is_others


def _is_plain_run(intent: Intent) -> bool:
    return intent.kind is IntentKind.RUN and not intent.parameters.get("dryRun")


def _follow(asked: ResourceServices, run_id: str, *, has_bar: bool) -> None:
    """Return when the run has ended; show how far it is until then."""
    shown = RunProgress() if has_bar else nullcontext()
    with shown as bar:
        if bar is None:
            _until_ended(asked, run_id, lambda _run: None)
            return
        # Log lines go through the bar's own stream now, and stand above it.
        logs.configure("text")
        _until_ended(asked, run_id, bar.show)


def _until_ended(asked: ResourceServices, run_id: str, show: Callable[[Run], None]) -> None:
    pause = threading.Event()
    while True:
        run = asked.monitoring.run(run_id)
        if run is not None:
            show(run)
            if run["outcome"] is not None:
                return
        pause.wait(_POLL_S)


def _finish(run: Run | None) -> None:
    """Say how the run ended, in words and with the exit code; None: none is known."""
    if run is None:
        click.echo("interrupted: before the owner had answered", err=True)
        sys.exit(ExitCode.CANCELLED)
    outcome = RunOutcome(run["outcome"] or RunOutcome.INTERRUPTED)
    if outcome is RunOutcome.COMPLETED:
        click.echo(f"{_done(run)}: {_told(run)}")
        if run["isDryRun"] and run["summary"]["objections"]:
            click.echo(plain(run["detail"]), err=True)
            sys.exit(ExitCode.HELD)
        return
    reason = plain(run["detail"] or run["reason"])
    # Some begin with that word already.
    click.echo(reason if reason.startswith(outcome) else f"{outcome}: {reason}", err=True)
    sys.exit(OUTCOMES[outcome])


def _done(run: Run) -> str:
    if run["trigger"] == Trigger.ROLLBACK:
        return "rolled back"
    return "dry run" if run["isDryRun"] else "completed"


def _told(run: Run) -> str:
    session = run["sessions"][-1]
    if session["isShortcut"]:
        return plain(run["detail"])
    names = ("Created", "Updated", "Deleted", "Restored", "Unchanged", "Rejected")
    counts = [f"{session[f'items{name}'] or 0} {name.lower()}" for name in names]
    took = seconds(session["completedAt"] - session["startedAt"])
    return f"{session['itemsProcessed']} read, {', '.join(counts)}, in {took}"


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM inside the block be what Ctrl-C is."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
