"""What one attempt does, from the source's first page to the commit.

Each way to end well is one transaction in which session, run, schedule and catalogue
become true together.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from archibald_sync.domain.models import (
    PlanCounts,
    Rollback,
    RunEnd,
    RunOutcome,
    SessionEnd,
    SessionStatus,
    Stage,
)
from archibald_sync.domain.policy import OWNER_LEASE_TTL_S
from archibald_sync.errors import Fenced, NotModified, StorageError
from archibald_sync.logs import ComponentLogger
from archibald_sync.services.approval import not_approved
from archibald_sync.services.attempt import (
    Mirror,
    dry_message,
    hold,
    make_plan,
    objections_to,
    open_reporter,
)
from archibald_sync.services.entries import plan_entries
from archibald_sync.services.outcomes import extract_coverage
from archibald_sync.services.revocation import require_revocable
from archibald_sync.services.summary import plan_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archibald_sync.clock import Clock
    from archibald_sync.domain.guards import Objection
    from archibald_sync.domain.models import Claim
    from archibald_sync.domain.plan import Plan
    from archibald_sync.domain.ports import Transactions
    from archibald_sync.domain.schedule_ports import OwnerLeases, Schedule
    from archibald_sync.services.work import Work

_UNCHANGED = "the source says that nothing changed since the last sync: checked, not verified"


class AttemptWorker:
    """Makes the plan of an attempt, and does with it what the run is for."""

    def __init__(
        self,
        mirror: Mirror,
        *,
        transactions: Transactions,
        owner: OwnerLeases,
        schedule: Schedule,
        clock: Clock,
        advance: Callable[[Claim], None],
    ) -> None:
        """Keep the collaborators.

        Args:
            mirror: The resource.
            transactions: What makes everything true together.
            owner: The lease under which a run writes.
            schedule: What a rollback stops.
            clock: Tells when everything was verified for the last time.
            advance: Moves the due time on, where the run was due.
        """
        self._mirror = mirror
        self._history = mirror.history
        self._transactions = transactions
        self._owner = owner
        self._schedule = schedule
        self._clock = clock
        self._advance = advance
        self._log = ComponentLogger(mirror.resource.component)

    def attempt(self, work: Work, session_id: str) -> None:
        """Do all that one session does.

        Raises:
            SourceError: The source did not deliver a complete extract.
            PlanHeld: A guard refused the plan.
            RefusedError: What is to be undone cannot be.
            RunStopped: The run must end now.
        """
        if work.claim.request.rolls_back is not None:
            self._roll_back(work, session_id, work.claim.request.rolls_back)
            return
        control, validator = work.control, self._validator(work)
        report = open_reporter(self._mirror, control, work.claim, session_id).report
        try:
            work.plan = make_plan(self._mirror, control, report, validator)
        except NotModified:
            if validator is None:
                raise  # nobody asked
            self._confirm(work, session_id)
            return
        work.objections = self._objections(work.claim, work.plan)
        self._conclude(work, work.plan, session_id)

    def summary(self, work: Work) -> dict[str, object] | None:
        """Return what a run keeps of its plan, if it made one."""
        if work.plan is None:
            return None
        return plan_summary(self._mirror, work.plan, work.objections)

    def _validator(self, work: Work) -> str | None:
        """Return what lets the source take the short-cut, unless all is to be verified."""
        request = work.claim.request
        if request.is_dry_run or request.approves is not None:
            return None
        verified_at = self._history.last_times()["lastVerifiedAt"]
        if verified_at is None:
            return None
        age_ms = self._clock.now_ms() - verified_at
        if not 0 <= age_ms < self._mirror.verify_every_hours * 3_600_000:
            return None  # it is time, or the clock was set back: who knows
        return self._mirror.catalogue.validator(self._mirror.source.mapping_version)

    def _objections(self, claim: Claim, plan: Plan) -> list[Objection]:
        """Return what the guards have against ``plan`` that nobody has approved."""
        objections, approved = objections_to(self._mirror, plan), claim.request.approves
        held = self._history.run(approved) if approved else None
        return not_approved(objections, held, plan.counts) if held else objections

    def _conclude(self, work: Work, plan: Plan, session_id: str) -> None:
        """Apply a plan; one that is refused or only asked for is kept for a look instead."""
        if work.claim.request.is_dry_run:
            self._keep_entries(work, plan)
            self._end_dry(work, plan, session_id)
            return
        if work.objections:
            self._keep_entries_if_possible(work, plan)
        hold(work.objections)
        self._apply(work, plan, session_id)

    def _keep_entries(self, work: Work, plan: Plan) -> None:
        entries = plan_entries(self._mirror, plan, work.control)
        self._mirror.plans.keep(work.claim.run_id, entries)

    def _keep_entries_if_possible(self, work: Work, plan: Plan) -> None:
        """Keep the entries of a plan that is held; it is held without them as well."""
        try:
            self._keep_entries(work, plan)
        except StorageError as exc:
            self._log.warning("%s", exc, extra={**work.log_fields, "code": exc.code})

    def _end_dry(self, work: Work, plan: Plan, session_id: str) -> None:
        """Record what a plan would do; the catalogue stays as it is."""
        epoch, coverage = work.claim.epoch, extract_coverage(plan)
        with self._transactions.transaction():
            end = SessionEnd(
                SessionStatus.COMPLETED,
                plan.counts,
                coverage=coverage,
                stage_ms=work.control.stage_ms(),
            )
            self._history.end_session(session_id, end, epoch)
            self._end_run(work, dry_message(work.objections))
            work.control.checkpoint()

    def _confirm(self, work: Work, session_id: str) -> None:
        """Record that the catalogue is what the source has, by its own word."""
        with self._writing(work):
            newest = self._mirror.catalogue.newest_change()
            end = SessionEnd(
                SessionStatus.COMPLETED,
                PlanCounts(),
                changes_after=newest,
                is_shortcut=True,
                stage_ms=work.control.stage_ms(),
            )
            self._history.end_session(session_id, end, work.claim.epoch)
            self._end_run(work, _UNCHANGED)
        work.counts = PlanCounts()

    def _apply(self, work: Work, plan: Plan, session_id: str) -> None:
        """Write plan, session, run and schedule in one transaction: all true, or none."""
        counts, coverage = plan.counts, extract_coverage(plan)
        with self._writing(work):
            newest = self._mirror.catalogue.newest_change()
            self._mirror.catalogue.apply(plan, session_id, work.claim.epoch, work.control)
            end = SessionEnd(
                SessionStatus.COMPLETED,
                counts,
                coverage=coverage,
                changes_after=newest,
                stage_ms=work.control.stage_ms(),
            )
            self._history.end_session(session_id, end, work.claim.epoch)
            self._end_run(work)
        work.counts = counts
        if counts.oscillating:
            many = counts.oscillating
            self._log.warning("Values change back and forth: %d", many, extra=work.log_fields)

    def _roll_back(self, work: Work, session_id: str, undone: str) -> None:
        """Undo a session and all after it; the next sync would bring the source's state back."""
        mirror, request, epoch = self._mirror, work.claim.request, work.claim.epoch
        work.control.enter(Stage.APPLY)
        with self._writing(work):
            after = require_revocable(mirror.resource, self._history, mirror.catalogue, undone)
            newest = mirror.catalogue.newest_change()
            rollback = Rollback(undone, after, session_id, epoch)
            counts = mirror.catalogue.roll_back(rollback, work.control)
            end = SessionEnd(
                SessionStatus.COMPLETED,
                counts,
                coverage=mirror.catalogue.coverage(),
                changes_after=newest,
                stage_ms=work.control.stage_ms(),
            )
            self._history.end_session(session_id, end, epoch)
            if not request.keeps_schedule and self._schedule.state().is_started:
                self._schedule.end(request.requested_by, epoch)
            self._end_run(work, f"everything since session {undone} was undone, that included")
        work.counts = counts

    def _end_run(self, work: Work, detail: str | None = None) -> None:
        summary = self.summary(work)
        done = RunEnd(RunOutcome.COMPLETED, None, detail, work.attempts, summary)
        self._history.end_run(work.claim.run_id, done, work.claim.epoch)

    @contextmanager
    def _writing(self, work: Work) -> Iterator[None]:
        """Write inside the block as the owner, and move the schedule on with it."""
        with self._transactions.transaction():
            self._hold_fence(work.claim.epoch)
            yield
            self._advance(work.claim)
            self._hold_fence(work.claim.epoch)
            work.control.checkpoint()

    def _hold_fence(self, epoch: int) -> None:
        """Check the epoch by prolonging its lease: nobody else can while we write."""
        if not self._owner.renew(epoch, OWNER_LEASE_TTL_S):
            raise Fenced(f"another process owns {self._mirror.resource.name} now")
