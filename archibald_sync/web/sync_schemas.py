# ruff: noqa: N815  # members are named as JSON has them
"""What the sync's routes take and give.

Columns and keys are those of the rows and services; a test compares them.
"""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from archibald_sync.domain.models import PlanKind, RunOutcome, SessionStatus, Stage, Trigger
from archibald_sync.domain.policy import MAX_INTERVAL_MINUTES, MIN_INTERVAL_MINUTES
from archibald_sync.web.cursor import Cursor
from archibald_sync.web.fields import Number, RequestSchema, TrueOrFalse, WholeNumber, instant
from archibald_sync.web.idempotency import IdempotencySchema
from archibald_sync.web.priority import HeldLeaseSchema

MAX_HISTORY = 200
_DEFAULT_HISTORY = 20
MAX_ENTRIES = 500
_KINDS = [kind.value for kind in PlanKind]
_STATUSES = [status.value for status in SessionStatus]


def _text(*values: str) -> fields.String:
    """Return a nullable text of an answer, one of ``values`` if there are any."""
    metadata = {"enum": [*values, None]} if values else {}
    return fields.String(allow_none=True, metadata=metadata)


def _count() -> fields.Integer:
    return fields.Integer(allow_none=True)


class CoverageSchema(Schema):
    """In how many of the extract's rows each delivered field has a value."""

    rows = fields.Integer(required=True)
    filled = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class SessionSchema(Schema):
    """One attempt of a run: a row of `sync_sessions`, as it truly stands."""

    id = fields.String(metadata={"example": "products-sync-1705678900000"})
    syncType = fields.String(metadata={"example": "products"})
    startedAt = instant()
    completedAt = instant(allow_none=True)
    status = fields.String(metadata={"enum": _STATUSES})
    totalPages = _count()
    pagesProcessed = _count()
    itemsProcessed = _count()
    itemsCreated = _count()
    itemsUpdated = _count()
    itemsDeleted = _count()
    errorMessage = _text()
    syncMode = fields.String(metadata={"enum": ["auto", "manual", "rollback"]})
    runId = _text()
    attempt = fields.Integer()
    trigger = _text(*Trigger)
    requestedBy = _text()
    itemsUnchanged = _count()
    itemsRestored = _count()
    itemsRejected = _count()
    itemsMissing = _count()
    totalItems = _count()
    stage = _text(*Stage)
    heartbeatAt = instant(allow_none=True)
    epoch = _count()
    errorCode = _text()
    coverage = fields.Nested(CoverageSchema, allow_none=True)
    itemsRenamed = _count()
    isShortcut = fields.Boolean(
        metadata={"description": "The source said that nothing changed: checked, not verified"}
    )
    changesAfter = _count()
    stageMs = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        allow_none=True,
        metadata={"description": "Milliseconds a stage, once it has ended"},
    )


class RunSchema(Schema):
    """One run: a row of `sync_runs`; `outcome` is null while it is at work."""

    id = fields.String(metadata={"example": "products-run-1705678900000"})
    resource = fields.String()
    trigger = fields.String(metadata={"enum": list(Trigger)})
    requestedBy = _text()
    dueAt = instant(allow_none=True)
    startedAt = instant()
    endedAt = instant(allow_none=True)
    outcome = _text(*RunOutcome)
    reason = _text()
    detail = _text()
    attempts = fields.Integer()
    latenessMs = _count()
    epoch = fields.Integer()
    isDryRun = fields.Boolean()
    approves = _text()
    approvedAt = instant(allow_none=True)
    approvedBy = _text()
    summary = fields.Dict(allow_none=True, metadata={"description": "What its plan did"})
    nextAttemptAt = instant("While it waits for its next attempt", allow_none=True)
    maxAttempts = _count()


class RunWithSessionsSchema(RunSchema):
    """A run with its sessions, the first attempt first."""

    sessions = fields.List(fields.Nested(SessionSchema))


class MetricsSchema(Schema):
    """All sessions ever, by the formulas of the plan."""

    totalSyncs = fields.Integer(required=True, attribute="total_syncs")
    successfulSyncs = fields.Integer(required=True, attribute="successful_syncs")
    failedSyncs = fields.Integer(required=True, attribute="failed_syncs")
    successRate = Number(
        required=True, attribute="success_rate", metadata={"description": "Per cent"}
    )
    avgDurationMs = Number(required=True, attribute="avg_duration_ms")
    lastSyncAt = instant(required=True, allow_none=True, attribute="last_sync_at")
    lastSyncStatus = fields.String(
        required=True,
        allow_none=True,
        attribute="last_sync_status",
        metadata={"enum": [*_STATUSES, None]},
    )


class MetricsAnswerSchema(Schema):
    """Metrics, and the last ten sessions."""

    metrics = fields.Nested(MetricsSchema, required=True)
    history = fields.List(fields.Nested(SessionSchema), required=True)


class StartSchema(RequestSchema):
    """How often the sync is to run."""

    intervalMinutes = WholeNumber(
        MIN_INTERVAL_MINUTES, MAX_INTERVAL_MINUTES, "minutes", load_default=30
    )


class StartedSchema(Schema):
    """What became of a start."""

    success = fields.Boolean(required=True, metadata={"description": "The wish is recorded"})
    intervalMinutes = fields.Integer(required=True)
    nextRunAt = instant(required=True, allow_none=True)
    applied = fields.Boolean(required=True, metadata={"description": "It is in force already"})


class StopSchema(RequestSchema):
    """How the sync is to stop."""

    cancel = TrueOrFalse(
        load_default=False,
        metadata={"description": "Also end a run at work, at its next checkpoint"},
    )


class StoppedSchema(Schema):
    """What became of a stop."""

    success = fields.Boolean(required=True, metadata={"description": "The wish is recorded"})
    applied = fields.Boolean(required=True, metadata={"description": "It is in force already"})


class RunNowSchema(RequestSchema):
    """What is to run."""

    dryRun = TrueOrFalse(
        load_default=False,
        metadata={"description": "Make the plan, and write nothing to the catalogue"},
    )


class ApproveSchema(RequestSchema):
    """How a plan is approved; there is nothing to choose."""


class PlanQuerySchema(Schema):
    """Which entries of a plan to list."""

    kind = fields.String(
        required=True,
        validate=validate.OneOf(_KINDS, error=f"expected one of {', '.join(_KINDS)}"),
        metadata={"enum": _KINDS},
    )
    limit = WholeNumber(1, MAX_ENTRIES, "entries", load_default=MAX_ENTRIES, is_text=True)
    cursor = fields.String(
        load_default="0",
        validate=validate.Regexp("^[0-9]{1,15}$", error="expected the `next` of an earlier answer"),
        metadata={"description": "The `next` of an earlier answer"},
    )


class PlanPageSchema(Schema):
    """Entries of one kind of a plan that was not applied."""

    entries = fields.List(
        fields.Dict(),
        required=True,
        metadata={
            "description": "created: id, values; updated: id, changes (field, old, new); "
            "renamed: id, from, values; missing: id, isDeleted; restored: id; "
            "rejected: row, field, value, reason"
        },
    )
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where more begin; null at the end"},
    )


class RunHeadersSchema(IdempotencySchema):
    """How a run is asked for."""

    prefer = fields.String(
        data_key="Prefer",
        load_default="",
        metadata={"description": "`wait`: follow the run that is at work, if there is one"},
    )


class EventsQuerySchema(Schema):
    """How whoever finds no seat is told so."""

    silent = fields.Boolean(
        load_default=False,
        metadata={
            "description": "Answer 204 in the place of 503: an `EventSource` takes it as "
            '"do not ask again", and no browser reports it as an error'
        },
    )


class RunQuerySchema(Schema):
    """How a run is asked for, for those who cannot set headers."""

    attach = fields.Boolean(load_default=False, metadata={"description": "As `Prefer: wait`"})


class AcceptedRunSchema(Schema):
    """The run that began, or the one that is at work already."""

    runId = fields.String(required=True)
    sessionId = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null while priority keeps the run from beginning"},
    )
    attached = fields.Boolean(metadata={"description": "True where it was at work already"})


class HistoryQuerySchema(Schema):
    """Which sessions to list."""

    limit = WholeNumber(1, MAX_HISTORY, "sessions", load_default=_DEFAULT_HISTORY, is_text=True)
    before = Cursor()
    status = fields.String(
        load_default=None,
        validate=validate.OneOf(_STATUSES, error=f"expected one of {', '.join(_STATUSES)}"),
    )


class HistorySchema(Schema):
    """Sessions, the newest first."""

    sessions = fields.List(fields.Nested(SessionSchema), required=True)
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where older ones begin; null at the end"},
    )


class ProgressSchema(Schema):
    """How far the session at work has come."""

    runId = _text()
    sessionId = fields.String()
    attempt = fields.Integer()
    stage = _text(*Stage)
    startedAt = instant()
    pages = _count()
    totalPages = _count()
    items = _count()
    totalItems = _count()
    heartbeatAt = instant(allow_none=True)
    etaAt = instant("When it will probably end, judged by earlier ones", allow_none=True)


class CurrentRunSchema(Schema):
    """The run at work, also while it waits for its next attempt or for priority to end."""

    runId = fields.String()
    trigger = fields.String(metadata={"enum": list(Trigger)})
    requestedBy = _text()
    isDryRun = fields.Boolean()
    startedAt = instant()
    attempt = fields.Integer(metadata={"description": "The last one that began; 0: none yet"})
    maxAttempts = _count()
    nextAttemptAt = instant("Null unless it waits between attempts", allow_none=True)
    lastError = _text()


class OwnerSchema(Schema):
    """The process that drives the sync."""

    name = fields.String()
    epoch = fields.Integer()
    isLive = fields.Boolean()
    heartbeatAgeMs = fields.Integer()
    since = instant()


class RecordsSchema(Schema):
    """How many records the local copy has."""

    active = fields.Integer()
    deleted = fields.Integer()


class StatusSchema(Schema):
    """How the sync stands now."""

    state = fields.String(
        metadata={
            "enum": ["running", "idle", "paused", "stopped", "stale", "held", "failing"],
        }
    )
    reason = _text()
    freshness = fields.String(metadata={"enum": ["fresh", "late", "stale"]})
    autoSync = fields.String(metadata={"enum": ["started", "stopped"]})
    intervalMinutes = fields.Integer()
    nextRunAt = instant(allow_none=True)
    changedAt = instant()
    changedBy = _text()
    lastCheckedAt = instant(allow_none=True)
    lastSuccessAt = instant(allow_none=True)
    lastVerifiedAt = instant(allow_none=True)
    lastChangeAt = instant(allow_none=True)
    progress = fields.Nested(ProgressSchema, allow_none=True)
    currentRun = fields.Nested(CurrentRunSchema, allow_none=True)
    lastRun = fields.Nested(RunSchema, allow_none=True)
    owner = fields.Nested(OwnerSchema, allow_none=True)
    priority = fields.List(fields.Nested(HeldLeaseSchema))
    pausedSince = instant(allow_none=True)
    isPauseLong = fields.Boolean(metadata={"description": "For more than two intervals"})
    records = fields.Nested(RecordsSchema)
