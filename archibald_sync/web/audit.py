"""Reading the audit log: for admins."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from flask import Response

from archibald_sync.domain.access import AuditFilter, AuditOutcome
from archibald_sync.domain.models import Role
from archibald_sync.web import access_schemas as schemas
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import services
from archibald_sync.web.csv_cells import safe_cell
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from archibald_sync.domain.access import AuditEntry

bp = Blueprint("audit", __name__, url_prefix="/api", description="What was done, and by whom")

_COLUMNS = (
    "id",
    "at",
    "actor",
    "actorKind",
    "action",
    "target",
    "outcome",
    "detail",
    "address",
    "requestId",
)


@bp.route("/audit")
@requires(Role.ADMIN)
@bp.arguments(schemas.AuditQuerySchema, location="query")
@bp.response(200, schemas.EntriesSchema)
@bp.doc(responses=problem_responses(400))
def show(query: dict[str, Any]) -> dict[str, Any]:
    """Entries of the audit log, the newest first, page by page."""
    limit = query["limit"]
    found = services().access.audit.page(audit_filter(query), limit + 1, query["before"])
    shown = found[:limit]
    following = shown[-1].id if len(found) > limit else None
    return {"entries": [_shown(entry) for entry in shown], "next": following}


@bp.route("/audit.csv")
@requires(Role.ADMIN)
@bp.arguments(schemas.AuditFilterSchema, location="query")
@bp.response(200, {"type": "string"}, content_type="text/csv")
@bp.doc(responses=problem_responses(400))
def export(query: dict[str, Any]) -> Response:
    """Export the audit log for a spreadsheet, the newest first, in UTF-8."""
    lines = _lines(services().access.audit.walk(audit_filter(query)))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(lines, headers=headers, content_type="text/csv; charset=utf-8")


def audit_filter(query: dict[str, Any]) -> AuditFilter:
    """Return which entries are wanted, of a query that ``AuditFilterSchema`` has loaded."""
    outcome = query["outcome"]
    return AuditFilter(
        actor=query["actor"],
        action=query["action"],
        target=query["target"],
        outcome=AuditOutcome(outcome) if outcome else None,
        since_at=query["since"],
        until_at=query["until"],
        has_renewals=query["renewals"],
    )


def _shown(entry: AuditEntry) -> dict[str, Any]:
    act = entry.act
    return {
        "id": entry.id,
        "at": entry.at,
        "actor": act.actor,
        "actorKind": act.kind,
        "action": act.action,
        "target": act.target,
        "outcome": act.outcome,
        "detail": act.detail,
        "address": act.address,
        "requestId": act.request_id,
    }


def _lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """Write a header and a line an entry, one at a time."""
    line = io.StringIO()
    writer = csv.writer(line)
    for row in _rows(entries):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _rows(entries: Iterable[AuditEntry]) -> Iterator[Iterable[object]]:
    yield _COLUMNS
    for entry in entries:
        shown = _shown(entry)
        yield (_cell(shown[column]) for column in _COLUMNS)


def _cell(value: object) -> object:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    if value is None or isinstance(value, int):
        return value
    text = str(value)
    if isinstance(value, dict):
        text = "; ".join(f"{name}={one}" for name, one in value.items())
    return safe_cell(text)
