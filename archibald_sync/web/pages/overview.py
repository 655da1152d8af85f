"""The overview: one honest state, the run at work, and the controls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from archibald_sync.domain.models import Role
from archibald_sync.web.context import services
from archibald_sync.web.pages.controls import sync_controls
from archibald_sync.web.pages.current_run import current_run
from archibald_sync.web.pages.layout import here
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

bp = Blueprint("overview", __name__, url_prefix="/overview")


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show the whole page."""
    return render_template("page/overview.html", **_values())


@bp.get("/live")
@requires(Role.VIEWER)
def live() -> str:
    """Show only the part that changes by itself."""
    return render_template("page/overview_live.html", **_values())


def _values() -> dict[str, Any]:
    monitoring = here().monitoring
    now = round(datetime.now(UTC).timestamp() * 1000)
    status = monitoring.status()
    run = current_run(status, monitoring, services().settings, now)
    if run and run.is_waiting and status["state"] == "idle":
        status = {**status, "state": "waiting"}
    return {
        "status": status,
        "run": run,
        "metrics": monitoring.metrics(),
        "controls": sync_controls(status, current_user(), is_at_work=run is not None),
        "freshness": _freshness(status, now),
    }


def _freshness(status: Mapping[str, Any], now: int) -> dict[str, Any]:
    """Return the age of the local copy against the interval; three intervals fill the bar."""
    interval_ms = status["intervalMinutes"] * 60_000
    last = status["lastSuccessAt"]
    age_ms = None if last is None else max(now - last, 0)
    return {
        "age_ms": age_ms,
        "limit_ms": 3 * interval_ms,
        "interval_ms": interval_ms,
        "level": status["freshness"] if last is not None else "none",
    }
