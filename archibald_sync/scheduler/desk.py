"""The owner's desk: what it carries out, and the one run that it works on.

Everything here happens under the owner's epoch; an intent and its effect are
written in one transaction, so that each is carried out once or not at all.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.domain.models import Claim, IntentKind, IntentState, RunRequest, Trigger
from archibald_sync.errors import (
    NotFoundError,
    RefusedError,
    RunCancelled,
    SyncInProgressError,
)
from archibald_sync.logs import ComponentLogger
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archibald_sync.clock import Clock
    from archibald_sync.domain.models import Intent, SchedulerState
    from archibald_sync.domain.policy import SchedulePolicy
    from archibald_sync.domain.ports import History, Transactions
    from archibald_sync.domain.reading import SearchIndex
    from archibald_sync.domain.resources import Resource
    from archibald_sync.domain.schedule_ports import Schedule
    from archibald_sync.errors import RunStopped
    from archibald_sync.services.sync import SyncService

_CATCH_UP_AFTER_MS = 60_000
_LOSSES_IN_A_ROW = 3


@dataclass(frozen=True, slots=True)
class Driven:
    """A resource with everything that its owner needs."""

    resource: Resource
    sync: SyncService
    history: History
    schedule: Schedule
    transactions: Transactions
    policy: SchedulePolicy
    clock: Clock
    search: SearchIndex


class OwnerDesk:
    """Carries out what is due and what was asked for, one run at a time."""

    def __init__(self, driven: Driven, submit: Callable[[Claim, RunControl], None]) -> None:
        """Hand claimed runs to ``submit``, which works on them in another thread."""
        self._driven = driven
        self._submit = submit
        self._lock = threading.RLock()
        self._active: tuple[Claim, RunControl] | None = None
        self._is_open = False
        self._log = ComponentLogger(driven.resource.component)
        self._boot_log = ComponentLogger("Boot")

    @property
    def active_control(self) -> RunControl | None:
        """Return the control of the run at work in this process, if any."""
        active = self._active
        return active[1] if active else None

    def open(self) -> None:
        """Take on what is due and asked for, from now on."""
        with self._lock:
            self._is_open = True

    def close(self) -> None:
        """Take on nothing any more; return when nothing is being taken on."""
        with self._lock:
            self._is_open = False

    def take_over(self, epoch: int) -> None:
        """Put in order what the former owner left behind, and do what it was still asked for."""
        driven = self._driven
        lost = self._interrupt_orphans(epoch)
        for run_id in lost:
            self._log.warning("Run %s was interrupted", run_id, extra={"runId": run_id})
        # A run that kills its process each time must not be tried without end.
        if driven.history.consecutive_losses(_LOSSES_IN_A_ROW) >= _LOSSES_IN_A_ROW and lost:
            driven.sync.advance_schedule(epoch)
        self._bound_due_time(epoch)
        # Before anything that is due: a boot or a stop may have changed what that is.
        self.carry_out_pending(epoch)

    def keep_alive(self, epoch: int) -> None:
        """Show that the owner lives, and correct rows on which nobody works."""
        with self._lock:
            self._interrupt_orphans(epoch)
            if self._active:
                self._driven.history.touch(epoch)
        self._driven.sync.keep_lines()

    def shift_due_time(self, step_ms: int, epoch: int) -> None:
        """Follow a step of the wall clock: the time until the next run stays the same."""
        state = self._driven.schedule.state()
        if state.next_due_at is not None:
            self._driven.schedule.set_next_due(state.next_due_at + step_ms, epoch)

    def run_due(self, epoch: int) -> None:
        """Work on the run that is due now, in this thread; return when it has ended."""
        if (due := self._claim_due(epoch)) is not None:
            self.work(*due)

    def work(self, claim: Claim, control: RunControl) -> None:
        """Work on a claimed run, in this thread."""
        try:
            self._driven.sync.run(claim, control)
        finally:
            with self._lock:
                # The next one may have been claimed as soon as this one's end was recorded.
                if self._active is not None and self._active[0].run_id == claim.run_id:
                    self._active = None

    def finish(self) -> None:
        """Work on a claimed run that nobody has begun; call it when nobody else can."""
        if (active := self._active) is not None:
            self.work(*active)

    def stop_active(self, why: RunStopped) -> None:
        """End the run at work in this process, if any, at its next checkpoint."""
        if (control := self.active_control) is not None:
            control.stop(why)

    def carry_out_pending(self, epoch: int) -> None:
        """Carry out what was asked and not answered yet, in the order it was asked."""
        now = self._driven.clock.now_ms()
        with self._lock:
            wishes = self._driven.schedule.pending_intents() if self._is_open else []
            for intent in wishes:
                if intent.expires_at is not None and intent.expires_at < now:
                    self._answer(intent, IntentState.EXPIRED, {}, epoch)
                else:
                    self._carry_out(intent, epoch)

    def _carry_out(self, intent: Intent, epoch: int) -> None:
        if intent.kind is IntentKind.BOOT:
            self._boot(intent, epoch)
        elif intent.kind is IntentKind.START:
            self._start(intent, epoch)
        elif intent.kind is IntentKind.STOP:
            self._stop(intent, epoch)
        else:
            self._run_now(intent, epoch)

    def _boot(self, intent: Intent, epoch: int) -> None:
        policy = intent.parameters["policy"]
        state, driven = self._driven.schedule.state(), self._driven
        is_known = state.changed_at > 0
        interval = state.interval_minutes if policy == "keep" else driven.policy.interval_minutes
        is_start = policy == "start" or (policy == "keep" and (state.is_started or not is_known))
        self._boot_log.info("Starting background sync services...")
        with driven.transactions.transaction():
            if is_start and not (policy == "keep" and is_known):
                self._begin(interval, self._first_due(), intent.requested_by, epoch)
            elif not is_start and state.is_started:
                driven.schedule.end(None, epoch)
            self._answer(intent, IntentState.APPLIED, {}, epoch)
        label = driven.resource.label
        if is_start:
            self._log.info("Starting auto-sync every %d minutes", interval)
            self._boot_log.info("%s auto-sync started (%dmin interval)", label, interval)
        else:
            self._boot_log.info("%s auto-sync is stopped", label)

    def _start(self, intent: Intent, epoch: int) -> None:
        interval, state = int(str(intent.parameters["intervalMinutes"])), self._state()
        due = self._first_due()
        if state.next_due_at is not None:
            sooner = self._driven.clock.now_ms() + interval * 60_000
            is_same = interval == state.interval_minutes
            due = state.next_due_at if is_same else min(state.next_due_at, sooner)
        with self._driven.transactions.transaction():
            self._begin(interval, due, intent.requested_by, epoch)
            result = {"intervalMinutes": interval, "nextRunAt": due}
            self._answer(intent, IntentState.APPLIED, result, epoch)
        self._log.info("Starting auto-sync every %d minutes", interval)

    def _stop(self, intent: Intent, epoch: int) -> None:
        with self._driven.transactions.transaction():
            self._driven.schedule.end(intent.requested_by, epoch)
            self._answer(intent, IntentState.APPLIED, {}, epoch)
        if (control := self.active_control) is not None:
            control.end_retries()
            if intent.parameters.get("cancel"):
                by = intent.requested_by or "an admin"
                control.stop(RunCancelled("requested", f"cancelled by {by}"))
        self._log.info("Stopped auto-sync")

    def _run_now(self, intent: Intent, epoch: int) -> None:
        """Begin the run that was asked for: a sync, an approval, a rollback."""
        request = _request(intent)
        try:
            claim, control = self._claim(request, epoch, intent)
        except SyncInProgressError as exc:
            result = {"reason": exc.code, "runId": exc.run_id}
            self._answer(intent, IntentState.REJECTED, result, epoch)
        except (NotFoundError, RefusedError) as exc:
            result = {"reason": exc.code, "detail": str(exc)}
            self._answer(intent, IntentState.REJECTED, result, epoch)
        else:
            self._submit(claim, control)

    def _claim_due(self, epoch: int) -> tuple[Claim, RunControl] | None:
        """Claim the run that is due, if one still is when nothing is being carried out."""
        with self._lock:
            state, now = self._state(), self._driven.clock.now_ms()
            if not self._is_open or state.next_due_at is None or state.next_due_at > now:
                return None
            is_late = now - state.next_due_at > _CATCH_UP_AFTER_MS
            trigger = Trigger.CATCH_UP if is_late else Trigger.SCHEDULE
            request = RunRequest(trigger, due_at=state.next_due_at)
            try:
                return self._claim(request, epoch)
            except SyncInProgressError as exc:
                self._skip(request, epoch, exc)
                return None

    def _interrupt_orphans(self, epoch: int) -> list[str]:
        """Correct runs on which nobody works, and return them: not the one at work here."""
        with self._lock:
            # One of an earlier epoch is fenced, whoever still works on it.
            ours = self._active[0] if self._active else None
            at_work = ours.run_id if ours is not None and ours.epoch == epoch else None
            return self._driven.history.interrupt_orphans(epoch, at_work)

    def _claim(
        self, request: RunRequest, epoch: int, intent: Intent | None = None
    ) -> tuple[Claim, RunControl]:
        """Claim a run, and answer the intent that asked for it in the same transaction."""
        with self._lock:
            with self._driven.transactions.transaction():
                # A run whose end could not be written must not be in the way of this one.
                self._interrupt_orphans(epoch)
                claim = self._driven.sync.claim(request, epoch)
                if intent is not None:
                    result = {"runId": claim.run_id, "sessionId": claim.session_id}
                    self._answer(intent, IntentState.APPLIED, result, epoch)
            self._active = (claim, RunControl())
            return self._active

    def _skip(self, request: RunRequest, epoch: int, why: SyncInProgressError) -> None:
        with self._driven.transactions.transaction():
            self._driven.history.record_skip(request, epoch, why.code, str(why))
            self._driven.sync.advance_schedule(epoch)
        self._log.info("Skipped: %s", why, extra={"reason": why.code, "runId": why.run_id})

    def _begin(self, interval: int, due: int, changed_by: str | None, epoch: int) -> None:
        self._driven.schedule.begin(interval, due, changed_by, epoch)

    def _answer(
        self, intent: Intent, state: IntentState, result: Mapping[str, object], epoch: int
    ) -> None:
        self._driven.schedule.answer_intent(intent.id, state, result, epoch)

    def _first_due(self) -> int:
        delay_ms = int(self._driven.policy.initial_delay_s * 1000)
        return self._driven.clock.now_ms() + delay_ms

    def _bound_due_time(self, epoch: int) -> None:
        """Never wait longer than an interval: the clock may have been set back while away."""
        state = self._state()
        latest = self._driven.clock.now_ms() + state.interval_minutes * 60_000
        if state.next_due_at is not None and state.next_due_at > latest:
            self._driven.schedule.set_next_due(latest, epoch)

    def _state(self) -> SchedulerState:
        return self._driven.schedule.state()


def _request(intent: Intent) -> RunRequest:
    """Return the run that an intent asks for."""
    told, by = intent.parameters, intent.requested_by
    if intent.kind is IntentKind.APPROVE:
        return RunRequest(Trigger.MANUAL, by, approves=str(told["runId"]))
    if intent.kind is IntentKind.ROLLBACK:
        undone, keeps = str(told["sessionId"]), told["keepSchedule"] is True
        return RunRequest(Trigger.ROLLBACK, by, rolls_back=undone, keeps_schedule=keeps)
    return RunRequest(Trigger.MANUAL, by, is_dry_run=told.get("dryRun") is True)
