"""The past as charts: what the script draws, and the same in words."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import TYPE_CHECKING, Any

from archibald_sync.web.pages import words
from archibald_sync.web.pages.language import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KINDS = ("created", "updated", "deleted", "restored")


def run_chart(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the durations of ended runs for the script, the oldest first.

    Args:
        runs: As ``OverviewService.statistics`` returned them, the newest first.
    """
    ended = [one for one in reversed(runs) if one["durationMs"] is not None]
    outcomes = list(dict.fromkeys(one["outcome"] for one in ended))
    return {
        "at": [one["startedAt"] for one in ended],
        "ms": [one["durationMs"] for one in ended],
        "outcome": [outcomes.index(one["outcome"]) for one in ended],
        "names": [words.outcome(one) for one in outcomes],
        "tones": [words.tone(one) for one in outcomes],
    }


def run_words(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the same in words: how many ended how, and how long they took."""
    counts = Counter(one["outcome"] for one in runs if one["outcome"])
    took = [one["durationMs"] for one in runs if one["outcome"] == "completed"]
    return {
        "counts": counts.most_common(),
        "median_ms": median(took) if took else None,
        "longest_ms": max(took, default=None),
    }


def change_chart(days: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the changes a day for the script, the oldest day first."""
    names = {
        "created": _("created"),
        "updated": _("updated"),
        "deleted": _("deleted"),
        "restored": _("restored"),
    }
    return {
        "days": [one["day"] for one in days],
        "kinds": [{"name": names[kind], "values": [one[kind] for one in days]} for kind in _KINDS],
    }
