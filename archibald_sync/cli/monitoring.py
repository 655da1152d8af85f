"""`status` and `history`: what the rows say, from any process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from archibald_sync.cli.instance import opened_services, resource_option
from archibald_sync.cli.output import (
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
    from collections.abc import Iterator, Mapping

_HISTORY = ("STARTED", "STATUS", "MODE", "TRY", "TOOK", "READ", "NEW", "CHANGED", "GONE", "MESSAGE")


@click.command()
@resource_option
@json_option
def status(resource: str, *, as_json: bool) -> None:
    """Show how the sync stands."""
    with opened_services() as services:
        found = services.resources[resource].monitoring.status()
    if as_json:
        echo_json(found)
        return
    reason = f": {plain(found['reason'])}" if found["reason"] else ""
    click.echo(f"{resource} {found['state']}{reason}")
    echo_pairs(_described(found))


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


def _described(found: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    yield "auto-sync", f"{found['autoSync']}, every {found['intervalMinutes']} minutes"
    yield "next run", instant(found["nextRunAt"])
    yield "last checked", instant(found["lastCheckedAt"])
    yield "last success", f"{instant(found['lastSuccessAt'])} ({found['freshness']})"
    yield "last verified", instant(found["lastVerifiedAt"])
    yield "last change", instant(found["lastChangeAt"])
    yield "records", ", ".join(f"{count} {kind}" for kind, count in found["records"].items())
    yield "owner", _owner(found["owner"])
    if found["progress"]:
        yield "progress", _progress(found["progress"])
    for lease in found["priority"]:
        yield "priority", f"{lease['owner']} until {instant(lease['expiresAt'])}: {lease['reason']}"


def _owner(owner: Mapping[str, Any] | None) -> str:
    if owner is None:
        return "-"
    if not owner["isLive"]:
        return f"none; the last was {owner['name']}"
    age = seconds(owner["heartbeatAgeMs"])
    return f"{owner['name']}, epoch {owner['epoch']}, heartbeat {age} ago"


def _progress(progress: Mapping[str, Any]) -> str:
    pages = f"{progress['pages'] or 0}/{progress['totalPages'] or '?'} pages"
    rows = f"{progress['items'] or 0}/{progress['totalItems'] or '?'} rows"
    return f"{progress['stage']}, {pages}, {rows}, attempt {progress['attempt']}"
