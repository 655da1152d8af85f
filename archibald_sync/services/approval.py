"""An admin's approval of a held plan: for one run, for that plan, for its guards.

The run reads the source anew, so the plan that it makes is another one. It may pass
exactly the guards that held the approved plan, and only if it does the same as that
plan, within a hundredth in each count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.domain.guards import Objection
from archibald_sync.domain.models import RunOutcome
from archibald_sync.domain.policy import APPROVAL_TOLERANCE
from archibald_sync.errors import NotFoundError, RefusedError
from archibald_sync.services.summary import counts_by_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.models import PlanCounts
    from archibald_sync.domain.ports import History

# These do not say what the plan does.
_NOT_COMPARED = frozenset({"activeBefore", "declaredTotal", "oscillating"})


def require_approvable(history: History, run_id: str) -> None:
    """Refuse an approval that does not fit the run; call it in the claiming transaction.

    Raises:
        NotFoundError: There is no such run.
        RefusedError: It is not held, was approved before, or a newer one is held.
    """
    run = history.run(run_id)
    if run is None:
        raise NotFoundError(f"there is no run {run_id}")
    if run["outcome"] != RunOutcome.HELD:
        outcome = run["outcome"] or "still at work"
        raise RefusedError("not_held", f"run {run_id} is {outcome}; only a held one is approved")
    if run["approvedAt"] is not None:
        raise RefusedError(
            "approved_before",
            f"run {run_id} was approved by {run['approvedBy'] or 'somebody'} already; "
            "an approval is good for one run",
        )
    newest = history.newest_held_run_id()
    if newest != run_id:
        raise RefusedError("newer_held", f"run {newest} was held later; look at that one")


def not_approved(
    objections: Sequence[Objection], held: Mapping[str, Any], counts: PlanCounts
) -> list[Objection]:
    """Return which objections still hold a plan after a held run was approved.

    Args:
        objections: What the guards have against the new plan.
        held: The row of the approved run.
        counts: What the new plan would do.
    """
    summary = held["summary"] or {}
    approved = {one["guard"] for one in summary.get("objections", ())}
    differing = _differing(summary.get("counts", {}), counts_by_name(counts))
    if differing and objections:
        message = f"the approved plan of {held['id']} was another one: {', '.join(differing)}"
        return [*objections, Objection("approval_mismatch", message)]
    return [one for one in objections if one.guard not in approved]


def _differing(held: Mapping[str, int], now: Mapping[str, int | None]) -> list[str]:
    return [
        f"{name} {now[name] or 0} instead of {count}"
        for name, count in held.items()
        if name not in _NOT_COMPARED
        and abs((now.get(name) or 0) - count) > APPROVAL_TOLERANCE * count
    ]
