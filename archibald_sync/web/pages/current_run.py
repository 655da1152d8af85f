"""The run that works or waits now: how far it is, how fast, and when it should end."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.config import Settings
    from archibald_sync.services.monitoring import MonitoringService

_EARLIER = 20  # sessions that tell how long one takes


@dataclass(frozen=True, slots=True)
class CurrentRun:
    """A run that has not ended; ``progress`` is None while it waits for its next attempt."""

    id: str
    started_at: int
    is_dry_run: bool
    trigger: str
    requested_by: str | None
    attempt: int
    max_attempts: int
    progress: Mapping[str, Any] | None
    rows_per_s: float | None
    expected_end_at: int | None
    next_attempt_at: int | None
    last_error: str | None

    @property
    def is_waiting(self) -> bool:
        """Return whether it waits for its next attempt, or for priority to end."""
        return self.progress is None


def current_run(
    status: Mapping[str, Any], monitoring: MonitoringService, settings: Settings, now: int
) -> CurrentRun | None:
    """Return the run that is at work, or None.

    Args:
        status: What ``monitoring.status`` returned.
        monitoring: Whom to ask about the run.
        settings: How often and after what waits a run tries again.
        now: The present instant.
    """
    run_id = _run_id(status)
    run = monitoring.run(run_id) if run_id else None
    if run is None or run["outcome"] is not None:
        return None
    sessions, progress = run["sessions"], status["progress"]
    ended = [one for one in sessions if one["completedAt"] is not None]
    last = ended[-1] if ended else None
    return CurrentRun(
        id=run["id"],
        started_at=run["startedAt"],
        is_dry_run=run["isDryRun"],
        trigger=run["trigger"],
        requested_by=run["requestedBy"],
        attempt=sessions[-1]["attempt"] if sessions else 1,
        max_attempts=settings.sync_max_attempts,
        progress=progress,
        rows_per_s=_rate(progress, now),
        expected_end_at=_expected_end(progress, monitoring),
        next_attempt_at=None if progress else _next_attempt(last, settings),
        last_error=last["errorMessage"] if last else None,
    )


def _run_id(status: Mapping[str, Any]) -> str | None:
    if status["progress"]:
        return str(status["progress"]["runId"])
    last = status["lastRun"]
    return str(last["id"]) if last and last["outcome"] is None else None


def _rate(progress: Mapping[str, Any] | None, now: int) -> float | None:
    """Return rows a second of the attempt at work; None before it has read any."""
    if not progress or not progress["items"]:
        return None
    elapsed_s = max(now - progress["startedAt"], 1) / 1000
    rate: float = progress["items"] / elapsed_s
    return rate


def _expected_end(progress: Mapping[str, Any] | None, monitoring: MonitoringService) -> int | None:
    """Return when the attempt at work should end, as earlier ones took; None if there are none."""
    if not progress:
        return None
    earlier = monitoring.history(_EARLIER, status="completed")
    took = [one["completedAt"] - one["startedAt"] for one in earlier if not one["isShortcut"]]
    return progress["startedAt"] + round(median(took)) if took else None


def _next_attempt(last: Mapping[str, Any] | None, settings: Settings) -> int | None:
    """Return when the next attempt is due by the schedule of waits; the ERP may ask for longer."""
    if last is None or last["status"] != "failed":
        return None
    delays = settings.sync_retry_delays_s
    wait_s = delays[min(last["attempt"], len(delays)) - 1]
    return int(last["completedAt"] + wait_s * 1000)
