"""The past of one resource at a glance: its runs, and its figures."""

from __future__ import annotations

from typing import Any

from archibald_sync.domain.models import Role
from archibald_sync.web import overview_schemas as schemas
from archibald_sync.web.cursor import decoded, encoded
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import requires
from archibald_sync.web.sync import bp, here


@bp.route("/runs")
@requires(Role.VIEWER)
@bp.etag
@bp.arguments(schemas.RunsQuerySchema, location="query")
@bp.response(200, schemas.RunsSchema)
@bp.doc(responses=problem_responses(400))
def runs(query: dict[str, Any]) -> dict[str, Any]:
    """List runs with their attempts, the newest first, page by page."""
    limit, before = query["limit"], decoded(query["before"])
    found = here().overview.runs(limit + 1, before, query["outcome"], query["trigger"])
    shown = found[:limit]
    following = encoded(shown[-1]["startedAt"], shown[-1]["id"]) if len(found) > limit else None
    return {"runs": shown, "next": following}


@bp.route("/statistics")
@requires(Role.VIEWER)
@bp.etag
@bp.arguments(schemas.StatisticsQuerySchema, location="query")
@bp.response(200, schemas.StatisticsSchema)
@bp.doc(responses=problem_responses(400))
def statistics(query: dict[str, Any]) -> dict[str, Any]:
    """Tell figures over the last runs, and what changed on each of the last 30 days."""
    return here().overview.statistics(query["runs"])


@bp.route("/runs/<run_id>/log")
@requires(Role.VIEWER)
@bp.etag
@bp.arguments(schemas.LogQuerySchema, location="query")
@bp.response(200, schemas.LogSchema)
@bp.doc(responses=problem_responses(400, 404))
def log(query: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Show what was logged for a run, the oldest line first.

    At most 500 lines a run are kept, the first and the last. Those of a run at work come
    every few seconds: ask again with `after`.
    """
    return here().overview.log(run_id, query["after"], query["limit"])
