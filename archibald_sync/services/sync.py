"""A run: up to three attempts with fixed waits, and the truth about how it ended."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    stop_when_event_set,
    wait_chain,
    wait_fixed,
)

from archibald_sync.domain.models import (
    Claim,
    RunEnd,
    RunOutcome,
    RunRequest,
    SessionEnd,
    SessionStatus,
    Trigger,
)
from archibald_sync.errors import (
    ArchibaldSyncError,
    Fenced,
    PlanHeld,
    Preempted,
    RunCancelled,
    StorageError,
    TransientSourceError,
)
from archibald_sync.logs import ComponentLogger
from archibald_sync.services.approval import require_approvable
from archibald_sync.services.events import sync_completed, sync_failure, sync_held
from archibald_sync.services.outcomes import (
    code_of,
    extract_coverage,
    read_only_counts,
    sentence_of,
    status_of,
)
from archibald_sync.services.revocation import require_revocable
from archibald_sync.services.slots import Slots
from archibald_sync.services.work import Work
from archibald_sync.services.worker import AttemptWorker

if TYPE_CHECKING:
    from archibald_sync.clock import Clock
    from archibald_sync.domain.policy import RetryPolicy, SessionLimits
    from archibald_sync.domain.ports import Transactions
    from archibald_sync.domain.schedule_ports import OwnerLeases, PriorityLeases, Schedule
    from archibald_sync.services.attempt import Mirror
    from archibald_sync.services.control import RunControl
    from archibald_sync.services.journal import RunJournal

_LEASE_POLL_S = 0.1


class SyncService:
    """Runs the sync of one resource."""

    def __init__(  # noqa: PLR0913  # its collaborators, each given once by bootstrap
        self,
        mirror: Mirror,
        *,
        transactions: Transactions,
        schedule: Schedule,
        owner: OwnerLeases,
        priority: PriorityLeases,
        journal: RunJournal,
        retry: RetryPolicy,
        limits: SessionLimits,
        clock: Clock,
    ) -> None:
        """Keep the collaborators; nothing runs before ``claim`` and ``run``."""
        self._mirror = mirror
        self._history = mirror.history
        self._transactions = transactions
        self._slots = Slots(mirror.history, schedule, transactions, clock)
        self._priority = priority
        self._journal = journal
        self._retry = retry
        self._limits = limits
        self._clock = clock
        self._worker = AttemptWorker(
            mirror,
            transactions=transactions,
            owner=owner,
            schedule=schedule,
            clock=clock,
            advance=self._advance_if_due,
        )
        self._log = ComponentLogger(mirror.resource.component)

    def claim(self, request: RunRequest, epoch: int) -> Claim:
        """Begin a run, with its first session unless a priority lease is held.

        Raises:
            SyncInProgressError: Another run is working.
            NotFoundError: It approves a run, or undoes a session, that there is not.
            RefusedError: That run cannot be approved, or that session not undone.
            Fenced: ``epoch`` is over.
        """
        if request.approves is not None:
            require_approvable(self._history, request.approves)
        if request.rolls_back is not None:
            mirror, undone = self._mirror, request.rolls_back
            require_revocable(mirror.resource, mirror.history, mirror.catalogue, undone)
        return self._history.claim_run(
            request,
            epoch,
            with_session=not self._priority.held(),
            max_attempts=self._retry.max_attempts,
        )

    def run(self, claim: Claim, control: RunControl) -> RunEnd:
        """Work on a claimed run until it ends; return how it did.

        Only an error that nobody foresaw comes out of here, after it was recorded.
        """
        work = Work(claim, control)
        with self._journal.recording(claim):
            try:
                end = self._work(work)
            except Fenced as exc:
                self._log.warning("Run abandoned: %s", exc, extra={"runId": claim.run_id})
                return RunEnd(RunOutcome.INTERRUPTED, "fenced", str(exc), work.attempts)
            self._announce(work, end)
        return end

    def keep_lines(self) -> None:
        """Keep what the run at work has logged so far; call it from time to time."""
        self._journal.keep()

    def supervise(self, control: RunControl) -> None:
        """Make a run give way to leases and keep to its limits; call it several times a second."""
        if not control.is_working:
            return
        if held := self._priority.held():
            control.preempt(Preempted(f"{held[0].owner} holds a priority lease"))
        control.enforce(self._limits)

    def advance_schedule(self, epoch: int) -> None:
        """Move the due time past now, on its grid: slots gone by are not made up for."""
        self._slots.advance(epoch)

    def _work(self, work: Work) -> RunEnd:
        try:
            self._attempts(work)
        except Fenced:
            raise
        except Exception as exc:  # recorded whatever it is; raised again if unforeseen
            end = self._end_of(work, exc)
            self._finish(work, end)
            if not isinstance(exc, ArchibaldSyncError):
                raise
            return end
        return RunEnd(RunOutcome.COMPLETED, attempts=work.attempts)

    def _attempts(self, work: Work) -> None:
        enough = work.control.no_more_attempts
        retrying = Retrying(
            retry=retry_if_exception_type(TransientSourceError),
            stop=stop_after_attempt(self._retry.max_attempts) | stop_when_event_set(enough),
            wait=self._wait_s,
            # An event that merely ends the sleep would let one more attempt begin.
            sleep=work.control.wait,
            before_sleep=partial(self._note_wait, work),
            reraise=True,
        )
        for attempt in retrying:
            with attempt:
                work.attempts = attempt.retry_state.attempt_number
                self._attempt_when_quiet(work)

    def _attempt_when_quiet(self, work: Work) -> None:
        """Make one attempt; giving way to foreground work uses none up."""
        while True:
            # A session that came with the claim is at work already: it gives way by
            # ending, so that no row says "running" while it waits.
            if work.session_id is not None or work.claim.session_id is None:
                self._await_quiet(work.control)
            try:
                return self._attempt(work)
            except Preempted as exc:
                self._log.info("Sync gives way: %s", exc, extra={"runId": work.claim.run_id})

    def _await_quiet(self, control: RunControl) -> None:
        control.checkpoint()
        while self._priority.held():
            control.wait(_LEASE_POLL_S)

    def _attempt(self, work: Work) -> None:
        claim, control = work.claim, work.control
        is_first = work.session_id is None
        session_id = is_first and claim.session_id
        session_id = session_id or self._history.begin_session(claim, work.attempts)
        work.session_id, work.plan = session_id, None
        try:
            with control.session():
                # Whoever took a lease a moment ago may have been told that all is quiet.
                self.supervise(control)
                self._worker.attempt(work, session_id)
        except Exception as exc:  # recorded whatever it is, and raised again
            self._end_session(work, exc)
            raise
        self._log.info("%s successful (attempt %d)", self._kind(claim), work.attempts)

    def _advance_if_due(self, claim: Claim) -> None:
        if claim.request.trigger.is_due:
            self._slots.advance(claim.epoch, claim)

    def _end_session(self, work: Work, exc: Exception) -> None:
        if isinstance(exc, Fenced) or work.session_id is None:
            return
        plan = work.plan if isinstance(exc, PlanHeld) else None
        end = SessionEnd(
            status_of(exc),
            read_only_counts(plan),
            code_of(exc),
            sentence_of(exc),
            extract_coverage(plan),
            stage_ms=work.control.stage_ms(),
        )
        self._history.end_session(work.session_id, end, work.claim.epoch)
        fields = {"runId": work.claim.run_id, "sessionId": work.session_id, "code": end.error_code}
        if end.status is SessionStatus.FAILED:
            self._log.error(
                "%s failed (attempt %d)", self._kind(work.claim), work.attempts, extra=fields
            )
        self._log.warning("Attempt %d: %s", work.attempts, end.error_message, extra=fields)

    def _end_of(self, work: Work, exc: Exception) -> RunEnd:
        detail, summary = sentence_of(exc), None
        outcome, reason = RunOutcome.FAILED, code_of(exc)
        if isinstance(exc, PlanHeld):
            outcome, summary = RunOutcome.HELD, self._worker.summary(work)
        elif isinstance(exc, RunCancelled):
            is_shutdown = exc.reason == "shutdown"
            outcome = RunOutcome.INTERRUPTED if is_shutdown else RunOutcome.CANCELLED
            reason = exc.reason
        elif self._was_cut_short(work, exc):
            outcome, reason = RunOutcome.CANCELLED, "stopped"
        return RunEnd(outcome, reason, detail, work.attempts, summary)

    def _was_cut_short(self, work: Work, exc: Exception) -> bool:
        """Return whether a stop kept a run from the attempts it had left."""
        has_attempts_left = work.attempts < self._retry.max_attempts
        is_told = work.control.no_more_attempts.is_set()
        return isinstance(exc, TransientSourceError) and has_attempts_left and is_told

    def _finish(self, work: Work, end: RunEnd) -> None:
        """Record how the run ended; a run that shut down stays due."""
        claim = work.claim
        with self._transactions.transaction():
            self._history.end_run(claim.run_id, end, claim.epoch)
            if end.reason != "shutdown":
                self._advance_if_due(claim)

    def _announce(self, work: Work, end: RunEnd) -> None:
        name, run_id = self._mirror.resource.name, work.claim.run_id
        if not work.claim.request.is_sync:
            return  # whoever asked for it looks at its outcome
        if end.outcome is RunOutcome.COMPLETED:
            sync_completed.send(
                name,
                run_id=run_id,
                session_id=work.session_id,
                attempts=end.attempts,
                counts=work.counts,
            )
            return
        if end.outcome is RunOutcome.FAILED and end.attempts >= self._retry.max_attempts:
            self._log.error("All retry attempts exhausted", extra={"runId": run_id})
        signal = {RunOutcome.FAILED: sync_failure, RunOutcome.HELD: sync_held}.get(end.outcome)
        if signal is not None:
            signal.send(
                name, run_id=run_id, attempts=end.attempts, code=end.reason, error=end.detail
            )

    def _wait_s(self, state: RetryCallState) -> float:
        planned = wait_chain(*map(wait_fixed, self._retry.delays_s))(state)
        asked = getattr(_error_of(state), "retry_after_s", None) or 0
        return max(planned, min(asked, self._retry.retry_after_cap_s))

    def _note_wait(self, work: Work, state: RetryCallState) -> None:
        """Tell the log, and whoever looks at the run's row, when the next attempt begins."""
        wait_ms = round((state.next_action.sleep if state.next_action else 0) * 1000)
        following, most = state.attempt_number + 1, self._retry.max_attempts
        fields = {"runId": work.claim.run_id}
        self._log.info("Retrying in %dms (attempt %d/%d)", wait_ms, following, most, extra=fields)
        try:
            self._history.await_attempt(
                work.claim.run_id, self._clock.now_ms() + wait_ms, work.claim.epoch
            )
        except StorageError as exc:
            self._log.warning("%s", exc, extra={**fields, "code": exc.code})

    @staticmethod
    def _kind(claim: Claim) -> str:
        if not claim.request.is_sync:
            return "Dry run" if claim.request.is_dry_run else "Rollback"
        return "Manual sync" if claim.request.trigger is Trigger.MANUAL else "Auto-sync"


def _error_of(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
