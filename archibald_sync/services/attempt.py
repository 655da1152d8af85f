"""One attempt: extract, compare, judge, apply. Nothing is written before the judgement."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING

from archibald_sync.domain.delta import DeltaPlanner
from archibald_sync.domain.guards import judge
from archibald_sync.domain.models import Progress, Stage
from archibald_sync.domain.policy import VERIFY_EVERY_HOURS
from archibald_sync.errors import PlanHeld, StorageBusyError
from archibald_sync.services.findings import examined
from archibald_sync.services.outcomes import extract_coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archibald_sync.domain.guards import Objection
    from archibald_sync.domain.models import Claim, Page
    from archibald_sync.domain.plan import Plan
    from archibald_sync.domain.policy import GuardPolicy
    from archibald_sync.domain.ports import (
        Catalogue,
        Digest,
        History,
        KeptPlans,
        Source,
        SpoolFactory,
    )
    from archibald_sync.domain.resources import Resource
    from archibald_sync.services.control import RunControl

_PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Mirror:
    """A resource with everything that takes part in mirroring it."""

    resource: Resource
    source: Source
    catalogue: Catalogue
    history: History
    guards: GuardPolicy
    digest: Digest
    spool: SpoolFactory
    plans: KeptPlans
    verify_every_hours: float = VERIFY_EVERY_HOURS


class ProgressReporter:
    """Keeps the progress of a session on its row, a few times a second at most."""

    def __init__(self, history: History, control: RunControl, session_id: str, epoch: int) -> None:
        """Report for ``session_id`` under ``epoch``."""
        self._history = history
        self._control = control
        self._session_id = session_id
        self._epoch = epoch
        self._next_s = 0.0
        self._stage: Stage | None = None

    def report(self, progress: Progress) -> None:
        """Note that the session came further; write it when it is time.

        Raises:
            RunStopped: The run must end now.
        """
        self._control.note_progress()
        self._control.checkpoint()
        is_new_stage = progress.stage != self._stage
        if not is_new_stage and time.monotonic() < self._next_s:
            return
        self._stage = progress.stage
        self._next_s = time.monotonic() + _PROGRESS_EVERY_S
        try:
            self._history.update_progress(self._session_id, progress, self._epoch)
        except StorageBusyError:
            return  # a busy neighbour costs a progress report, not the run


def make_plan(
    mirror: Mirror,
    control: RunControl,
    report: Callable[[Progress], None],
    validator: str | None = None,
) -> Plan:
    """Read one complete extract and return its plan; nothing is written to the catalogue.

    Args:
        mirror: The resource.
        control: Ends the run at any moment.
        report: Keeps how far the session has come.
        validator: What lets the source say that nothing changed.

    Raises:
        NotModified: The source says so.
        SourceError: The source did not deliver a complete extract.
        RunStopped: The run must end now.
    """
    control.checkpoint()
    control.enter(Stage.DOWNLOAD)
    # Whatever ends the work ends the reading, and not only when somebody tidies up.
    with closing(mirror.source.pages(control, validator)) as pages:
        return _plan_of(mirror, control, report, pages)


def _plan_of(
    mirror: Mirror,
    control: RunControl,
    report: Callable[[Progress], None],
    pages: Iterator[Page],
) -> Plan:
    source, catalogue = mirror.source, mirror.catalogue
    # The first page before the snapshot: where nothing changed, none is needed.
    first = list(islice(pages, 1))
    snapshot = catalogue.snapshot(source.mapping_version)
    planner = DeltaPlanner(
        mirror.resource, source, snapshot, catalogue.find, mirror.digest, mirror.spool
    )
    items, last, new_validator = 0, Progress(Stage.DOWNLOAD), None
    for page in chain(first, pages):
        control.checkpoint()
        planner.add(page)
        new_validator = page.validator
        items += len(page.fingerprints)
        # A source tells what it does where that is not the download of pages.
        stage = control.stage or Stage.DOWNLOAD
        last = Progress(stage, page.number, page.total_pages, items, page.declared_total)
        report(last)
    control.enter(Stage.PLAN)
    report(Progress(Stage.PLAN, last.pages, last.total_pages, items, last.total_items))
    plan = planner.finish(mirror.guards.missing_runs_before_delete)
    plan = replace(plan, validator=new_validator)
    plan = examined(mirror, snapshot, plan)
    control.enter(Stage.APPLY)
    report(Progress(Stage.APPLY, last.pages, last.total_pages, items, last.total_items))
    return plan


def objections_to(mirror: Mirror, plan: Plan) -> list[Objection]:
    """Return what the guards have against ``plan``."""
    known = plan.coverage
    before = mirror.history.last_coverage() or (known.before if known else None)
    return judge(plan.counts, mirror.guards, before, extract_coverage(plan))


def hold(objections: Sequence[Objection]) -> None:
    """Refuse a plan that something speaks against.

    Raises:
        PlanHeld: There are objections.
    """
    if objections:
        raise PlanHeld(objections[0].guard, held_message(objections))


def dry_message(objections: Sequence[Objection]) -> str:
    """Return one sentence for what would become of a plan."""
    if not objections:
        return "dry run, nothing was written: the plan would be applied"
    reasons = "; ".join(objection.message for objection in objections)
    return f"dry run, nothing was written: the plan would be held: {reasons}"


def held_message(objections: Sequence[Objection]) -> str:
    """Return one sentence for all that speaks against a plan."""
    reasons = "; ".join(objection.message for objection in objections)
    return f"held, nothing was written: {reasons}"


def open_reporter(
    mirror: Mirror, control: RunControl, claim: Claim, session_id: str
) -> ProgressReporter:
    """Return the reporter of a session of ``claim``."""
    return ProgressReporter(mirror.history, control, session_id, claim.epoch)
