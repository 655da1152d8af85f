"""The guards in words: what each saw, with the figures of the plan, and what that may mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later, number, percent

if TYPE_CHECKING:
    from collections.abc import Mapping

# What was seen, and what may be behind it.
GUARDS = {
    "empty_extract": (
        later("The ERP delivered no row at all."),
        later("An export that failed looks like this."),
    ),
    "total_mismatch": (
        later("The ERP announced %(declared)s rows and delivered %(extracted)s."),
        later("A part was lost on the way, or the list changed while it was read."),
    ),
    "duplicate_keys": (
        later("%(duplicates)s rows repeat the key of another row."),
        later("A page came twice, or the ERP has a record twice."),
    ),
    "rejected_rows": (
        later("%(rejected)s of %(extracted)s rows have values that do not fit their column."),
        later("Columns that changed places, or another language, look like this."),
    ),
    "too_few_rows": (
        later(
            "The ERP delivered %(extracted)s rows: %(share)s of the %(active)s in the local copy."
        ),
        later("A filter that was left in the ERP's profile, or a login that sees less, does this."),
    ),
    "too_many_deleted": (
        later("%(deleted)s of the %(active)s records in the local copy would be deleted."),
        later("They were missing again: a filter, or a part of the list that is no longer shown."),
    ),
    "too_many_updated": (
        later("%(updated)s of the %(active)s records in the local copy would change."),
        later("A renamed field, another notation of numbers, or a change of all in the ERP."),
    ),
    "coverage_lost": (
        later("Columns that had values have lost them."),
        later("Columns that the ERP hides arrive empty: they are marked below."),
    ),
    "approval_mismatch": (
        later("The plan is no longer the one that was approved."),
        later("The ERP has changed meanwhile: look at this plan, and approve it if it is right."),
    ),
}


def objection(recorded: Mapping[str, str], counts: Mapping[str, int | None]) -> dict[str, str]:
    """Return what a guard has against a plan: ``seen``, ``meaning`` and what was ``recorded``.

    Args:
        recorded: The guard and its sentence, in English.
        counts: Of the plan.
    """
    known = GUARDS.get(recorded["guard"])
    seen, meaning = known or (recorded["guard"], "")
    return {
        "seen": _(seen, **_figures(counts)),
        "meaning": _(meaning) if meaning else "",
        "recorded": recorded["message"],
    }


def _figures(counts: Mapping[str, int | None]) -> dict[str, str]:
    extracted, active = counts["extracted"] or 0, counts["activeBefore"] or 0
    shown = {name: number(value or 0) for name, value in counts.items()}
    return {
        **shown,
        "declared": number(counts["declaredTotal"] or 0),
        "active": number(active),
        "share": percent(round(extracted / active * 100, 1) if active else 0),
    }
