"""Judge a plan before anything is written.

A wrong or empty catalogue is far worse than a stale one: an extract that looks
perfect but was filtered is caught by its ratios, never by its looks. A plan that
trips a guard is held, not retried; an empty catalogue passes the ratios, since
everything is new to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.domain.coverage import lost_fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archibald_sync.domain.coverage import Coverage
    from archibald_sync.domain.models import PlanCounts
    from archibald_sync.domain.policy import GuardPolicy


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a plan is held: the guard's stable name and a sentence with the figures."""

    guard: str
    message: str


def judge(
    counts: PlanCounts,
    policy: GuardPolicy,
    before: Coverage | None = None,
    now: Coverage | None = None,
) -> list[Objection]:
    """Return what speaks against a plan; nothing means that it may be applied.

    Args:
        counts: What the plan would do.
        policy: The limits.
        before: The coverage of the last extract that was accepted, if it is known.
        now: The coverage of this extract.
    """
    objections = [*_completeness(counts, policy), *_extent(counts, policy)]
    if before and now and now.rows and counts.active_before > policy.ratio_floor_rows:
        objections.extend(_coverage(before, now, policy))
    return objections


def _coverage(before: Coverage, now: Coverage, policy: GuardPolicy) -> Iterator[Objection]:
    lost = lost_fields(before, now, policy)
    if lost:
        shares = (f"{name} {before.share(name):.0%} -> {now.share(name):.0%}" for name in lost)
        message = f"columns lost their values, in parts of the rows: {', '.join(shares)}"
        yield Objection("coverage_lost", message)


def _completeness(counts: PlanCounts, policy: GuardPolicy) -> Iterator[Objection]:
    if counts.extracted == 0:
        yield Objection("empty_extract", "the source delivered no row at all")
        return
    declared = counts.declared_total
    if declared is not None and declared != counts.extracted:
        message = f"the source announced {declared} rows and delivered {counts.extracted}"
        yield Objection("total_mismatch", message)
    if counts.duplicates:
        yield Objection("duplicate_keys", f"{counts.duplicates} rows repeat the key of another")
    if counts.rejected > policy.max_rejected_ratio * counts.extracted:
        message = (
            f"{counts.rejected} of {counts.extracted} rows have values that do not fit; "
            f"at most {policy.max_rejected_ratio:.0%} may"
        )
        yield Objection("rejected_rows", message)


def _extent(counts: PlanCounts, policy: GuardPolicy) -> Iterator[Objection]:
    active = counts.active_before
    if active <= policy.ratio_floor_rows:
        return
    if counts.extracted < policy.min_extract_ratio * active:
        message = (
            f"the source delivered {counts.extracted} rows, {counts.extracted / active:.0%} of "
            f"the {active} in the catalogue; at least {policy.min_extract_ratio:.0%} are expected"
        )
        yield Objection("too_few_rows", message)
    if counts.deleted > policy.max_deleted_ratio * active:
        message = f"{counts.deleted} of {active} rows would be deleted; at most "
        yield Objection("too_many_deleted", message + f"{policy.max_deleted_ratio:.0%} may")
    if counts.updated > policy.max_updated_ratio * active:
        message = f"{counts.updated} of {active} rows would be updated; at most "
        yield Objection("too_many_updated", message + f"{policy.max_updated_ratio:.0%} may")
