"""One run: how it went, what each attempt did, what it logged and what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request

from archibald_sync.domain.models import Role, RunOutcome, SessionStatus, Stage, Trigger
from archibald_sync.errors import InvalidInputError, NotFoundError
from archibald_sync.web.pages import advice, run_words
from archibald_sync.web.pages.comparison import session_counts
from archibald_sync.web.pages.layout import here
from archibald_sync.web.pages.queries import number
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHANGES = 50
_ASKED = ("session", "changes")
_WHOLE = 1000  # the width of the bars of the stages

bp = Blueprint("run", __name__, url_prefix="/runs")


@bp.get("/<run_id>")
@requires(Role.VIEWER)
def index(run_id: str) -> str:
    """Show a run with its last attempt, or with the one that is asked for."""
    return render_template("page/run.html", **_values(run_id))


@bp.get("/<run_id>/live")
@requires(Role.VIEWER)
def live(run_id: str) -> str:
    """Show only the part that changes while the run works."""
    return render_template("page/run_live.html", **_values(run_id))


def found_run(run_id: str) -> Mapping[str, Any]:
    """Return a run with its sessions.

    Raises:
        NotFoundError: There is no such run.
    """
    found = here().monitoring.run(run_id)
    if found is None:
        raise NotFoundError("there is no such run")
    return found


def has_plan(run: Mapping[str, Any]) -> bool:
    """Return whether the run made a plan that nobody applied."""
    outcome: str | None = run["outcome"]
    return outcome == RunOutcome.HELD or (run["isDryRun"] and outcome == RunOutcome.COMPLETED)


def _values(run_id: str) -> dict[str, Any]:
    run = found_run(run_id)
    session = _chosen(run["sessions"])
    older, newer = here().overview.neighbours(run)
    return {
        "run": run,
        "session": session,
        "older": older,
        "newer": newer,
        "has_plan": has_plan(run),
        "what": advice.what(run_words.reason_of(run)),
        "todo": advice.todo(run_words.reason_of(run)),
        "log": here().overview.log(run_id),
        "asked": {name: one for name in _ASKED if (one := request.args.get(name))},
        "run_words": run_words,
        "advice": advice,
        **(_session_values(run, session) if session else {}),
    }


def _chosen(sessions: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the session that is asked for, else the last; None where there is none."""
    wanted = request.args.get("session")
    if wanted is None:
        return sessions[-1] if sessions else None
    found = next((one for one in sessions if one["id"] == wanted), None)
    if found is None:
        raise InvalidInputError("session", "expected a session of this run")
    return found


def _session_values(run: Mapping[str, Any], session: Mapping[str, Any]) -> dict[str, Any]:
    changes = here().catalogue.changes_of_session(session, CHANGES + 1, number("changes"))
    shown = changes[:CHANGES]
    return {
        "counts": session_counts(session),
        "stages": _stages(session["stageMs"] or {}),
        "changes": shown,
        "changes_begin": number("changes") is None,
        "changes_next": shown[-1]["id"] if len(changes) > CHANGES else None,
        "can_be_undone": _can_be_undone(run, session),
    }


def _stages(stage_ms: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return each stage with its duration, and where its bar begins and how long it is."""
    total, began = max(sum(stage_ms.values()), 1), 0
    stages = []
    for name in (stage.value for stage in Stage if stage in stage_ms):
        took = stage_ms[name]
        left, right = began * _WHOLE // total, (began + took) * _WHOLE // total
        # Bars of no width are not seen: each has a little.
        width = max(right - left, _WHOLE // 100)
        stages.append({"name": name, "ms": took, "x": min(left, _WHOLE - width), "width": width})
        began += took
    return stages


def _can_be_undone(run: Mapping[str, Any], session: Mapping[str, Any]) -> bool:
    """Return whether an admin may want to know how to undo what the session wrote."""
    wrote = session["status"] == SessionStatus.COMPLETED and session["changesAfter"] is not None
    is_admin = current_user().role.includes(Role.ADMIN)
    return wrote and is_admin and not run["isDryRun"] and run["trigger"] != Trigger.ROLLBACK
