"""Everything that a plan would do, entry by entry, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import PlanKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archibald_sync.domain.plan import Plan
    from archibald_sync.domain.ports import Control
    from archibald_sync.services.attempt import Mirror

_BETWEEN_CHECKPOINTS = 500

Entry = tuple[PlanKind, "Mapping[str, object]"]


def plan_entries(mirror: Mirror, plan: Plan, control: Control) -> Iterator[Entry]:
    """Yield every record that ``plan`` would create, update, miss, restore or leave out.

    Raises:
        RunStopped: The run must end now.
    """
    for number, entry in enumerate(_entries(mirror, plan)):
        if number % _BETWEEN_CHECKPOINTS == 0:
            control.checkpoint()
        yield entry


def _entries(mirror: Mirror, plan: Plan) -> Iterator[Entry]:
    key = [mirror.resource.key.name]
    for row, field, value, reason in plan.rejected:
        yield PlanKind.REJECTED, {"row": row, "field": field, "value": value, "reason": reason}
    deleted = set(plan.deleted)
    for row_id, (missing,) in mirror.catalogue.rows(plan.missing, key):
        yield PlanKind.MISSING, {"id": missing, "isDeleted": row_id in deleted}
    for _, (restored,) in mirror.catalogue.rows(plan.restored, key):
        yield PlanKind.RESTORED, {"id": restored}
    for *_, updated, changes in plan.updated:
        yield PlanKind.UPDATED, {"id": updated, "changes": [_change(*one) for one in changes]}
    for _, _, values in plan.created:
        key, record = values[0], dict(zip(plan.fields, values, strict=True))
        if key in plan.renames:
            yield PlanKind.RENAMED, {"id": key, "from": plan.renames[key], "values": record}
        else:
            yield PlanKind.CREATED, {"id": key, "values": record}


def _change(field: str, old: Any, new: Any) -> dict[str, Any]:  # noqa: ANN401  # any value
    return {"field": field, "old": old, "new": new}
