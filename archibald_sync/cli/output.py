"""How answers look: lines for people, JSON for programs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

json_option = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def echo_json(value: object) -> None:
    """Print ``value`` as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def instant(at_ms: int | None) -> str:
    """Return an instant in local time with its offset, ``-`` for none."""
    if at_ms is None:
        return "-"
    moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone()
    return moment.isoformat(" ", "seconds")


def seconds(duration_ms: int | None) -> str:
    """Return a duration in seconds, ``-`` for none."""
    return "-" if duration_ms is None else f"{duration_ms / 1000:.1f} s"


def plain(value: object) -> str:
    """Return ``value`` on one line, ``-`` for None.

    Control characters give way to spaces: text from outside must not steer a terminal.
    """
    text = "-" if value is None else str(value)
    return "".join(sign if sign.isprintable() else " " for sign in text)


def echo_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values as two columns, indented."""
    lines = list(pairs)
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"  {name:<{width}}  {plain(value)}")


def echo_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; the last column may be as wide as it likes."""
    lines = [tuple(headers), *(tuple(plain(value) for value in row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


def described(found: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Yield a status as names and values for people."""
    yield "auto-sync", f"{found['autoSync']}, every {found['intervalMinutes']} minutes"
    yield "next run", instant(found["nextRunAt"])
    yield "last checked", instant(found["lastCheckedAt"])
    yield "last success", f"{instant(found['lastSuccessAt'])} ({found['freshness']})"
    yield "last verified", instant(found["lastVerifiedAt"])
    yield "last change", instant(found["lastChangeAt"])
    yield "records", ", ".join(f"{count} {kind}" for kind, count in found["records"].items())
    yield "owner", _owner(found["owner"])
    if found["progress"]:
        yield "progress", progress_line(found["progress"])
        yield "probably ends", instant(found["progress"]["etaAt"])
    if found["currentRun"] and found["currentRun"]["nextAttemptAt"]:
        run = found["currentRun"]
        attempt = f"{run['attempt'] + 1} of {run['maxAttempts']}"
        yield "next attempt", f"{attempt}, at {instant(run['nextAttemptAt'])}"
    for lease in found["priority"]:
        yield "priority", f"{lease['owner']} until {instant(lease['expiresAt'])}: {lease['reason']}"


def _owner(owner: Mapping[str, Any] | None) -> str:
    if owner is None:
        return "-"
    if not owner["isLive"]:
        return f"none; the last was {owner['name']}"
    age = seconds(owner["heartbeatAgeMs"])
    return f"{owner['name']}, epoch {owner['epoch']}, heartbeat {age} ago"


def progress_line(progress: Mapping[str, Any]) -> str:
    """Return how far a session has come, on one line."""
    pages = f"{progress['pages'] or 0}/{progress['totalPages'] or '?'} pages"
    rows = f"{progress['items'] or 0}/{progress['totalItems'] or '?'} rows"
    return f"{progress['stage']}, {pages}, {rows}, attempt {progress['attempt']}"
