"""`status` and `history`: what the rows say, from any process."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from archibald_sync.cli.instance import opened_services, resource_option
from archibald_sync.cli.output import (
    described,
    echo_json,
    echo_pairs,
    echo_table,
    instant,
    json_option,
    plain,
    seconds,
)
from archibald_sync.domain.models import SessionStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

_HISTORY = ("STARTED", "STATUS", "MODE", "TRY", "TOOK", "READ", "NEW", "CHANGED", "GONE", "MESSAGE")


@click.command()
@resource_option
@click.option("--watch", is_flag=True, help="Go on showing it until Ctrl-C.")
@json_option
def status(resource: str, *, watch: bool, as_json: bool) -> None:
    """Show how the sync stands."""
    with opened_services() as services:
        if watch:
            import_module("archibald_sync.cli.watching").watch(services, resource, as_json=as_json)
            return
        found = services.resources[resource].monitoring.status()
    if as_json:
        echo_json(found)
        return
    reason = f": {plain(found['reason'])}" if found["reason"] else ""
    click.echo(f"{resource} {found['state']}{reason}")
    echo_pairs(described(found))


@click.command()
@resource_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option(
    "--status",
    "wanted",
    type=click.Choice([one.value for one in SessionStatus]),
    help="Only sessions that ended so.",
)
@json_option
def history(resource: str, limit: int, wanted: str | None, *, as_json: bool) -> None:
    """Show the last sessions.

    A session is one attempt of a run; the newest stands first.
    """
    with opened_services() as services:
        sessions = services.resources[resource].monitoring.history(limit, status=wanted)
    if as_json:
        echo_json(sessions)
    elif sessions:
        echo_table(_HISTORY, map(_row, sessions))
    else:
        click.echo("There are no such sessions.")


def _row(session: Mapping[str, Any]) -> tuple[object, ...]:
    ended = session["completedAt"]
    return (
        instant(session["startedAt"]),
        session["status"],
        session["syncMode"],
        session["attempt"],
        seconds(None if ended is None else ended - session["startedAt"]),
        session["itemsProcessed"],
        session["itemsCreated"],
        session["itemsUpdated"],
        session["itemsDeleted"],
        session["errorMessage"] or ("unchanged, says the source" if session["isShortcut"] else ""),
    )
