"""`approve` and `rollback`: what an admin does about a judgement, or the lack of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archibald_sync.cli.instance import requester, resource_option
from archibald_sync.cli.syncing import run_in_foreground

if TYPE_CHECKING:
    from archibald_sync.bootstrap import ResourceServices
    from archibald_sync.domain.models import Intent


@click.command()
@resource_option
@click.option("--no-progress", is_flag=True, help="Draw no progress bar.")
@click.argument("run_id")
def approve(resource: str, run_id: str, *, no_progress: bool) -> None:
    """Approve a held plan, once.

    A new run begins, which may pass exactly the guards that held RUN_ID, if its plan is
    within 1 % of the held one in each count. It is followed as `sync` does, with the
    same exit codes; 5 where RUN_ID cannot be approved.
    """

    def wish(asked: ResourceServices) -> Intent:
        return asked.schedule.approve(run_id, requester())

    run_in_foreground(resource, wish, no_progress=no_progress)


@click.command()
@resource_option
@click.option("--session", "session_id", required=True, help="The session to undo.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-schedule", is_flag=True, help="Let the automatic sync go on.")
@click.option("--no-progress", is_flag=True, help="Draw no progress bar.")
def rollback(
    resource: str, session_id: str, *, yes: bool, keep_schedule: bool, no_progress: bool
) -> None:
    """Restore the catalogue as it was before a session.

    All changes of that session and of every later one are undone, as a new session. The
    next sync brings the state of the source back: so the automatic sync is stopped,
    unless --keep-schedule is given.
    """
    if not yes:
        click.confirm(_warning(resource, session_id, keep_schedule=keep_schedule), abort=True)

    def wish(asked: ResourceServices) -> Intent:
        by = requester()
        return asked.schedule.roll_back(session_id, by, keeps_schedule=keep_schedule)

    run_in_foreground(resource, wish, no_progress=no_progress)
    if not keep_schedule:
        click.echo("Auto-sync is stopped. `archibald-sync start` starts it again.", err=True)
    click.echo("The next sync brings the state of the source back.", err=True)


def _warning(resource: str, session_id: str, *, keep_schedule: bool) -> str:
    then = "goes on and soon undoes this" if keep_schedule else "is stopped"
    return f"Undo session {session_id} of {resource} and every later one? The automatic sync {then}"
