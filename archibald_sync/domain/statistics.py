"""What the past says: how often syncs succeed, and how long the next one will take."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from archibald_sync.domain.models import RunOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# A run that somebody cancelled, or that did not take place, says nothing about the sync.
_JUDGED = frozenset(
    {RunOutcome.COMPLETED, RunOutcome.FAILED, RunOutcome.HELD, RunOutcome.INTERRUPTED}
)


@dataclass(frozen=True, slots=True)
class Effort:
    """What one whole reading took, and for how many rows."""

    duration_ms: int
    items: int


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """How many of the runs that count have completed; ``percent`` is None where none counts."""

    counted: int
    completed: int

    @property
    def percent(self) -> float | None:
        """Return the share of completed runs, from 0 to 100."""
        return self.completed / self.counted * 100 if self.counted else None


def success_rate(outcomes: Iterable[str | None]) -> SuccessRate:
    """Return the rate over ``outcomes``; those at work, skipped and cancelled do not count."""
    judged = [outcome for outcome in outcomes if outcome in _JUDGED]
    return SuccessRate(len(judged), judged.count(RunOutcome.COMPLETED))


def expected_duration_ms(past: Sequence[Effort], total_items: int | None) -> int | None:
    """Return how long a reading of ``total_items`` rows will take, judged by ``past``.

    The median of the past, by the row where both numbers of rows are known; None where
    there is no past.
    """
    by_row = [one.duration_ms / one.items for one in past if one.items]
    if total_items and by_row:
        return round(median(by_row) * total_items)
    return round(median(one.duration_ms for one in past)) if past else None
