"""The rows of sessions and runs: what is written into them, and how they are read."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import PlanCounts, RunRequest, Stage, Trigger
from archibald_sync.storage.connection import as_dict

if TYPE_CHECKING:
    import sqlite3

    from archibald_sync.domain.models import Claim, RunEnd, SessionEnd


def session_type(resource: str, request: RunRequest) -> str:
    """Return the type of a run's sessions: those of a dry run count as no sync at all."""
    return f"{resource}-dry" if request.is_dry_run else resource


def new_session(
    session_id: str, resource: str, claim: Claim | None, attempt: int, now: int
) -> dict[str, Any]:
    """Return the parameters of ``insert_session``."""
    request = claim.request if claim else RunRequest(Trigger.SCHEDULE)
    return {
        "id": session_id,
        "syncType": session_type(resource, request),
        "startedAt": now,
        "syncMode": request.trigger.mode,
        "runId": claim.run_id if claim else None,
        "attempt": attempt,
        "trigger": request.trigger,
        "requestedBy": request.requested_by,
        "stage": Stage.DOWNLOAD,
        "epoch": claim.epoch if claim else None,
    }


def new_run(  # what a row is made of
    run_id: str,
    resource: str,
    request: RunRequest,
    epoch: int,
    now: int,
    max_attempts: int | None = None,
) -> dict[str, Any]:
    """Return the parameters of ``insert_run``."""
    return {
        "id": run_id,
        "resource": resource,
        "trigger": request.trigger,
        "requestedBy": request.requested_by,
        "dueAt": request.due_at,
        "startedAt": now,
        "latenessMs": None if request.due_at is None else max(now - request.due_at, 0),
        "epoch": epoch,
        "approves": request.approves,
        "isDryRun": request.is_dry_run,
        "maxAttempts": max_attempts,
    }


def ended_session(session_id: str, end: SessionEnd, now: int) -> dict[str, Any]:
    """Return the parameters of ``end_session``."""
    counts = end.counts or PlanCounts()
    return {
        "id": session_id,
        "completedAt": now,
        "status": end.status,
        "itemsProcessed": counts.extracted,
        "itemsCreated": counts.created,
        "itemsUpdated": counts.updated,
        "itemsDeleted": counts.deleted,
        "itemsUnchanged": counts.unchanged,
        "itemsRestored": counts.restored,
        "itemsRejected": counts.rejected,
        "itemsMissing": counts.missing,
        "itemsRenamed": counts.renamed,
        "changesAfter": end.changes_after,
        "isShortcut": end.is_shortcut,
        "errorCode": end.error_code,
        "errorMessage": end.error_message,
        "stageMs": None if end.stage_ms is None else json.dumps(end.stage_ms),
        "coverage": None if end.coverage is None else json.dumps(asdict(end.coverage)),
    }


def ended_run(run_id: str, end: RunEnd, now: int) -> dict[str, Any]:
    """Return the parameters of ``end_run``."""
    return {
        "id": run_id,
        "endedAt": now,
        "outcome": end.outcome,
        "reason": end.reason,
        "detail": end.detail,
        "attempts": end.attempts,
        "summary": None if end.summary is None else json.dumps(end.summary, default=asdict),
    }


def session_of(row: sqlite3.Row) -> dict[str, Any]:
    """Return the row of a session under its column names, decoded."""
    session = as_dict(row)
    session["coverage"] = json.loads(session["coverage"]) if session["coverage"] else None
    session["stageMs"] = json.loads(session["stageMs"]) if session["stageMs"] else None
    session["isShortcut"] = bool(session["isShortcut"])
    return session


def run_of(row: sqlite3.Row) -> dict[str, Any]:
    """Return the row of a run under its column names, decoded."""
    run = as_dict(row)
    run["summary"] = json.loads(run["summary"]) if run["summary"] else None
    run["isDryRun"] = bool(run["isDryRun"])
    return run
