"""The slots of a schedule: moments on a grid, of which those gone by are not made up for.

One run serves all that has become due. What it leaves out is recorded as skipped, with
the reason, so that no slot vanishes from the history.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.models import RunRequest, SchedulerState, Trigger

if TYPE_CHECKING:
    from archibald_sync.clock import Clock
    from archibald_sync.domain.models import Claim
    from archibald_sync.domain.ports import History, Transactions
    from archibald_sync.domain.schedule_ports import Schedule

OVERRUN = "sync_in_progress"
NOT_DRIVEN = "not_driven"


class Slots:
    """Moves the due time of one resource on, and records the slots that this leaves out."""

    def __init__(
        self, history: History, schedule: Schedule, transactions: Transactions, clock: Clock
    ) -> None:
        """Keep the collaborators."""
        self._history = history
        self._schedule = schedule
        self._transactions = transactions
        self._clock = clock

    def advance(self, epoch: int, served_by: Claim | None = None) -> None:
        """Move the due time past now, on its grid; does nothing before it is due.

        Args:
            epoch: Of the owner.
            served_by: The run that the slot now due began. Later slots that went by are
                recorded as skipped: one row for those from before it began, one for
                those that passed during it.

        Raises:
            Fenced: ``epoch`` is over.
        """
        state, now = self._schedule.state(), self._clock.now_ms()
        due = state.next_due_at
        if due is None or due > now:
            return
        interval_ms = state.interval_minutes * 60_000
        last = due + (now - due) // interval_ms * interval_ms
        with self._transactions.transaction():
            self._schedule.set_next_due(last + interval_ms, epoch)
            if served_by is not None:
                self._record(served_by, state, last)

    def _record(self, claim: Claim, state: SchedulerState, last: int) -> None:
        """Record the slots after the due one up to ``last``, before and during the run."""
        due, interval_ms = state.next_due_at or last, state.interval_minutes * 60_000
        before = max(claim.started_at - due, 0) // interval_ms
        during = (last - due) // interval_ms - before
        made_up = f"no process drove the schedule; run {claim.run_id} made up for them"
        self._skip(claim, NOT_DRIVEN, before, due + before * interval_ms, made_up)
        self._skip(claim, OVERRUN, during, last, f"run {claim.run_id} had not ended")

    def _skip(self, claim: Claim, reason: str, count: int, last: int, why: str) -> None:
        if count <= 0:
            return
        slots = "1 slot" if count == 1 else f"{count} slots"
        request = RunRequest(Trigger.SCHEDULE, due_at=last)
        self._history.record_skip(request, claim.epoch, reason, f"{slots} skipped: {why}")
