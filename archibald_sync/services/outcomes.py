"""What the end of an attempt means: its status, its code, its sentence, its counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.models import PlanCounts, SessionStatus
from archibald_sync.errors import ArchibaldSyncError, PlanHeld, Preempted, RunCancelled

if TYPE_CHECKING:
    from archibald_sync.domain.coverage import Coverage
    from archibald_sync.domain.plan import Plan


def read_only_counts(plan: Plan | None) -> PlanCounts | None:
    """Return the counts of a plan that was not applied: it was read, and nothing else."""
    if plan is None:
        return None
    return PlanCounts(extracted=plan.counts.extracted, rejected=plan.counts.rejected)


def extract_coverage(plan: Plan | None) -> Coverage | None:
    """Return the coverage of the extract that a plan was made of, if there is a plan."""
    return plan.coverage.extract if plan is not None and plan.coverage is not None else None


def status_of(exc: Exception) -> SessionStatus:
    """Return how a session ended that ``exc`` ended."""
    if isinstance(exc, PlanHeld):
        return SessionStatus.HELD
    if isinstance(exc, RunCancelled):
        is_shutdown = exc.reason == "shutdown"
        return SessionStatus.INTERRUPTED if is_shutdown else SessionStatus.CANCELLED
    if isinstance(exc, Preempted):
        return SessionStatus.CANCELLED
    return SessionStatus.FAILED


def code_of(exc: Exception) -> str:
    """Return the stable word for ``exc``."""
    if isinstance(exc, PlanHeld | RunCancelled):
        return exc.reason
    return exc.code if isinstance(exc, ArchibaldSyncError) else "internal_error"


def sentence_of(exc: Exception) -> str:
    """Return ``exc`` as a sentence for an operator; no foreign text."""
    if isinstance(exc, ArchibaldSyncError):
        return str(exc)
    return f"an unexpected error ({type(exc).__name__}); the log has its traceback"
