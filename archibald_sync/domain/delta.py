"""Work out the difference between an extract and the catalogue.

Two levels of fingerprints make an unchanged record nearly free. The source hash is
taken over the bytes as delivered: equal means unchanged, and the record is not even
decoded. Only then the content hash, over the normalised values of the delivered
fields, tells a new time stamp from a new price.

Nothing is written here, and nothing that grows with the records is kept in memory
but fingerprints and row numbers: what is to be written goes to spools.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from itertools import chain, compress, repeat
from operator import ne
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.columns import ColumnReader
from archibald_sync.domain.contents import KnownContents
from archibald_sync.domain.coverage import CoverageTally
from archibald_sync.domain.models import Page, PlanCounts
from archibald_sync.domain.no_spool import NoSpool
from archibald_sync.domain.normalise import Normaliser, ValueRejectedError, is_same
from archibald_sync.domain.plan import Plan
from archibald_sync.domain.sought import SoughtContents
from archibald_sync.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.plan import CatalogueSnapshot, ExistingRecord
    from archibald_sync.domain.ports import Digest, Source, SpoolFactory
    from archibald_sync.domain.resources import Resource

    # A record: its row in the extract, its source hash, and its values as delivered.
    _Delivered = tuple[int, bytes, tuple[object, ...]]

SAMPLE_SIZE = 20
VOLATILE_RATIO = 0.10
# So many that a look at the catalogue is worth it, and so few that their values stay in the
# processor's cache: twice as fast as a page of 1,000.
_COMPARED_AT_ONCE = 200

# Where a record was not met among those that are expected; rows are numbered from 1 on.
_NO_ROW = 0


@dataclass
class _Tally:
    """What the planner has counted so far."""

    extracted: int = 0
    unchanged: int = 0
    duplicates: int = 0
    same_content: int = 0
    restored_changed: int = 0
    duplicate_samples: list[str] = field(default_factory=list)
    declared_total: int | None = None


class DeltaPlanner:
    """Takes the pages of one extract, and gives the plan at the end."""

    def __init__(
        self,
        resource: Resource,
        source: Source,
        snapshot: CatalogueSnapshot,
        find: Callable[[Sequence[str], Sequence[str]], dict[str, ExistingRecord]],
        digest: Digest,
        spool: SpoolFactory,
    ) -> None:
        """Prepare to compare the extract of ``source`` with ``snapshot``.

        Args:
            resource: What the records are.
            source: Which fields are delivered, in which notation.
            snapshot: The catalogue before the run.
            find: Looks records of the catalogue up by key, with the given fields.
            digest: The content hash.
            spool: Makes the spools that hold what is to be written.
        """
        self._fields = source.fields
        self._mapping_version = source.mapping_version
        self._find = find
        self._digest = digest
        self._snapshot = snapshot
        declared = [resource.fields_by_name[name] for name in source.fields]
        normaliser = Normaliser(declared, source.notation)
        self._reader = ColumnReader(normaliser)
        sought = SoughtContents(declared, source.notation, normaliser)
        self._contents = KnownContents(snapshot.row_by_content, sought, digest)
        self._created, self._updated, self._refreshed = spool(), spool(), spool()
        self._rejected = spool()
        self._expected = snapshot.row_by_hash
        self._seen = bytearray([True])  # by row number; what is no row leads nowhere new
        self._make_room(max(chain(snapshot.row_by_hash.values(), snapshot.unhashed), default=0))
        self._refused: set[int] = set()
        self._new_keys: set[str] = set()
        self._waiting: list[_Delivered] = []
        self._tally = _Tally()
        self._coverage = CoverageTally(source.fields)

    def add(self, page: Page) -> None:
        """Compare the records of ``page``; some of those whose bytes changed wait for more.

        Raises:
            SourceFormatError: A record has no usable key.
        """
        tally = self._tally
        if page.declared_total is not None:
            tally.declared_total = page.declared_total
        seen, misses = self._seen, []
        # Most records of most pages are done with these few steps: keep them few.
        rows = map(self._expected.pop, page.fingerprints, repeat(_NO_ROW))
        for index, row_id in enumerate(rows):
            if seen[row_id]:
                misses.append(index)
            else:
                seen[row_id] = True
        tally.unchanged += len(page.fingerprints) - len(misses)
        self._look_at(page, misses)
        tally.extracted += len(page.fingerprints)
        if self._is_volatile():
            self._refreshed = NoSpool()

    def finish(self, missing_runs_before_delete: int) -> Plan:
        """Return the plan, once every page was added.

        Args:
            missing_runs_before_delete: After how many consecutive complete extracts
                without it a record is deleted.

        Raises:
            SourceFormatError: A record has no usable key.
        """
        self._compare_waiting(1)
        restored, missing, deleted, reappeared = self._sweep(missing_runs_before_delete)
        return Plan(
            fields=self._fields,
            mapping_version=self._mapping_version,
            counts=self._counts(restored, missing, deleted),
            created=self._created,
            updated=self._updated,
            refreshed=self._refreshed,
            restored=restored,
            missing=missing,
            deleted=deleted,
            reappeared=reappeared,
            rejected=self._rejected,
            duplicate_keys=tuple(self._tally.duplicate_samples),
            written=self._coverage.total(),
        )

    def _look_at(self, page: Page, misses: Sequence[int]) -> None:
        """Compare the records of ``page`` whose bytes are new."""
        first = self._tally.extracted + 1
        is_useful = self._contents.are_of_use(len(misses), len(page.fingerprints))
        for start in range(0, len(misses), _COMPARED_AT_ONCE):
            some = misses[start : start + _COMPARED_AT_ONCE]
            delivered = page.decode(some)
            everything = range(len(some))
            unknown = self._unknown_contents(page, some, delivered) if is_useful else everything
            self._waiting += [
                (first + some[at], page.fingerprints[some[at]], delivered[at]) for at in unknown
            ]
            self._compare_waiting(_COMPARED_AT_ONCE)

    def _unknown_contents(
        self, page: Page, indexes: Sequence[int], delivered: Sequence[tuple[object, ...]]
    ) -> list[int]:
        """Settle the records whose content is known; return the places of the others."""
        rows, hashes = self._contents.look_up(delivered)
        self._make_room(max(rows))
        seen = self._seen
        unknown = [at for at, row in enumerate(rows) if seen[row]]
        if not isinstance(self._refreshed, NoSpool):
            for index, row, content_hash in zip(indexes, rows, hashes, strict=True):
                if not seen[row]:
                    source_hash = page.fingerprints[index]
                    self._refreshed.append((row, content_hash, source_hash, content_hash))
        for row in rows:
            seen[row] = True
        settled = len(rows) - len(unknown)
        self._tally.unchanged += settled
        self._tally.same_content += settled
        return unknown

    def _compare_waiting(self, at_least: int) -> None:
        """Compare the records that wait, while there are so many."""
        while len(self._waiting) >= at_least:
            self._compare(self._waiting[:_COMPARED_AT_ONCE])
            del self._waiting[:_COMPARED_AT_ONCE]

    def _compare(self, records: list[_Delivered]) -> None:
        """Sort records by what became of them."""
        candidates = dict(self._candidates(records))
        existing = self._find(list(candidates), self._fields)
        self._make_room(max((known.row_id for known in existing.values()), default=0))
        for key in [key for key, known in existing.items() if self._seen[known.row_id]]:
            self._count_duplicate(key)
            del candidates[key]
        read = self._reader.read([delivered for _, _, delivered in candidates.values()])
        for (key, (row, source_hash, _)), found in zip(candidates.items(), read, strict=True):
            record = existing.get(key)
            if record is not None:
                self._seen[record.row_id] = True
            if isinstance(found, ValueRejectedError):
                self._reject(key, record, row, found)
            else:
                self._sort(record, source_hash, *found)

    def _is_seen(self, row_id: int) -> bool:
        return row_id < len(self._seen) and bool(self._seen[row_id])

    def _make_room(self, row_id: int) -> None:
        """Have a place for a row; one that somebody adds during the run has a greater number."""
        self._seen.extend(bytes(max(row_id + 1 - len(self._seen), 0)))

    def _reject(
        self, key: str, record: ExistingRecord | None, row: int, why: ValueRejectedError
    ) -> None:
        """Note that a record is refused: it is there, but if it was deleted it does not return."""
        self._count_rejected(row, why)
        if record is None:
            self._new_keys.add(key)  # another record of this key is a duplicate all the same
        else:
            self._refused.add(record.row_id)

    def _candidates(self, records: list[_Delivered]) -> Iterator[tuple[str, _Delivered]]:
        seen_here: set[str] = set()
        for row, source_hash, delivered in records:
            key = self._key(delivered)
            if key in {"", "0"}:
                no_key = ValueRejectedError(self._fields[0], key, "expected an id")
                self._count_rejected(row, no_key)
            elif key in self._new_keys or key in seen_here:
                self._count_duplicate(key)
            else:
                seen_here.add(key)
                # Kept as it is looked up by: without outer spaces.
                kept = delivered if delivered[0] == key else (key, *delivered[1:])
                yield key, (row, source_hash, kept)

    def _sort(
        self,
        record: ExistingRecord | None,
        source_hash: bytes,
        values: tuple[Value, ...],
        content: bytes,
    ) -> None:
        content_hash = self._digest(content)
        if record is None:
            self._new_keys.add(str(values[0]))
            self._coverage.add(content)
            self._created.append((source_hash, content_hash, values))
            return
        known = record.row_id, record.content_hash
        changes = [] if record.content_hash == content_hash else self._changes(record, values)
        if changes:
            self._coverage.change(changes)
            self._tally.restored_changed += record.row_id in self._snapshot.deleted
            self._updated.append((*known, source_hash, content_hash, values[0], changes))
            return
        self._tally.unchanged += 1
        self._tally.same_content += record.content_hash == content_hash
        self._refreshed.append((*known, source_hash, content_hash))

    def _changes(self, record: ExistingRecord, values: tuple[Value, ...]) -> list[Any]:
        old = record.values
        fields = zip(self._fields, old, values, strict=True)
        differing = compress(fields, map(ne, old, values))
        return [change for change in differing if not is_same(change[1], change[2])]

    def _key(self, delivered: tuple[object, ...]) -> str:
        key = delivered[0]
        if not isinstance(key, str):
            kind = "nothing" if key is None else type(key).__name__
            raise SourceFormatError(
                f"the key {self._fields[0]!r} of a record is {kind}, expected text; "
                "correct the field mapping of the source",
                code="source_key_type",
            )
        return key.strip()

    def _count_duplicate(self, key: str) -> None:
        self._tally.duplicates += 1
        if len(self._tally.duplicate_samples) < SAMPLE_SIZE:
            self._tally.duplicate_samples.append(key)

    def _count_rejected(self, row: int, why: ValueRejectedError) -> None:
        self._rejected.append((row, why.field, why.value, why.reason))

    def _sweep(self, threshold: int) -> tuple[array[int], array[int], array[int], array[int]]:
        """Find the rows whose state changes: restored, missing, deleted, reappeared."""
        is_seen, snapshot, seen = self._is_seen, self._snapshot, self._seen
        left = chain(self._expected.values(), snapshot.unhashed)
        gone = [row for row in left if not seen[row]]
        missing = array("q", (row for row in gone if row not in snapshot.deleted))
        deleted = array("q", (r for r in missing if snapshot.missed.get(r, 0) + 1 >= threshold))
        back = (row for row in snapshot.deleted - self._refused if is_seen(row))
        restored = array("q", sorted(back))
        reappeared = array("q", (row for row in snapshot.missed if is_seen(row)))
        return restored, missing, deleted, reappeared

    def _counts(self, restored: array[int], missing: array[int], deleted: array[int]) -> PlanCounts:
        tally = self._tally
        return PlanCounts(
            extracted=tally.extracted,
            created=len(self._created),
            updated=len(self._updated) - tally.restored_changed,
            restored=len(restored),
            unchanged=tally.unchanged - len(restored) + tally.restored_changed,
            missing=len(missing),
            deleted=len(deleted),
            rejected=len(self._rejected),
            duplicates=tally.duplicates,
            active_before=self._snapshot.active,
            declared_total=tally.declared_total,
        )

    def _is_volatile(self) -> bool:
        """Return whether unmapped fields change all the time: source hashes are left alone.

        Otherwise a read stamp in each record would cost a write of every row in
        every run.
        """
        known = max(self._tally.extracted, self._snapshot.active)
        is_volatile = self._tally.same_content > VOLATILE_RATIO * known
        return is_volatile and self._snapshot.is_same_mapping
