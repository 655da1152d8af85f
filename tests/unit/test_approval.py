"""What an approval lets pass: exactly the guards it was given for, for the same plan."""

from __future__ import annotations

from typing import Any

import pytest

from archibald_sync.domain.guards import Objection
from archibald_sync.domain.models import PlanCounts
from archibald_sync.services.approval import not_approved
from archibald_sync.services.summary import counts_by_name

FEW, TOTAL = Objection("too_few_rows", "few"), Objection("total_mismatch", "total")
PLAN = PlanCounts(extracted=1000, created=3, missing=200, active_before=5000, declared_total=900)


def held(*guards: str, counts: PlanCounts = PLAN) -> dict[str, Any]:
    """Return the row of a run that was held by ``guards``."""
    objections = [{"guard": guard, "message": ""} for guard in guards]
    return {"id": "r1", "summary": {"counts": counts_by_name(counts), "objections": objections}}


def test_same_plan_passes_its_guards() -> None:
    """What was approved speaks against the plan no longer; anything else does."""
    assert not_approved([FEW], held("too_few_rows"), PLAN) == []
    assert not_approved([FEW, TOTAL], held("too_few_rows"), PLAN) == [TOTAL]
    assert not_approved([], held("too_few_rows"), PLAN) == []


@pytest.mark.parametrize(
    ("extracted", "created", "missing", "difference"),
    [
        (1010, 3, 200, None),
        (990, 3, 202, None),
        (1011, 3, 200, "extracted 1011 instead of 1000"),
        (1000, 4, 200, "created 4 instead of 3"),
        (1000, 3, 197, "missing 197 instead of 200"),
    ],
)
def test_plan_must_do_the_same(
    extracted: int, created: int, missing: int, difference: str | None
) -> None:
    """Each count may differ by a hundredth, not by more; the size of the catalogue may."""
    now = PlanCounts(extracted=extracted, created=created, missing=missing, active_before=1)

    left = not_approved([FEW], held("too_few_rows"), now)

    if difference is None:
        assert left == []
    else:
        assert [one.guard for one in left] == ["too_few_rows", "approval_mismatch"]
        assert difference in left[1].message


def test_run_that_kept_no_plan_approves_nothing() -> None:
    """Without a summary there is nothing that could have been approved."""
    assert not_approved([FEW], {"id": "r1", "summary": None}, PLAN) == [FEW]
