"""`start` and `stop`: ask the owner, and say truthfully what became of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from archibald_sync.cli.exits import ExitCode
from archibald_sync.cli.instance import audited, opened_services, requester, resource_option
from archibald_sync.cli.output import instant
from archibald_sync.domain.models import IntentState
from archibald_sync.domain.policy import MAX_INTERVAL_MINUTES, MIN_INTERVAL_MINUTES

if TYPE_CHECKING:
    from archibald_sync.domain.models import Intent


@click.command()
@resource_option
@click.option(
    "--interval",
    "interval_minutes",
    type=click.IntRange(MIN_INTERVAL_MINUTES, MAX_INTERVAL_MINUTES),
    help="Minutes between runs; else ARCHIBALD_SYNC_INTERVAL_MINUTES.",
)
def start(resource: str, interval_minutes: int | None) -> None:
    """Start the automatic sync.

    Where it is started already, only the interval changes.
    """
    with opened_services() as services:
        interval = interval_minutes or services.settings.sync_interval_minutes
        with audited(services, f"{resource}.start", intervalMinutes=interval):
            intent = services.resources[resource].schedule.start(interval, requester())
        _require_applied(intent, resource)
        due = services.resources[resource].monitoring.status()["nextRunAt"]
    click.echo(f"Auto-sync of {resource} runs every {interval} minutes, next at {instant(due)}.")


@click.command()
@resource_option
@click.option("--cancel", is_flag=True, help="End the run that is at work, too.")
def stop(resource: str, *, cancel: bool) -> None:
    """Stop the automatic sync.

    No run begins any more; a run at work may finish, unless --cancel is given.
    """
    with opened_services() as services, audited(services, f"{resource}.stop", cancel=cancel):
        intent = services.resources[resource].schedule.stop(requester(), cancel=cancel)
    _require_applied(intent, resource)
    click.echo(f"Auto-sync of {resource} is stopped.")


def _require_applied(intent: Intent, resource: str) -> None:
    """End with a message and a code of its own unless the owner has carried it out."""
    if intent.state is IntentState.APPLIED:
        return
    click.echo(
        f"Not applied yet: no service that drives {resource} has answered. The wish is "
        "recorded and is carried out when one runs; its own boot comes after it.",
        err=True,
    )
    sys.exit(ExitCode.NOT_DONE)
