"""Guards judge a plan by its counts, before anything is written."""

from __future__ import annotations

import pytest

from archibald_sync.domain.guards import judge
from archibald_sync.domain.models import PlanCounts
from archibald_sync.domain.policy import GuardPolicy


@pytest.mark.parametrize(
    ("counts", "guards"),
    [
        (PlanCounts(extracted=0), ["empty_extract"]),
        (PlanCounts(extracted=0, active_before=4540), ["empty_extract", "too_few_rows"]),
        (PlanCounts(extracted=4540, created=4540), []),
        (PlanCounts(extracted=419, active_before=4540), ["too_few_rows"]),
        (PlanCounts(extracted=70, active_before=100), []),
        (PlanCounts(extracted=10, active_before=100), []),
        (PlanCounts(extracted=141, active_before=201), []),
        (PlanCounts(extracted=140, active_before=201), ["too_few_rows"]),
        (PlanCounts(extracted=100, declared_total=101), ["total_mismatch"]),
        (PlanCounts(extracted=100, declared_total=100), []),
        (PlanCounts(extracted=100, duplicates=1), ["duplicate_keys"]),
        (PlanCounts(extracted=100, rejected=1), []),
        (PlanCounts(extracted=100, rejected=2), ["rejected_rows"]),
        (PlanCounts(extracted=1000, active_before=1000, deleted=200), []),
        (PlanCounts(extracted=1000, active_before=1000, deleted=201), ["too_many_deleted"]),
        (PlanCounts(extracted=1000, active_before=1000, updated=500), []),
        (PlanCounts(extracted=1000, active_before=1000, updated=501), ["too_many_updated"]),
    ],
)
def test_judgement(counts: PlanCounts, guards: list[str]) -> None:
    """Each guard trips just beyond its limit, and says so with figures."""
    objections = judge(counts, GuardPolicy())

    assert [objection.guard for objection in objections] == guards
    assert all(any(c.isdigit() for c in o.message) or "no row" in o.message for o in objections)
