"""The audit log: who did what and when, narrowed and page by page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, render_template, request
from marshmallow import EXCLUDE, ValidationError

from archibald_sync.domain.access import AuditOutcome
from archibald_sync.domain.models import Role
from archibald_sync.errors import InvalidInputError
from archibald_sync.web.access_schemas import AuditQuerySchema
from archibald_sync.web.audit import audit_filter
from archibald_sync.web.auditing import action_of
from archibald_sync.web.context import services
from archibald_sync.web.pages.admin.acts import act_words, outcome_words
from archibald_sync.web.pages.layout import GENERAL
from archibald_sync.web.security import declared_permission, requires

bp = Blueprint("audit", __name__, url_prefix="/audit")

_READS = {"GET", "HEAD", "OPTIONS"}
_RENEWAL = "auth.refresh"
_FILTERS = ("actor", "action", "target", "outcome", "since", "until")
# Acts that are no route: a token or key that was refused, a token made by the command line.
_OTHERS = ("authenticate", "token")


@bp.get("")
@requires(Role.ADMIN)
def index() -> str:
    """Show a page of the log."""
    query = _query()
    wanted, limit = audit_filter(query), query["limit"]
    found = services().access.audit.page(wanted, limit + 1, query["before"])
    return render_template(
        "page/admin_audit.html",
        entries=found[:limit],
        before=found[limit - 1].id if len(found) > limit else None,
        is_first=query["before"] is None,
        filters=_filters(query),
        has_renewals=query["renewals"],
        acts=_acts(query["action"]),
        names=[one.name for one in services().accounts.users()],
        act_words=act_words,
        outcomes=list(AuditOutcome),
        outcome_words=outcome_words,
    )


def _filters(query: dict[str, Any]) -> dict[str, Any]:
    """Return what narrows, for the addresses of the other pages of the log."""
    filters = {name: query[name] for name in _FILTERS if query[name] is not None}
    return {**filters, "renewals": "true"} if query["renewals"] else filters


def _query() -> dict[str, Any]:
    """Return the query as the API reads it; a field that was left empty is none.

    Logins that went on are left out unless they are asked for: they would hide the rest.

    Raises:
        InvalidInputError: A value does not fit.
    """
    given = {name: value for name, value in request.args.items() if value}
    given.setdefault("renewals", str(given.get("action") == _RENEWAL).lower())
    try:
        query: dict[str, Any] = AuditQuerySchema(unknown=EXCLUDE).load(given)
    except ValidationError as exc:
        field, texts = next(iter(exc.messages_dict.items()))
        raise InvalidInputError(field, ", ".join(texts)) from exc
    return query


def _acts(chosen: str | None) -> list[str]:
    """Return the names of all acts that a route can be, and the one that is asked for."""
    found = {
        action_of(rule.endpoint)
        for rule in current_app.url_map.iter_rules()
        if (rule.methods or set()) - _READS
        and not rule.endpoint.startswith(GENERAL)
        and declared_permission(current_app.view_functions[rule.endpoint])
    }
    return sorted({*found, *_OTHERS, *([chosen] if chosen else [])}, key=act_words)
