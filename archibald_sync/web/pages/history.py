"""The history: runs with their attempts, the newest first, narrowed and page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, redirect, render_template

from archibald_sync.domain.models import Role, RunOutcome, Trigger
from archibald_sync.errors import NotFoundError
from archibald_sync.web.cursor import encoded
from archibald_sync.web.pages import plan, run, run_words
from archibald_sync.web.pages.layout import here, page_url
from archibald_sync.web.pages.queries import choice, place
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

RUNS = 25

bp = Blueprint("history", __name__, url_prefix="/history")
bp.register_blueprint(run.bp)
bp.register_blueprint(plan.bp)


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show a page of runs."""
    return render_template("page/history.html", **_values())


@bp.get("/live")
@requires(Role.VIEWER)
def live() -> str:
    """Show only the list: new runs come on its first page."""
    return render_template("page/history_live.html", **_values())


@bp.get("/sessions/<session_id>")
@requires(Role.VIEWER)
def session(session_id: str) -> ResponseReturnValue:
    """Go to the run of a session, with that attempt shown."""
    found = here().monitoring.session(session_id)
    if found is None or found["runId"] is None:
        raise NotFoundError("there is no such session of a run")
    return redirect(page_url("history.run.index", run_id=found["runId"], session=session_id), 303)


def _values() -> dict[str, Any]:
    filters = {"outcome": choice("outcome", RunOutcome), "trigger": choice("trigger", Trigger)}
    before = place("before")
    found = here().overview.runs(RUNS + 1, before, **filters)
    shown = found[:RUNS]
    last = shown[-1] if len(found) > RUNS else None
    return {
        "runs": shown,
        "filters": {name: value for name, value in filters.items() if value},
        "is_newest": before is None,
        "older": encoded(last["startedAt"], last["id"]) if last else None,
        "run_words": run_words,
    }
