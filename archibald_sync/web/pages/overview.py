"""The overview: one honest state, the run at work, and the controls."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from archibald_sync.domain.models import Role
from archibald_sync.web.pages.charts import change_chart, run_chart, run_words
from archibald_sync.web.pages.controls import sync_controls
from archibald_sync.web.pages.layout import here
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

bp = Blueprint("overview", __name__, url_prefix="/overview")


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show the whole page."""
    return render_template("page/overview.html", **{**_values(), **_chart_values()})


@bp.get("/charts")
@requires(Role.VIEWER)
def charts() -> str:
    """Show only the charts: they change with each run that ends."""
    return render_template("page/overview_charts.html", **_chart_values())


@bp.get("/live")
@requires(Role.VIEWER)
def live() -> str:
    """Show only the part that changes by itself."""
    return render_template("page/overview_live.html", **_values())


def _values() -> dict[str, Any]:
    monitoring = here().monitoring
    now = round(datetime.now(UTC).timestamp() * 1000)
    status = monitoring.status()
    return {
        "version": _version(status),
        "status": status,
        "run": status["currentRun"],
        "rows_per_s": _rate(status["progress"], now),
        "metrics": monitoring.metrics(),
        "controls": sync_controls(status, current_user()),
        "freshness": _freshness(status, now),
    }


def _chart_values() -> dict[str, Any]:
    statistics = here().overview.statistics()
    return {
        "version": _version(here().monitoring.status()),
        "statistics": statistics,
        "run_chart": run_chart(statistics["runs"]),
        "run_words": run_words(statistics["runs"]),
        "change_chart": change_chart(statistics["changesPerDay"]),
    }


def _version(status: Mapping[str, Any]) -> str:
    """Return what changes whenever a run ends, and so the charts."""
    last = status["lastRun"]
    return f"{last['id']} {last['outcome']}" if last else ""


def _rate(progress: Mapping[str, Any] | None, now: int) -> float | None:
    """Return rows a second of the attempt at work; None before it has read any."""
    if not progress or not progress["items"]:
        return None
    elapsed_s = max(now - progress["startedAt"], 1) / 1000
    rate: float = progress["items"] / elapsed_s
    return rate


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
