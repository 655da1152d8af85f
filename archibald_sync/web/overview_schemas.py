# ruff: noqa: N815  # members are named as JSON has them
"""What the API says about the past at a glance."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from archibald_sync.domain.models import RunOutcome, SessionStatus, Trigger
from archibald_sync.web.cursor import Cursor
from archibald_sync.web.fields import Number, WholeNumber, instant

MAX_RUNS = 200
MAX_LINES = 500
_MAX_NUMBER = 10**15
_LEVELS = ["debug", "info", "warning", "error", "critical"]
_DEFAULT_RUNS = 20
_OUTCOMES = [outcome.value for outcome in RunOutcome]
_TRIGGERS = [trigger.value for trigger in Trigger]
_STATUSES = [status.value for status in SessionStatus]


def _text(*values: str) -> fields.String:
    metadata = {"enum": [*values, None]} if values else {}
    return fields.String(allow_none=True, metadata=metadata)


def _count() -> fields.Integer:
    return fields.Integer(allow_none=True)


class RunOverviewSchema(Schema):
    """One run at a glance, with the counts of its last session."""

    id = fields.String(metadata={"example": "products-run-1705678900000"})
    trigger = fields.String(metadata={"enum": list(Trigger)})
    requestedBy = _text()
    dueAt = instant(allow_none=True)
    startedAt = instant()
    endedAt = instant(allow_none=True)
    durationMs = _count()
    outcome = _text(*_OUTCOMES)
    reason = _text()
    detail = _text()
    latenessMs = _count()
    isDryRun = fields.Boolean()
    approvedAt = instant(allow_none=True)
    approvedBy = _text()
    attempts = fields.Integer()
    maxAttempts = _count()
    nextAttemptAt = instant("While it waits for its next attempt", allow_none=True)
    itemsProcessed = _count()
    itemsCreated = _count()
    itemsUpdated = _count()
    itemsDeleted = _count()
    itemsRestored = _count()
    itemsRenamed = _count()
    itemsUnchanged = _count()
    itemsMissing = _count()
    itemsRejected = _count()
    isShortcut = fields.Boolean()


class SessionOverviewSchema(Schema):
    """One attempt of a run at a glance."""

    id = fields.String(metadata={"example": "products-sync-1705678900000"})
    attempt = fields.Integer()
    status = fields.String(metadata={"enum": _STATUSES})
    startedAt = instant()
    completedAt = instant(allow_none=True)
    errorCode = _text()
    errorMessage = _text()
    stageMs = fields.Dict(keys=fields.String(), values=fields.Integer(), allow_none=True)


class RunInListSchema(RunOverviewSchema):
    """One run of the list, with its attempts, the first one first."""

    sessions = fields.List(fields.Nested(SessionOverviewSchema), required=True)


class RunsQuerySchema(Schema):
    """Which runs to list."""

    limit = WholeNumber(1, MAX_RUNS, "runs", load_default=_DEFAULT_RUNS, is_text=True)
    before = Cursor()
    outcome = fields.String(
        load_default=None,
        validate=validate.OneOf(_OUTCOMES, error=f"expected one of {', '.join(_OUTCOMES)}"),
    )
    trigger = fields.String(
        load_default=None,
        validate=validate.OneOf(_TRIGGERS, error=f"expected one of {', '.join(_TRIGGERS)}"),
    )


class RunsSchema(Schema):
    """Runs, the newest first."""

    runs = fields.List(fields.Nested(RunInListSchema), required=True)
    next = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Where older ones begin; null at the end"},
    )


class StatisticsQuerySchema(Schema):
    """Over how many runs."""

    runs = WholeNumber(1, MAX_RUNS, "runs", load_default=MAX_RUNS, is_text=True)


class SuccessRateSchema(Schema):
    """How many of the last runs completed."""

    counted = fields.Integer(
        required=True,
        metadata={"description": "Those that completed, failed, were held or interrupted"},
    )
    completed = fields.Integer(required=True)
    percent = Number(required=True, allow_none=True)


class DayOfChangesSchema(Schema):
    """How many records changed on one day."""

    day = fields.String(
        required=True, metadata={"format": "date", "description": "In UTC; 2026-11-25, say"}
    )
    created = fields.Integer(required=True, metadata={"description": "Those renamed included"})
    updated = fields.Integer(required=True)
    deleted = fields.Integer(required=True)
    restored = fields.Integer(required=True)
    renamed = fields.Integer(required=True)


class StatisticsSchema(Schema):
    """The last runs, the newest first; their success rate; the changes of 30 days."""

    runs = fields.List(fields.Nested(RunOverviewSchema), required=True)
    successRate = fields.Nested(SuccessRateSchema, required=True)
    changesPerDay = fields.List(fields.Nested(DayOfChangesSchema), required=True)


class LogQuerySchema(Schema):
    """Which lines of a run to show."""

    limit = WholeNumber(1, MAX_LINES, "lines", load_default=MAX_LINES, is_text=True)
    after = WholeNumber(
        0,
        _MAX_NUMBER,
        "lines",
        load_default=0,
        is_text=True,
        metadata={"description": "The `next` of an earlier answer"},
    )


class LineSchema(Schema):
    """One line; `number` counts the lines of its run from 1, those not kept included."""

    number = fields.Integer(required=True)
    loggedAt = instant(required=True)
    level = fields.String(required=True, metadata={"enum": _LEVELS})
    component = fields.String(required=True, metadata={"example": "ProductSyncService"})
    message = fields.String(required=True)
    fields_ = fields.Dict(
        required=True,
        attribute="fields",
        data_key="fields",
        metadata={"description": "What the line carries: sessionId, code and the like"},
    )


class LogSchema(Schema):
    """Lines of a run, the oldest first."""

    lines = fields.List(fields.Nested(LineSchema), required=True)
    cut = fields.Integer(
        required=True,
        metadata={"description": "How many lines between the first and the last were not kept"},
    )
    next = fields.Integer(
        required=True, metadata={"description": "The `after` to ask for what follows"}
    )
