"""A few records of a plan, for people to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.domain.delta import SAMPLE_SIZE
from archibald_sync.domain.models import FieldChange, RejectedValue

if TYPE_CHECKING:
    from archibald_sync.domain.plan import Plan


def sample_changes(plan: Plan, limit: int = SAMPLE_SIZE) -> dict[str, list[Any]]:
    """Return up to ``limit`` records of ``plan`` of each kind, for people to look at."""
    created = [values[0] for (_, _, values), _ in zip(plan.created, range(limit), strict=False)]
    updated = [
        {"id": key, "changes": [FieldChange(*change) for change in changes]}
        for (*_, key, changes), _ in zip(plan.updated, range(limit), strict=False)
    ]
    rejected = [
        RejectedValue(*entry) for entry, _ in zip(plan.rejected, range(limit), strict=False)
    ]
    return {"created": created, "updated": updated, "rejected": rejected}
