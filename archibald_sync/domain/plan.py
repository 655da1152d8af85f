"""What a plan is made from, and what it holds: data that travels, without behaviour."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Mapping, Sequence

    from archibald_sync.domain.coverage import Coverage, PlanCoverage
    from archibald_sync.domain.models import PlanCounts
    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.oscillation import Oscillation
    from archibald_sync.domain.ports import Spool


class ExistingRecord(NamedTuple):
    """A record of the catalogue as the planner compares it."""

    row_id: int
    content_hash: bytes | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class CatalogueSnapshot:
    """The catalogue's fingerprints and states, read at one moment.

    ``row_by_hash`` maps source hash to row number: a planner takes out of it what it
    meets. ``unhashed`` are the rows that are active and have no source hash, ``active``
    is how many are active in all; ``deleted`` are the rows that are deleted, ``missed``
    those active ones that were missing before, with how often. ``coverage`` is that of
    the active rows, None where it has to be counted anew. ``row_by_content`` reads, when
    it is wanted, the content hashes with their row numbers.
    """

    row_by_hash: dict[bytes, int]
    unhashed: Sequence[int]
    active: int
    deleted: frozenset[int]
    missed: Mapping[int, int]
    is_same_mapping: bool
    coverage: Coverage | None = None
    row_by_content: Callable[[], dict[bytes, int]] = dict


@dataclass(frozen=True)
class Plan:
    """What an extract would change, ready to be judged and written.

    Spools hold, for each record: ``created`` (source hash, content hash, values);
    ``updated`` (row id, content hash as it was compared, source hash, content hash, key,
    changes: field, old and new value); ``refreshed`` (row id, content hash as it was
    compared, source hash, content hash) whose content is the same; ``rejected`` (row of
    the extract, field, value, reason). ``restored`` and
    ``missing`` rows are row numbers; ``deleted`` is the part of the missing that has
    now been missing often enough; ``reappeared`` are active rows missed before.
    ``written`` is what created and updated records add to the coverage; ``coverage``
    is known once the catalogue was asked for the rest, and so are the ``renames`` (of
    created records that only got another key, the old one by the new one) and samples of
    the ``oscillations``. ``validator`` is for the source, the next time.
    """

    fields: tuple[str, ...]
    mapping_version: str
    counts: PlanCounts
    created: Spool
    updated: Spool
    refreshed: Spool
    restored: array[int]
    missing: array[int]
    deleted: array[int]
    reappeared: array[int]
    rejected: Spool
    duplicate_keys: tuple[str, ...]
    written: Coverage
    coverage: PlanCoverage | None = None
    renames: Mapping[str, str] = field(default_factory=dict)
    oscillations: tuple[Oscillation, ...] = ()
    validator: str | None = None

    def is_logged(self) -> bool:
        """Return whether applying the plan would write anything into the change log."""
        return bool(
            len(self.created) or len(self.updated) or len(self.restored) or len(self.deleted)
        )

    def is_empty(self) -> bool:
        """Return whether applying the plan would write no catalogue row."""
        return not (
            len(self.created)
            or len(self.updated)
            or len(self.refreshed)
            or self.restored
            or self.missing
            or self.reappeared
        )
