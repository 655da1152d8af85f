"""What a run keeps of its plan for people: counts, judgement and samples."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING

from archibald_sync.domain.delta import SAMPLE_SIZE
from archibald_sync.domain.samples import sample_changes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archibald_sync.domain.guards import Objection
    from archibald_sync.domain.models import PlanCounts
    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.plan import Plan
    from archibald_sync.services.attempt import Mirror


def plan_summary(
    mirror: Mirror, plan: Plan, objections: Sequence[Objection] = ()
) -> dict[str, object]:
    """Return what a run keeps of its plan: counts, what spoke against it, samples."""
    return {
        "counts": counts_by_name(plan.counts),
        "objections": [asdict(one) for one in objections],
        "duplicateKeys": list(plan.duplicate_keys),
        **sample_changes(plan),
        "renamed": [
            {"id": new, "from": old} for new, old in islice(plan.renames.items(), SAMPLE_SIZE)
        ],
        "oscillating": [asdict(one) for one in plan.oscillations],
        "missing": _keys(mirror, plan.missing),
        "deleted": _keys(mirror, plan.deleted),
        "restored": _keys(mirror, plan.restored),
    }


def counts_by_name(counts: PlanCounts) -> dict[str, int | None]:
    """Return counts under the camelCase names that JSON has everywhere."""
    renamed = {"active_before": "activeBefore", "declared_total": "declaredTotal"}
    return {renamed.get(name, name): value for name, value in asdict(counts).items()}


def _keys(mirror: Mirror, rows: Sequence[int]) -> list[Value]:
    sample = rows[:SAMPLE_SIZE]
    key = mirror.resource.key.name
    return [values[0] for _, values in mirror.catalogue.rows(sample, [key])] if sample else []
