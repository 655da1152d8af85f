"""The planner alone: what each kind of record becomes, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from archibald_sync.domain.delta import DeltaPlanner
from archibald_sync.domain.models import FieldChange, Page
from archibald_sync.domain.normalise import Notation, comparable
from archibald_sync.domain.plan import CatalogueSnapshot, ExistingRecord
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.domain.samples import sample_changes
from archibald_sync.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archibald_sync.domain.plan import Plan

FIELDS = ("id", "name", "minQty")
Row = tuple[Any, ...]


class ListSpool:
    """A spool in memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self.items: list[Row] = []

    def append(self, item: Row) -> None:
        """Add at the end."""
        self.items.append(item)

    def __iter__(self) -> Iterator[Row]:
        """Read all."""
        return iter(self.items)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.items)


class Delivery:
    """What a planner needs to know of a source."""

    fields = FIELDS
    notation = Notation.PLAIN
    mapping_version = "1"


@dataclass
class Known:
    """A catalogue in memory: rows by key, and the states of its row numbers."""

    rows: dict[str, ExistingRecord] = field(default_factory=dict)
    hashes: dict[bytes, int] = field(default_factory=dict)
    deleted: frozenset[int] = frozenset()
    missed: dict[int, int] = field(default_factory=dict)
    is_same_mapping: bool = True

    def find(self, keys: Sequence[str], _fields: Sequence[str]) -> dict[str, ExistingRecord]:
        """Return the rows with these keys."""
        return {key: self.rows[key] for key in keys if key in self.rows}

    def contents(self) -> dict[bytes, int]:
        """Return the row numbers by content hash."""
        rows = self.rows.values()
        return {row.content_hash: row.row_id for row in rows if row.content_hash is not None}

    def planner(self) -> DeltaPlanner:
        """Return a planner over what is known."""
        hashed, rows = set(self.hashes.values()), self.rows.values()
        active = [row.row_id for row in rows if row.row_id not in self.deleted]
        snapshot = CatalogueSnapshot(
            row_by_hash=dict(self.hashes),
            unhashed=[row_id for row_id in active if row_id not in hashed],
            active=len(active),
            deleted=self.deleted,
            missed=self.missed,
            is_same_mapping=self.is_same_mapping,
            row_by_content=self.contents,
        )
        return DeltaPlanner(PRODUCTS, Delivery(), snapshot, self.find, digest, ListSpool)  # type: ignore[arg-type]


def digest(data: bytes) -> bytes:
    """Return a hash that a test can read."""
    return b"h:" + data


def page(*records: Row, number: int = 1, total: int | None = None) -> Page:
    """Return a page of records as delivered; their fingerprints follow from their values."""
    prints = [repr(one).encode() for one in records]
    return Page(number, prints, lambda indexes: [records[index] for index in indexes], None, total)


def catalogue(*records: Row, **states: Any) -> Known:  # noqa: ANN401  # states of Known
    """Return what is known after these records were stored, in this order, from row 1 on."""
    first = Known().planner()
    first.add(page(*records))
    known = Known(**states)
    for row_id, (source_hash, content_hash, values) in enumerate(first.finish(2).created, 1):
        known.rows[values[0]] = ExistingRecord(row_id, content_hash, tuple(values))
        known.hashes[source_hash] = row_id
    return known


def planned(known: Known, *records: Row) -> Plan:
    """Return the plan for one page of records."""
    planner = known.planner()
    planner.add(page(*records))
    return planner.finish(2)


A, B = ("A1", "file", 1), ("B2", "bur", 5)


def test_known_bytes_are_not_even_decoded() -> None:
    """A record with a known fingerprint is unchanged without being looked at."""
    planner = catalogue(A).planner()

    def refuse(_indexes: Sequence[int]) -> list[Row]:
        raise AssertionError("decoded")

    planner.add(Page(1, [repr(A).encode()], refuse))

    assert planner.finish(2).counts.unchanged == 1


def test_other_bytes_with_the_same_content_only_refresh_the_fingerprint() -> None:
    """Another spelling of the same values is no update."""
    many = [(f"C{n}", "x", n) for n in range(20)]
    known = catalogue(A, *many)

    plan = planned(known, ("A1", " file ", 1.0), *many)

    assert (plan.counts.updated, plan.counts.unchanged, len(plan.refreshed)) == (0, 21, 1)
    assert not plan.is_empty()


def test_fingerprints_that_change_in_every_extract_are_left_alone() -> None:
    """Where a read stamp changes all bytes, nothing is written at all."""
    plan = planned(catalogue(A, B), ("A1", "file", "1"), ("B2", "bur", "5"))

    assert plan.counts.unchanged == 2
    assert (len(plan.refreshed), list(plan.refreshed)) == (0, [])
    assert plan.is_empty()


def test_new_mapping_refreshes_every_fingerprint() -> None:
    """After a change of the mapping all bytes look new once, and that is remembered."""
    plan = planned(catalogue(A, B, is_same_mapping=False), ("A1", "file", "1"), ("B2", "bur", "5"))

    assert len(plan.refreshed) == 2


def test_changed_fields_are_named() -> None:
    """An update says which fields changed, from what to what."""
    plan = planned(catalogue(A, B), ("A1", "file", 2), B)

    ((row_id, known_hash, _, content_hash, key, changes),) = plan.updated
    assert (row_id, key, changes) == (1, "A1", [("minQty", "1", "2")])
    assert known_hash == digest(comparable(("A1", "file", "1")))
    assert content_hash == digest(comparable(("A1", "file", "2")))
    assert sample_changes(plan) == {
        "created": [],
        "updated": [{"id": "A1", "changes": [FieldChange("minQty", "1", "2")]}],
        "rejected": [],
    }


def test_row_without_a_fingerprint_is_compared_field_by_field() -> None:
    """After somebody else edited a row its hashes are gone; equal values are no update."""
    known = catalogue(A)
    known.hashes.clear()
    known.rows["A1"] = ExistingRecord(1, None, ("A1", "file", "1"))

    plan = planned(known, A)

    assert (plan.counts.updated, plan.counts.unchanged, len(plan.refreshed)) == (0, 1, 1)


@pytest.mark.parametrize("known", [catalogue(A), Known()])
def test_repeated_keys_are_counted_wherever_they_stand(known: Known) -> None:
    """A key twice in a page, or in two pages, known or new, alike or not: a duplicate."""
    planner = known.planner()
    planner.add(page(A, ("A1", "other", 1), ("B2", "x", 1), ("B2", "y", 1)))
    planner.add(page(A, ("B2", "z", 1), ("A1", "third", 1), number=2))
    plan = planner.finish(2)

    assert plan.counts.duplicates == 5
    assert set(plan.duplicate_keys) == {"A1", "B2"}


@pytest.mark.parametrize("between", [0, 300])
@pytest.mark.parametrize("is_one_page", [True, False])
@pytest.mark.parametrize("known", [catalogue(A), Known()])
@pytest.mark.parametrize(
    ("first", "second", "rejected"),
    [("many", 1, 1), (1, "many", 0), ("many", "more", 1)],
)
def test_key_of_a_rejected_record_repeats_like_any_other(
    known: Known, first: object, second: object, rejected: int, between: int, *, is_one_page: bool
) -> None:
    """A key is there twice although one of its records is rejected, near by or far apart."""
    one, other = ("A1", "new name", first), ("A1", "new name", second)
    others = [(f"C{number}", "x", 1) for number in range(between)]
    planner = known.planner()
    if is_one_page:
        planner.add(page(one, *others, other))
    else:
        planner.add(page(one, *others))
        planner.add(page(other, number=2))
    plan = planner.finish(2)

    assert (plan.counts.duplicates, plan.counts.rejected) == (1, rejected)
    assert plan.duplicate_keys == ("A1",)


@pytest.mark.parametrize("key", ["", "0", "  "])
def test_rows_without_a_key_are_dropped_and_counted(key: str) -> None:
    """The ERP prints rows whose id is empty or 0: rejected, with their row number."""
    plan = planned(Known(), A, (key, "x", 1))

    assert (plan.counts.created, plan.counts.rejected) == (1, 1)
    assert list(plan.rejected) == [(2, "id", repr(key.strip()), "expected an id")]


def test_rejected_row_is_there_so_it_is_not_missing() -> None:
    """A row whose value does not fit keeps its old values and is not counted as missing."""
    plan = planned(catalogue(A, B), ("A1", "file", "many"), B)

    assert (plan.counts.rejected, plan.counts.missing, plan.counts.updated) == (1, 0, 0)
    assert list(plan.rejected) == [(1, "minQty", "'many'", "expected a number in plain notation")]


def test_samples_are_bounded() -> None:
    """A million repeated rows leave twenty samples; rejected rows are kept outside memory."""
    wrong = [(f"W{n}", "x", "?") for n in range(50)]
    plan = planned(Known(), *wrong, *[A] * 50)

    assert (plan.counts.rejected, plan.counts.duplicates) == (50, 49)
    assert (len(sample_changes(plan)["rejected"]), len(plan.duplicate_keys)) == (20, 20)
    assert len(plan.rejected) == 50


@pytest.mark.parametrize(("missed", "deleted"), [({}, 0), ({2: 1}, 1)])
def test_missing_row_is_deleted_the_second_time(missed: dict[int, int], deleted: int) -> None:
    """Missing once stays, missing twice goes."""
    plan = planned(catalogue(A, B, missed=missed), A)

    assert (plan.counts.missing, plan.counts.deleted) == (1, deleted)


def test_returning_rows() -> None:
    """A deleted row that comes back is restored, changed or not; a missed one starts over."""
    known = catalogue(A, B, ("C3", "x", 1), deleted=frozenset({1, 2}), missed={3: 1})

    plan = planned(known, ("A1", "new name", 1), B, ("C3", "x", 1))

    assert (plan.counts.restored, plan.counts.updated, plan.counts.unchanged) == (2, 0, 1)
    assert list(plan.reappeared) == [3]


@pytest.mark.parametrize("key", [None, 7, ["A"]])
def test_key_of_another_type_fails_the_extract(key: object) -> None:
    """A key that is no text means that the mapping is wrong, not the row."""
    with pytest.raises(SourceFormatError, match="correct the field mapping"):
        planned(Known(), (key, "x", 1))


def test_declared_total_is_kept() -> None:
    """What the source announces is there for the guards to compare."""
    planner = Known().planner()
    planner.add(page(A, total=7))
    planner.add(page(B, number=2))

    assert planner.finish(2).counts.declared_total == 7


def test_known_contents_are_not_looked_up() -> None:
    """Where all bytes changed and no content did, the catalogue is not asked for rows."""
    known = catalogue(A, B)

    def refuse(keys: Sequence[str], _fields: Sequence[str]) -> dict[str, ExistingRecord]:
        assert not keys
        return {}

    known.find = refuse  # type: ignore[method-assign]

    assert planned(known, ("A1", "file", "1"), ("B2", "bur", "5")).counts.unchanged == 2


def test_contents_are_not_read_for_nothing() -> None:
    """An empty page, and one whose bytes are known, cost no look at the contents."""
    known = catalogue(A, B)
    known.contents = lambda: pytest.fail("read for nothing")  # type: ignore[method-assign]

    assert planned(known).counts.missing == 2
    assert planned(known, A, B).counts.unchanged == 2


def test_record_is_found_by_content_once() -> None:
    """A known content that is delivered twice is a duplicate, whatever its bytes."""
    plan = planned(catalogue(A, B), ("A1", "file", "1"), ("A1", "file", 1.0), B)

    assert (plan.counts.unchanged, plan.counts.duplicates) == (2, 1)
    assert plan.duplicate_keys == ("A1",)


def test_key_that_only_looks_like_another_when_folded_is_a_record_of_its_own() -> None:
    """Keys are compared as they are: inner spaces tell two records apart."""
    plan = planned(catalogue(("A  B", "file", 1)), ("A B", "file", 1))

    assert (plan.counts.created, plan.counts.missing) == (1, 1)


def test_deleted_row_that_returns_with_other_bytes_is_restored() -> None:
    """Found by its content alone, a deleted row is restored, and not an update."""
    plan = planned(catalogue(A, B, deleted=frozenset({1})), ("A1", "file", "1"), ("B2", "bur", "5"))

    assert (list(plan.restored), plan.counts.updated, plan.counts.unchanged) == ([1], 0, 1)


def test_key_is_kept_without_outer_spaces() -> None:
    """The row is found again by the key that it was stored with."""
    known = catalogue((" A1 ", "file", 1))

    plan = planned(known, (" A1 ", "bur", 1))

    assert list(known.rows) == ["A1"]
    assert (plan.counts.created, plan.counts.updated) == (0, 1)


def test_contents_are_no_longer_sought_where_they_change_as_well() -> None:
    """After thousands of changed records the rest is looked up by key, with the same result."""
    rows = [(f"R{number}", "file", 1) for number in range(2_600)]
    changed = [(key, "bur", "1") for key, _, _ in rows[:2_500]]
    same = [(key, "file", "1") for key, _, _ in rows[2_500:]]

    plan = planned(catalogue(*rows), *changed, *same)

    assert (plan.counts.updated, plan.counts.unchanged, plan.counts.missing) == (2_500, 100, 0)
