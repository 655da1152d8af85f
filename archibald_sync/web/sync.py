"""The sync of one resource: metrics, start, stop, run, status, history.

The blueprint is registered once a resource, under the resource's name; that name
tells a view whose services to use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request, url_for

from archibald_sync.domain.models import IntentState, PlanKind, Role
from archibald_sync.errors import NotFoundError, RefusedError, SyncInProgressError
from archibald_sync.logs import ComponentLogger
from archibald_sync.web import sync_schemas as schemas
from archibald_sync.web.auditing import describe_act
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import request_id, services
from archibald_sync.web.cursor import decoded, encoded
from archibald_sync.web.delivery import answer
from archibald_sync.web.idempotency import IdempotencySchema, idempotency_key
from archibald_sync.web.problems import problem, problem_responses
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response
    from flask.typing import ResponseReturnValue

    from archibald_sync.domain.models import Intent, SyncMetrics
    from archibald_sync.web.context import ResourceServices

METRICS_HISTORY = 10
_RETRY_AFTER_S = 5

bp = Blueprint("sync", __name__, description="Keeping the local copy in step with the ERP")
_log = ComponentLogger("API")


def here() -> ResourceServices:
    """Return the services of the resource that this request is about."""
    return services().resources[str(request.blueprint)]


def _log_wish(message: str, **values: object) -> None:
    describe_act(None, **values)
    fields = {"userId": current_user().id, **values, "requestId": request_id()}
    _log.info(message, here().resource.name, extra=fields)


@bp.route("/metrics")
@requires(Role.VIEWER)
@bp.etag
@bp.describe(200, schemas.MetricsAnswerSchema)
def metrics() -> Response:
    """Metrics over all sessions ever, and the last ten."""
    known, last = here().monitoring.overview(METRICS_HISTORY)
    return answer({"metrics": metrics_body(known), "history": last})


@bp.route("/start", methods=["POST"])
@requires(Role.OPERATOR)
@bp.arguments(schemas.StartSchema, required=False)
@bp.arguments(IdempotencySchema, location="headers")
@bp.response(200, schemas.StartedSchema)
@bp.doc(responses=problem_responses(400, 409, 413, 415))
def start(body: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
    """Sync every so many minutes from now on.

    Doing it again changes nothing; another interval replaces the one before.
    """
    interval = body["intervalMinutes"]
    _log_wish("Starting %s auto-sync", intervalMinutes=interval)
    key = idempotency_key(headers)
    intent = here().schedule.start(interval, current_user().name, key)
    result = intent.result or {}
    return {
        "success": True,
        "intervalMinutes": interval,
        "nextRunAt": result.get("nextRunAt"),
        "applied": _is_applied(intent),
    }


@bp.route("/stop", methods=["POST"])
@requires(Role.OPERATOR)
@bp.arguments(schemas.StopSchema, required=False)
@bp.arguments(IdempotencySchema, location="headers")
@bp.response(200, schemas.StoppedSchema)
@bp.doc(responses=problem_responses(400, 409, 413, 415))
def stop(body: dict[str, Any], headers: dict[str, Any]) -> dict[str, Any]:
    """Begin no run any more, neither by the clock nor as a retry.

    A run at work is finished unless `cancel` is true.
    """
    _log_wish("Stopping %s auto-sync", cancel=body["cancel"])
    key, is_cancel = idempotency_key(headers), body["cancel"]
    intent = here().schedule.stop(current_user().name, key, cancel=is_cancel)
    return {"success": True, "applied": _is_applied(intent)}


@bp.route("", methods=["POST"])
@bp.route("/run", methods=["POST"])
@requires(Role.OPERATOR)
@bp.arguments(schemas.RunNowSchema, required=False)
@bp.arguments(schemas.RunHeadersSchema, location="headers")
@bp.arguments(schemas.RunQuerySchema, location="query")
@bp.response(202, schemas.AcceptedRunSchema, headers={"Location": {"schema": {"type": "string"}}})
@bp.doc(responses=problem_responses(400, 409, 413, 415))
def run(
    body: dict[str, Any], headers: dict[str, Any], query: dict[str, Any]
) -> ResponseReturnValue:
    """Sync now, or only make the plan with `dryRun`.

    409 names the run that is at work already; with `Prefer: wait` or `attach` that
    run is the answer.
    """
    _log_wish("Running %s sync", dryRun=body["dryRun"])
    key, is_dry_run = idempotency_key(headers), body["dryRun"]
    intent = here().schedule.run_now(current_user().name, key, is_dry_run=is_dry_run)
    if intent.state is IntentState.APPLIED:
        return _accepted(dict(intent.result or {}))
    if intent.state is IntentState.REJECTED:
        return _at_work(str((intent.result or {})["runId"]), _wants_any(headers, query))
    return _not_answered(intent)


@bp.route("/status")
@requires(Role.VIEWER)
@bp.response(200, schemas.StatusSchema)
def status() -> dict[str, Any]:
    """How the sync stands now, and why."""
    return here().monitoring.status()


@bp.route("/history")
@requires(Role.VIEWER)
@bp.etag
@bp.arguments(schemas.HistoryQuerySchema, location="query")
@bp.describe(200, schemas.HistorySchema)
@bp.doc(responses=problem_responses(400))
def history(query: dict[str, Any]) -> Response:
    """Sessions, the newest first, page by page."""
    limit = query["limit"]
    before = decoded(query["before"])
    found = here().monitoring.history(limit + 1, before, query["status"])
    shown = found[:limit]
    following = encoded(shown[-1]["startedAt"], shown[-1]["id"]) if len(found) > limit else None
    return answer({"sessions": shown, "next": following})


@bp.route("/sessions/<session_id>")
@requires(Role.VIEWER)
@bp.etag
@bp.response(200, schemas.SessionSchema)
@bp.doc(responses=problem_responses(404))
def session(session_id: str) -> Mapping[str, Any]:
    """One session: one attempt of a run."""
    found = here().monitoring.session(session_id)
    if found is None:
        raise NotFoundError("there is no such session")
    return found


@bp.route("/runs/<run_id>", endpoint="show_run")
@requires(Role.VIEWER)
@bp.etag
@bp.response(200, schemas.RunWithSessionsSchema)
@bp.doc(responses=problem_responses(404))
def show_run(run_id: str) -> Mapping[str, Any]:
    """One run, with its sessions."""
    found = here().monitoring.run(run_id)
    if found is None:
        raise NotFoundError("there is no such run")
    return found


@bp.route("/runs/<run_id>/plan")
@requires(Role.VIEWER)
@bp.arguments(schemas.PlanQuerySchema, location="query")
@bp.response(200, schemas.PlanPageSchema)
@bp.doc(responses=problem_responses(400, 404))
def plan(query: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Every entry of the plan of a dry or held run, page by page.

    The plans of the last five such runs are kept.
    """
    kind, start = PlanKind(query["kind"]), int(query["cursor"])
    entries, following = here().monitoring.plan_page(run_id, kind, start, query["limit"])
    return {"entries": entries, "next": None if following is None else str(following)}


@bp.route("/runs/<run_id>/approve", methods=["POST"])
@requires(Role.ADMIN)
@bp.arguments(schemas.ApproveSchema, required=False)
@bp.arguments(IdempotencySchema, location="headers")
@bp.response(202, schemas.AcceptedRunSchema, headers={"Location": {"schema": {"type": "string"}}})
@bp.doc(responses=problem_responses(400, 404, 409, 413, 415))
def approve(_body: dict[str, Any], headers: dict[str, Any], run_id: str) -> ResponseReturnValue:
    """Approve a held plan, once.

    A new run begins, which may pass exactly the guards that held this one, if its plan
    is within 1 % of the held one in each count. 409: it is not held, was approved
    before, a newer one is held, or a run is at work.
    """
    if here().monitoring.run(run_id) is None:
        raise NotFoundError("there is no such run")
    _log_wish("Approving a held plan of %s", runId=run_id)
    key = idempotency_key(headers)
    intent = here().schedule.approve(run_id, current_user().name, key)
    if intent.state is IntentState.APPLIED:
        return _accepted(dict(intent.result or {}))
    if intent.state is IntentState.REJECTED:
        _raise_refusal(intent.result or {})
    return _not_answered(intent)


def metrics_body(metrics: SyncMetrics) -> dict[str, Any]:
    """Return metrics as the plan has them: a number without fraction is printed without one."""
    return {
        "totalSyncs": metrics.total_syncs,
        "successfulSyncs": metrics.successful_syncs,
        "failedSyncs": metrics.failed_syncs,
        "successRate": _as_printed(metrics.success_rate),
        "avgDurationMs": _as_printed(metrics.avg_duration_ms),
        "lastSyncAt": metrics.last_sync_at,
        "lastSyncStatus": metrics.last_sync_status,
    }


def _as_printed(number: float) -> float:
    return int(number) if number == int(number) else number


def _raise_refusal(result: Mapping[str, object]) -> None:
    """Raise what the owner answered to a wish that it did not carry out."""
    if "runId" in result:
        raise SyncInProgressError(str(result["runId"]))
    raise RefusedError(str(result["reason"]), str(result["detail"]))


def _is_applied(intent: Intent) -> bool:
    return intent.state is IntentState.APPLIED


def _wants_any(headers: dict[str, Any], query: dict[str, Any]) -> bool:
    """Return whether a run that is at work already will do (RFC 7240 for ``Prefer``)."""
    preferences = (one.split("=")[0].strip().lower() for one in headers["prefer"].split(","))
    return query["attach"] or "wait" in preferences


def _accepted(body: dict[str, object]) -> ResponseReturnValue:
    location = url_for(".show_run", run_id=body["runId"])
    return body, 202, {"Location": location}


def _at_work(run_id: str, is_welcome: bool) -> ResponseReturnValue:  # noqa: FBT001
    if not is_welcome:
        raise SyncInProgressError(run_id)
    found = here().monitoring.run(run_id)
    sessions = found["sessions"] if found else []
    session_id = sessions[-1]["id"] if sessions else None
    return _accepted({"runId": run_id, "sessionId": session_id, "attached": True})


def _not_answered(intent: Intent) -> ResponseReturnValue:
    if intent.state is IntentState.EXPIRED:
        detail = "no process took the request on in time, and it has expired; ask anew"
        return problem(503, "run_expired", detail, headers={"Retry-After": str(_RETRY_AFTER_S)})
    detail = (
        "no process has taken the request on yet; it is recorded, and is carried out within "
        "60 s or expires. The same Idempotency-Key tells later what became of it"
    )
    return problem(503, "no_owner", detail, headers={"Retry-After": str(_RETRY_AFTER_S)})
