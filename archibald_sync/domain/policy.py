"""The numbers that rule runs, guards and schedules, with the plan's as defaults."""

from __future__ import annotations

from dataclasses import dataclass

MIN_INTERVAL_MINUTES = 1
MAX_INTERVAL_MINUTES = 1440

# How far each count of a plan may be from the approved one, as a part of that.
APPROVAL_TOLERANCE = 0.01

# A source that says that nothing changed is believed for so long.
VERIFY_EVERY_HOURS = 24.0

OWNER_LEASE_TTL_S = 20.0
OWNER_RENEWAL_S = 5.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after which waits a run tries again.

    With the default of three attempts only the first two waits occur; the third
    serves a fourth attempt. ``retry_after_cap_s`` bounds what a source may ask for.
    """

    max_attempts: int = 3
    delays_s: tuple[float, ...] = (5.0, 10.0, 20.0)
    retry_after_cap_s: float = 120.0


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """When a plan is held rather than applied; ratios are of the active rows.

    A field with values in more than ``coverage_floor_ratio`` of the rows must keep
    ``min_coverage_ratio`` of that share.
    """

    min_extract_ratio: float = 0.70
    ratio_floor_rows: int = 100
    max_deleted_ratio: float = 0.20
    max_updated_ratio: float = 0.50
    max_rejected_ratio: float = 0.01
    coverage_floor_ratio: float = 0.05
    min_coverage_ratio: float = 0.50
    missing_runs_before_delete: int = 2


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """How long a session may take in all, and without any progress."""

    deadline_s: float = 20 * 60
    no_progress_s: float = 5 * 60


@dataclass(frozen=True, slots=True)
class SchedulePolicy:
    """How the schedule begins when the service boots."""

    interval_minutes: int = 30
    initial_delay_s: float = 5.0
