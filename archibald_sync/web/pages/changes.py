"""What came, went and changed: by day and by session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request

from archibald_sync.domain.models import Role, SessionStatus
from archibald_sync.domain.reading import ChangeQuery, ChangeSpan
from archibald_sync.errors import InvalidInputError, NotFoundError
from archibald_sync.web.pages.changelog import KINDS, entries
from archibald_sync.web.pages.charts import change_chart
from archibald_sync.web.pages.days import DAY_MS, day_of, start_of
from archibald_sync.web.pages.fields import label_of
from archibald_sync.web.pages.layout import has_page, here, page_url
from archibald_sync.web.pages.records import whole_number
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.web.context import ResourceServices

PAGE_SIZE = 100
_SESSIONS = 200
_MOST_DAYS = 3660
_LAST_ID = 2**62

bp = Blueprint("changes", __name__, url_prefix="/changes")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page is about: one session, else one day, else all; narrowed by kind and field."""

    session: Mapping[str, Any] | None
    day: date | None
    kind: str | None
    field: str | None
    before: int | None

    def choices(self, **changes: Any) -> dict[str, Any]:  # noqa: ANN401  # parts of an address
        """Return the query string that asks the same but for ``changes``; None leaves one out."""
        same = {
            "session": self.session["id"] if self.session else None,
            "day": self.day.isoformat() if self.day else None,
            "kind": self.kind,
            "field": self.field,
        }
        return {name: value for name, value in {**same, **changes}.items() if value is not None}


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show the changes that are asked for, the newest first."""
    its = here()
    asked = _asked(its)
    page = its.catalogue.changes(ChangeQuery(_span(its, asked), asked.kind, asked.field, PAGE_SIZE))
    return render_template(
        "page/changes.html",
        asked=asked,
        kinds=KINDS,
        fields=[(one.name, label_of(one)) for one in its.resource.fields],
        entries=entries(page.changes, its.resource, page.records),
        older=None if page.is_last else page.cursor,
        counts=_counts(its, asked),
        session_url=_session_url(asked),
        sessions=_sessions(its, asked.day) if asked.day else [],
        **_days(its, asked),
    )


def _asked(its: ResourceServices) -> Asked:
    """Return what the query string asks for.

    Raises:
        InvalidInputError: A part of it is no such thing.
        NotFoundError: There is no such session.
    """
    session_id, day = (request.args.get(name, "").strip() for name in ("session", "day"))
    session = its.monitoring.session(session_id) if session_id else None
    if session_id and session is None:
        raise NotFoundError("there is no such session")
    return Asked(
        session,
        day_of("day", day) if day and session is None else None,
        _one_of("kind", KINDS),
        _one_of("field", its.resource.field_names),
        whole_number("before", _LAST_ID),
    )


def _one_of(name: str, known: Sequence[str]) -> str | None:
    value = request.args.get(name, "")
    if value and value not in known:
        raise InvalidInputError(name, f"expected one of {', '.join(known)}")
    return value or None


def _span(its: ResourceServices, asked: Asked) -> ChangeSpan:
    """Return the part of the change log that is asked for, as far as it has not been shown."""
    span = ChangeSpan(0, _LAST_ID)
    if asked.session:
        span = its.catalogue.span_of_session(asked.session)
    elif asked.day:
        start = start_of(asked.day)
        span = its.catalogue.span_between(start, start + DAY_MS)
    return ChangeSpan(span.after, min(span.before, asked.before or span.before))


def _counts(its: ResourceServices, asked: Asked) -> Mapping[str, int] | None:
    """Return how many records changed, by kind; None where nobody has counted that."""
    if asked.session:
        row = asked.session
        return {kind: row[f"items{kind.capitalize()}"] or 0 for kind in KINDS}
    if asked.day is None:
        return None
    days = its.overview.changes_per_day(_age(its, asked.day) + 1)
    return next((one for one in days if one["day"] == asked.day.isoformat()), None)


def _age(its: ResourceServices, day: date) -> int:
    """Return how many days ago ``day`` was, within what is worth counting."""
    today = date.fromisoformat(its.overview.changes_per_day(1)[0]["day"])
    return min(max((today - day).days, 0), _MOST_DAYS)


def _sessions(its: ResourceServices, day: date) -> list[Mapping[str, Any]]:
    """Return the sessions that ended on ``day`` and changed something, the newest first."""
    start = start_of(day)
    end = start + DAY_MS
    found = its.monitoring.history(_SESSIONS, (end, ""), SessionStatus.COMPLETED.value)
    return [one for one in found if start <= one["completedAt"] < end and _is_change(one)]


def _session_url(asked: Asked) -> str | None:
    """Return the address of the session that is shown, where there is a page for sessions."""
    if asked.session is None or not has_page("history.session"):
        return None
    return page_url("history.session", session_id=asked.session["id"])


def _is_change(session: Mapping[str, Any]) -> bool:
    return any(session[f"items{kind.capitalize()}"] for kind in KINDS)


def _days(its: ResourceServices, asked: Asked) -> dict[str, Any]:
    """Return the last days as a chart and a table, and the days beside the one that is shown."""
    days = its.overview.changes_per_day()
    is_shown = asked.day is None and asked.session is None and asked.before is None
    step = timedelta(days=1)
    today = date.fromisoformat(days[-1]["day"])
    return {
        "days": days if is_shown else [],
        "change_chart": change_chart(days) if is_shown else None,
        "today": today,
        "day_before": asked.day - step if asked.day and asked.day > date.min else None,
        "day_after": asked.day + step if asked.day and asked.day < today else None,
    }
