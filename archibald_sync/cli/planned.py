"""A plan that was not applied, entry by entry, as lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from archibald_sync.cli.output import plain
from archibald_sync.domain.models import PlanKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archibald_sync.services.monitoring import MonitoringService

_PAGE = 500


def echo_plan(monitoring: MonitoringService, run_id: str) -> None:
    """Print every entry of the plan of a dry or held run, a line each.

    Raises:
        NotFoundError: Its plan is not kept.
    """
    for kind in PlanKind:
        for entry in _entries(monitoring, run_id, kind):
            click.echo(plain(_line(kind, entry)))


def _entries(
    monitoring: MonitoringService, run_id: str, kind: PlanKind
) -> Iterator[Mapping[str, Any]]:
    start: int | None = 0
    while start is not None:
        entries, start = monitoring.plan_page(run_id, kind, start, _PAGE)
        yield from entries


def _line(kind: PlanKind, entry: Mapping[str, Any]) -> str:
    if kind is PlanKind.CREATED:
        values = (f"{name} {_value(value)}" for name, value in entry["values"].items())
        return f"+ {entry['id']}: {', '.join(values)}"
    if kind is PlanKind.UPDATED:
        changes = (
            f"{c['field']} {_value(c['old'])} -> {_value(c['new'])}" for c in entry["changes"]
        )
        return f"~ {entry['id']}: {', '.join(changes)}"
    if kind is PlanKind.MISSING:
        fate = "deleted" if entry["isDeleted"] else "missing, kept for now"
        return f"- {entry['id']}: {fate}"
    if kind is PlanKind.RENAMED:
        return f"= {entry['id']}: renamed from {entry['from']}"
    if kind is PlanKind.RESTORED:
        return f"^ {entry['id']}: restored"
    return f"! row {entry['row']}: {entry['field']} {entry['value']}: {entry['reason']}"


def _value(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
