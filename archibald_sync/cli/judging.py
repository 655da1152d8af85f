"""`approve`: what an admin does about a judgement."""

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
