"""A plan beside the last good sync: counts, and how far each column is filled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import SessionStatus
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later

if TYPE_CHECKING:
    from collections.abc import Mapping

# (of the plan, of a session, in words)
_COUNTS = (
    ("extracted", "itemsProcessed", later("Rows read")),
    ("unchanged", "itemsUnchanged", later("Unchanged")),
    ("created", "itemsCreated", later("Created")),
    ("renamed", "itemsRenamed", later("of them renamed")),
    ("updated", "itemsUpdated", later("Updated")),
    ("restored", "itemsRestored", later("Restored")),
    ("missing", "itemsMissing", later("Missing")),
    ("deleted", "itemsDeleted", later("of them deleted")),
    ("rejected", "itemsRejected", later("Rejected")),
)
# A column is said to have lost values when its share fell by more than this.
_NOTED_LOSS = 0.01
_READ = frozenset({"itemsProcessed", "itemsRejected"})
_PARTS = frozenset({"renamed", "deleted"})  # of the count above them


def session_counts(session: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return (name, count) of what a session did: only what it read, if it was not completed."""
    is_whole = session["status"] == SessionStatus.COMPLETED
    if not is_whole and not session["itemsProcessed"]:
        return []
    return [
        (_(label), session[name] or 0)
        for _plan, name, label in _COUNTS
        if is_whole or name in _READ
    ]


def compared_counts(
    plan: Mapping[str, int], good: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return each count of a plan beside that of the last good session, if there is one."""
    return [
        {
            "label": _(label),
            "is_part": name in _PARTS,
            "plan": plan[name],
            "good": good[column] if good else None,
        }
        for name, column, label in _COUNTS
    ]


def compared_coverage(
    plan: Mapping[str, Any] | None, good: Mapping[str, Any] | None
) -> list[dict[str, Any]]:
    """Return the share of filled rows of each column before and now, what lost most first.

    Args:
        plan: The coverage of the plan's extract.
        good: That of the last good session; None where there is none.

    Returns:
        ``field``, ``now`` and ``before`` in per cent (None: not known), and ``loss``:
        ``all``, ``some`` or None.
    """
    if plan is None:
        return []
    columns = [_column(name, plan, good) for name in plan["filled"]]
    return sorted(columns, key=lambda one: one["now"] - (one["before"] or 0))


def _column(name: str, plan: Mapping[str, Any], good: Mapping[str, Any] | None) -> dict[str, Any]:
    now = _share(plan, name)
    before = _share(good, name) if good and name in good["filled"] else None
    loss = None
    if before is not None and now < before - _NOTED_LOSS:
        loss = "some" if now else "all"
    return {
        "field": name,
        "now": now * 100,
        "before": None if before is None else before * 100,
        "loss": loss,
    }


def _share(coverage: Mapping[str, Any], name: str) -> float:
    filled: int = coverage["filled"].get(name, 0)
    return filled / coverage["rows"] if coverage["rows"] else 0.0
