"""What the service says about itself: computed from rows, the same from every process.

A row that says "running" counts only while its owner lives; without a live owner it
is shown as what it is, interrupted, even before anybody has corrected it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import RunOutcome, SessionStatus
from archibald_sync.domain.statistics import expected_duration_ms
from archibald_sync.errors import NotFoundError, Preempted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.clock import Clock
    from archibald_sync.domain.models import (
        OwnerLease,
        PlanKind,
        PriorityLease,
        SchedulerState,
        SyncMetrics,
    )
    from archibald_sync.domain.ports import Catalogue, History, KeptPlans, Transactions
    from archibald_sync.domain.schedule_ports import OwnerLeases, PriorityLeases, Schedule
    from archibald_sync.domain.statistics import Effort
    from archibald_sync.errors import StorageError

_LATE, _STALE = 1, 2  # intervals overdue
_LONG_PAUSE = 2  # intervals


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the state is derived from, read at one moment."""

    now: int
    schedule: SchedulerState
    owner: OwnerLease | None
    is_owner_live: bool
    session: Mapping[str, Any] | None
    last_run: Mapping[str, Any] | None
    leases: list[PriorityLease]
    waiting_since: int | None
    run: Mapping[str, Any] | None
    efforts: Sequence[Effort]
    times: Mapping[str, int | None]
    obstacle: StorageError | None

    @property
    def is_running(self) -> bool:
        """Return whether a live owner works on a session."""
        return self.session is not None and self.is_owner_live

    def freshness(self) -> str:
        """Return ``fresh``, ``late`` (one interval overdue) or ``stale`` (two)."""
        interval_ms = self.schedule.interval_minutes * 60_000
        reference = self.times["lastSuccessAt"] or self.schedule.changed_at
        overdue = (self.now - reference) / interval_ms - 1
        return "stale" if overdue >= _STALE else "late" if overdue >= _LATE else "fresh"

    def paused_since(self) -> int | None:
        """Return since when leases keep the sync away; one order after the other is one pause."""
        if not self.leases:
            return None
        taken_at = self.leases[0].taken_at
        return taken_at if self.waiting_since is None else min(taken_at, self.waiting_since)

    def is_pause_long(self) -> bool:
        """Return whether priority leases have kept the sync away for two intervals."""
        since = self.paused_since()
        if since is None or not self.schedule.is_started:
            return False
        return self.now - since > _LONG_PAUSE * self.schedule.interval_minutes * 60_000

    def state(self) -> tuple[str, str | None]:
        """Return the one honest state, and the reason for it in words."""
        if not self.is_owner_live:
            why = self.obstacle or "is the service running?"
            return "failing", f"no process drives the schedule; {why}"
        if self.is_running:
            return "running", None
        if self.leases:
            return "paused", f"{self.leases[0].owner} holds a priority lease"
        if (waiting := self._between_attempts()) is not None:
            return "running", waiting
        if not self.schedule.is_started:
            return "stopped", f"stopped by {self.schedule.changed_by or 'the settings'}"
        return self._state_at_rest()

    def current_run(self) -> dict[str, Any] | None:
        """Return the run at work, also while it waits, fit for JSON; None where none is."""
        run = self.run
        if run is None or not self.is_owner_live:
            return None
        last = run["sessions"][-1] if run["sessions"] else None
        return {
            "runId": run["id"],
            "trigger": run["trigger"],
            "requestedBy": run["requestedBy"],
            "isDryRun": run["isDryRun"],
            "startedAt": run["startedAt"],
            "attempt": last["attempt"] if last else 0,
            "maxAttempts": run["maxAttempts"],
            "nextAttemptAt": run["nextAttemptAt"],
            "lastError": last["errorMessage"] if last else None,
        }

    def eta_at(self) -> int | None:
        """Return when the session at work will probably end; None where nobody can tell."""
        if self.session is None:
            return None
        expected_ms = expected_duration_ms(self.efforts, self.session["totalItems"])
        if expected_ms is None:
            return None
        eta: int = self.session["startedAt"] + expected_ms
        return eta if eta > self.now else None  # it takes longer than ever: say nothing

    def _between_attempts(self) -> str | None:
        """Return why a run waits for its next attempt, if one does."""
        run = self.current_run()
        if run is None or run["nextAttemptAt"] is None:
            return None
        return f"attempt {run['attempt']} of {run['maxAttempts']} failed: {run['lastError']}"

    def _state_at_rest(self) -> tuple[str, str | None]:
        """Return the state of a started schedule on which nothing works."""
        last = self.last_run or {"outcome": None, "detail": None}
        if last["outcome"] == RunOutcome.HELD:
            return "held", last["detail"]
        if last["outcome"] == RunOutcome.FAILED:
            return "failing", last["detail"]
        if self.freshness() == "stale":
            return "stale", "no successful sync for three intervals"
        return "idle", None


class MonitoringService:
    """Answers questions about one resource's sync."""

    def __init__(  # noqa: PLR0913  # the ports that it reads from, by name
        self,
        *,
        history: History,
        schedule: Schedule,
        owner: OwnerLeases,
        priority: PriorityLeases,
        catalogue: Catalogue,
        plans: KeptPlans,
        transactions: Transactions,
        clock: Clock,
    ) -> None:
        """Read from these ports, and nothing else."""
        self._history = history
        self._schedule = schedule
        self._owner = owner
        self._priority = priority
        self._catalogue = catalogue
        self._plans = plans
        self._transactions = transactions
        self._clock = clock

    def metrics(self) -> SyncMetrics:
        """Return the plan's metrics over all sessions ever; the last status as it truly stands."""
        return self._true_metrics(self._history.get_sync_metrics())

    def overview(self, limit: int) -> tuple[SyncMetrics, list[Mapping[str, Any]]]:
        """Return metrics and the newest ``limit`` sessions, as of one moment."""
        metrics, newest = self._history.overview(limit)
        return self._true_metrics(metrics), [self._true(row) for row in newest]

    def history(
        self, limit: int, before: tuple[int, str] | None = None, status: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return sessions, the newest first, as they truly stand."""
        return [self._true(row) for row in self._history.sessions(limit, before, status)]

    def session(self, session_id: str) -> Mapping[str, Any] | None:
        """Return one session as it truly stands."""
        row = self._history.session(session_id)
        return self._true(row) if row else None

    def run(self, run_id: str) -> Mapping[str, Any] | None:
        """Return one run with its sessions, as of one moment."""
        with self._transactions.snapshot():
            row = self._history.run(run_id)
            if row is None:
                return None
            sessions = [self._true(session) for session in self._history.sessions_of(run_id)]
            return {**_true_run(row, is_owner_live=self.is_driven()), "sessions": sessions}

    def newest_held_run_id(self) -> str | None:
        """Return the run that was held last, the only one that can be approved."""
        return self._history.newest_held_run_id()

    def plan_page(
        self, run_id: str, kind: PlanKind, start: int, limit: int
    ) -> tuple[list[Mapping[str, Any]], int | None]:
        """Return up to ``limit`` entries of a plan that was not applied, and where more begin.

        Raises:
            NotFoundError: There is no such run, or its plan is not kept.
            InvalidInputError: No entry begins at ``start``.
        """
        if self._history.run(run_id) is None:
            raise NotFoundError("there is no such run")
        return self._plans.page(run_id, kind, start, limit)

    def situation(self) -> Situation:
        """Return how things stand now, as of one moment."""
        with self._transactions.snapshot():
            now = self._read()
        return self._with_obstacle(now)

    def is_quiet(self) -> bool:
        """Return whether no sync is at work now."""
        return self._history.running_session() is None or not self.is_driven()

    def is_driven(self) -> bool:
        """Return whether a live process owns the resource."""
        owner = self._owner.lease()
        return owner is not None and self._owner.is_live(owner)

    def status(self) -> dict[str, Any]:
        """Return the state of the sync, fit for JSON."""
        with self._transactions.snapshot():
            now, records = self._read(), self._catalogue.count()
        now = self._with_obstacle(now)
        state, reason = now.state()
        return {
            "state": state,
            "reason": reason,
            "freshness": now.freshness(),
            "autoSync": "started" if now.schedule.is_started else "stopped",
            "intervalMinutes": now.schedule.interval_minutes,
            "nextRunAt": now.schedule.next_due_at,
            "changedAt": now.schedule.changed_at,
            "changedBy": now.schedule.changed_by,
            **now.times,
            "progress": _progress(now),
            "currentRun": now.current_run(),
            "lastRun": now.last_run,
            "owner": _owner(now),
            "priority": [_lease(lease) for lease in now.leases],
            "pausedSince": now.paused_since(),
            "isPauseLong": now.is_pause_long(),
            "records": records,
        }

    def health(self) -> dict[str, Any]:
        """Return what keeps the service from being ready; ready means no problem."""
        now = self.situation()
        problems = []
        if not now.is_owner_live:
            problems.append("no_owner")
        if now.obstacle is not None:
            problems.append(now.obstacle.code)
        if now.is_pause_long():
            problems.append("paused_for_long")
        if now.schedule.is_started and now.freshness() == "stale":
            problems.append("stale")
        return {
            "isReady": now.is_owner_live,
            "problems": problems,
            "freshness": now.freshness(),
            "state": now.state()[0],
        }

    def _read(self) -> Situation:
        """Read how things stand; inside a snapshot, or what is read first is over by the end."""
        owner = self._owner.lease()
        is_owner_live = owner is not None and self._owner.is_live(owner)
        last = self._history.last_runs(1, with_skipped=False, with_dry=False)
        session = self._history.running_session()
        return Situation(
            now=self._clock.now_ms(),
            schedule=self._schedule.state(),
            owner=owner,
            is_owner_live=is_owner_live,
            session=session,
            last_run=_true_run(last[0], is_owner_live=is_owner_live) if last else None,
            leases=self._priority.held(),
            waiting_since=self._waiting_since(last[0]) if last and session is None else None,
            run=self._active_run(),
            efforts=self._history.past_efforts() if session is not None else (),
            times=self._history.last_times(),
            obstacle=None,
        )

    def _with_obstacle(self, now: Situation) -> Situation:
        """Look for what keeps everybody from driving, where nobody does; outside a snapshot."""
        return now if now.is_owner_live else replace(now, obstacle=self._owner.obstacle())

    def _waiting_since(self, run: Mapping[str, Any]) -> int | None:
        """Return since when ``run`` waits for leases to end; None where it has ended."""
        if run["outcome"] is not None:
            return None
        sessions = self._history.sessions_of(run["id"])
        gave_way = (one["completedAt"] for one in sessions if one["errorCode"] == Preempted.code)
        first: int = next(gave_way, run["startedAt"])
        return first

    def _active_run(self) -> Mapping[str, Any] | None:
        """Return the run that is recorded as working, with its sessions, if there is one."""
        run_id = self._history.active_run_id()
        run = None if run_id is None else self._history.run(run_id)
        return {**run, "sessions": self._history.sessions_of(run["id"])} if run else None

    def _true_metrics(self, metrics: SyncMetrics) -> SyncMetrics:
        if metrics.last_sync_status == SessionStatus.RUNNING and not self.is_driven():
            return replace(metrics, last_sync_status=SessionStatus.INTERRUPTED.value)
        return metrics

    def _true(self, session: Mapping[str, Any]) -> Mapping[str, Any]:
        if session["status"] == SessionStatus.RUNNING and not self.is_driven():
            return {**session, "status": SessionStatus.INTERRUPTED.value}
        return session


def _true_run(run: Mapping[str, Any], *, is_owner_live: bool) -> Mapping[str, Any]:
    if run["outcome"] is None and not is_owner_live:
        return {**run, "outcome": RunOutcome.INTERRUPTED.value, "nextAttemptAt": None}
    return run


def _progress(now: Situation) -> dict[str, Any] | None:
    session = now.session
    if session is None or not now.is_owner_live:
        return None
    return {
        "runId": session["runId"],
        "sessionId": session["id"],
        "attempt": session["attempt"],
        "stage": session["stage"],
        "startedAt": session["startedAt"],
        "pages": session["pagesProcessed"],
        "totalPages": session["totalPages"],
        "items": session["itemsProcessed"],
        "totalItems": session["totalItems"],
        "heartbeatAt": session["heartbeatAt"],
        "etaAt": now.eta_at(),
    }


def _owner(now: Situation) -> dict[str, Any] | None:
    owner = now.owner
    if owner is None:
        return None
    return {
        "name": owner.owner,
        "epoch": owner.epoch,
        "isLive": now.is_owner_live,
        "heartbeatAgeMs": max(now.now - owner.renewed_at, 0),
        "since": owner.acquired_at,
    }


def _lease(lease: PriorityLease) -> dict[str, Any]:
    return {
        "id": lease.id,
        "owner": lease.owner,
        "reason": lease.reason,
        "takenAt": lease.taken_at,
        "expiresAt": lease.expires_at,
    }
