"""How many records have a value in each field, and which fields have lost theirs.

A column that the ERP hides arrives empty in every record, and looks perfect in all
other respects. Its coverage tells: the part of the records that have a value. It is
kept by counting what changes, so that unchanged records need not be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archibald_sync.domain.normalise import empty_columns, is_empty

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.policy import GuardPolicy


@dataclass(frozen=True, slots=True)
class Coverage:
    """In how many of ``rows`` records each field has a value; differences may be negative."""

    rows: int
    filled: Mapping[str, int]

    def plus(self, other: Coverage) -> Coverage:
        """Return the coverage of both together; a field that one lacks counts as empty there."""
        return self._combined(other, 1)

    def minus(self, other: Coverage) -> Coverage:
        """Return the coverage without ``other``."""
        return self._combined(other, -1)

    def only(self, fields: Iterable[str]) -> Coverage:
        """Return the coverage of ``fields`` alone."""
        return Coverage(self.rows, {name: self.filled.get(name, 0) for name in fields})

    def share(self, name: str) -> float:
        """Return which part of the records has a value in the field, 0 to 1."""
        return self.filled.get(name, 0) / self.rows if self.rows else 0.0

    def _combined(self, other: Coverage, sign: int) -> Coverage:
        names = [*self.filled, *(name for name in other.filled if name not in self.filled)]
        filled = {n: self.filled.get(n, 0) + sign * other.filled.get(n, 0) for n in names}
        return Coverage(self.rows + sign * other.rows, filled)


@dataclass(frozen=True, slots=True)
class PlanCoverage:
    """The coverage of the catalogue before a plan, of its extract, and after applying it."""

    before: Coverage
    extract: Coverage
    after: Coverage


@dataclass
class CoverageTally:
    """Counts what new and changed records do to the coverage of ``fields``."""

    fields: tuple[str, ...]
    rows: int = 0
    emptied: dict[str, int] = field(default_factory=dict)

    def add(self, content: bytes) -> None:
        """Count a new record, given what `comparable` made of its values."""
        self.rows += 1
        for column in empty_columns(content):
            self._count(self.fields[column], 1)

    def change(self, changes: Sequence[tuple[str, Value, Value]]) -> None:
        """Count the fields of a known record that change: name, old and new value."""
        for name, old, new in changes:
            if difference := is_empty(new) - is_empty(old):
                self._count(name, difference)

    def total(self) -> Coverage:
        """Return what all of them add to the coverage."""
        filled = {name: self.rows - self.emptied.get(name, 0) for name in self.fields}
        return Coverage(self.rows, filled)

    def _count(self, name: str, difference: int) -> None:
        self.emptied[name] = self.emptied.get(name, 0) + difference


def lost_fields(before: Coverage, now: Coverage, policy: GuardPolicy) -> list[str]:
    """Return the fields of ``now`` that had values before and have lost too many of them."""
    return [name for name in now.filled if _is_lost(before.share(name), now.share(name), policy)]


def _is_lost(before: float, now: float, policy: GuardPolicy) -> bool:
    if before <= policy.coverage_floor_ratio:
        return False
    return now == 0 or now < policy.min_coverage_ratio * before
