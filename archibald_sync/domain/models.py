"""The values that travel between the layers: frozen, without behaviour of their own.

Instants are integers, milliseconds since the epoch, UTC, and end in ``_at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from archibald_sync.domain.coverage import Coverage


class SessionStatus(StrEnum):
    """How an attempt stands or ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    HELD = "held"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class RunOutcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    HELD = "held"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class Trigger(StrEnum):
    """Why a run was started."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    CATCH_UP = "catchUp"
    ROLLBACK = "rollback"

    @property
    def mode(self) -> str:
        """Return the plan's word for it, ``auto`` or ``manual``; and ours, ``rollback``."""
        return "auto" if self.is_due else self.value

    @property
    def is_due(self) -> bool:
        """Return whether the schedule asked for it, and not somebody."""
        return self in {Trigger.SCHEDULE, Trigger.CATCH_UP}


class Stage(StrEnum):
    """What a session is doing."""

    LOGIN = "login"
    DOWNLOAD = "download"
    PARSE = "parse"
    PLAN = "plan"
    APPLY = "apply"


class Role(StrEnum):
    """What an account may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, needed: Role) -> bool:
        """Return whether this role may do what ``needed`` may do."""
        return _RANKS[self] >= _RANKS[needed]


_RANKS = {role: rank for rank, role in enumerate(Role)}


# The values of the records at these indexes of a page, in the order asked for.
Decode: TypeAlias = "Callable[[Sequence[int]], list[tuple[object, ...]]]"


def values_at(
    rows: Sequence[tuple[object, ...]], indexes: Sequence[int]
) -> list[tuple[object, ...]]:
    """Return some of ``rows``: a page's ``decode`` where its records are values already."""
    return [rows[index] for index in indexes]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of an extract.

    ``fingerprints[i]`` is the 16-byte source hash of record ``i``; ``decode([i, …])``
    gives the values of such records as delivered, in the order of the source's ``fields``.
    ``total_pages`` and ``declared_total`` are what the source announces, if it does;
    ``validator``, on the last page, is what to show the source next time so that it
    can say that nothing changed (an ETag, say).
    """

    number: int
    fingerprints: Sequence[bytes]
    decode: Decode
    total_pages: int | None = None
    declared_total: int | None = None
    validator: str | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a record that differs: its name and both values."""

    field: str
    old: str | int | None
    new: str | int | None


@dataclass(frozen=True, slots=True)
class RejectedValue:
    """A value that does not fit its field, for which its whole row is left out."""

    row: int
    field: str
    value: str
    reason: str


class PlanKind(StrEnum):
    """What the entries of a plan that is kept are about."""

    CREATED = "created"
    UPDATED = "updated"
    MISSING = "missing"
    RESTORED = "restored"
    RENAMED = "renamed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """How many records a plan creates, updates, and so on.

    ``deleted`` is part of ``missing``, ``renamed`` of ``created``. ``oscillating`` counts
    fields that go back to what they were before the run before.
    """

    extracted: int = 0
    created: int = 0
    updated: int = 0
    restored: int = 0
    unchanged: int = 0
    missing: int = 0
    deleted: int = 0
    rejected: int = 0
    duplicates: int = 0
    active_before: int = 0
    declared_total: int | None = None
    renamed: int = 0
    oscillating: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a session has come."""

    stage: Stage
    pages: int = 0
    total_pages: int | None = None
    items: int = 0
    total_items: int | None = None


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What is asked for when a run is started.

    ``approves`` is the held run whose plan this one may apply; a dry run makes a plan
    and applies none. ``rolls_back`` is the session to undo, with all after it; then the
    schedule is stopped unless it is kept.
    """

    trigger: Trigger
    requested_by: str | None = None
    due_at: int | None = None
    approves: str | None = None
    is_dry_run: bool = False
    rolls_back: str | None = None
    keeps_schedule: bool = False

    @property
    def is_sync(self) -> bool:
        """Return whether it brings the catalogue in step with its source."""
        return not self.is_dry_run and self.rolls_back is None


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that has the right to work, under the owner's ``epoch``."""

    run_id: str
    request: RunRequest
    epoch: int
    started_at: int
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Rollback:
    """What is undone, and under which session and epoch that is written.

    All changes after ``changes_after`` are undone: those of ``undone_session`` and of
    every later one.
    """

    undone_session: str
    changes_after: int
    session_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended; ``counts`` and ``coverage`` stay None where no plan was made.

    ``changes_after`` is the newest change before its own, where it might write any. A
    short-cut took the source's word that nothing changed. ``stage_ms`` is how long each
    stage took, in milliseconds.
    """

    status: SessionStatus
    counts: PlanCounts | None = None
    error_code: str | None = None
    error_message: str | None = None
    coverage: Coverage | None = None
    changes_after: int | None = None
    is_shortcut: bool = False
    stage_ms: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended."""

    outcome: RunOutcome
    reason: str | None = None
    detail: str | None = None
    attempts: int = 0
    summary: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class RunLine:
    """A line that was logged for a run; ``number`` counts the lines of the run from 1."""

    number: int
    logged_at: int
    level: str
    component: str
    message: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SyncMetrics:
    """The plan's metrics over all sessions ever, by the plan's formulas."""

    total_syncs: int
    successful_syncs: int
    failed_syncs: int
    success_rate: float
    avg_duration_ms: float
    last_sync_at: int | None
    last_sync_status: str | None


@dataclass(frozen=True, slots=True)
class SchedulerState:
    """What the schedule of a resource is meant to be, and when it is due next."""

    is_started: bool
    interval_minutes: int
    next_due_at: int | None
    changed_at: int
    changed_by: str | None


class IntentKind(StrEnum):
    """What can be asked of the owner."""

    BOOT = "boot"
    START = "start"
    STOP = "stop"
    RUN = "run"
    APPROVE = "approve"
    ROLLBACK = "rollback"


class IntentState(StrEnum):
    """What became of an intent."""

    PENDING = "pending"
    APPLIED = "applied"
    REJECTED = "rejected"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Intent:
    """What somebody asked of the owner, and its answer."""

    id: int
    kind: IntentKind
    parameters: Mapping[str, object]
    requested_by: str | None
    requested_at: int
    expires_at: int | None
    state: IntentState
    result: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class OwnerLease:
    """Who owns a resource; ``expires_boot_ms`` counts on the boot ``boot_id``."""

    epoch: int
    owner: str
    pid: int
    boot_id: str
    expires_boot_ms: int
    has_flock: bool
    acquired_at: int
    renewed_at: int


@dataclass(frozen=True, slots=True)
class PriorityLease:
    """A claim by foreground work during which no sync may work."""

    id: str
    owner: str
    reason: str
    taken_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class User:
    """An account as the services see it; never with its password.

    Tokens carry the ``token_generation`` of their user; those of an earlier one are over.
    """

    id: int
    name: str
    role: Role
    is_disabled: bool
    token_generation: int = 0
    created_at: int = 0
