"""Which fields have values, counted by what changes; and when a field counts as lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.domain.coverage import Coverage, CoverageTally, lost_fields
from archibald_sync.domain.guards import judge
from archibald_sync.domain.models import PlanCounts
from archibald_sync.domain.normalise import comparable, empty_columns, is_empty
from archibald_sync.domain.policy import GuardPolicy

# What is kept can be written: a text that cannot is refused before it is compared.
_WRITABLE = st.characters(codec="utf-8", exclude_characters="\x00")
VALUES = st.none() | st.integers() | st.text(_WRITABLE, max_size=4)


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_empty_columns_are_found_in_the_compared_bytes(values: list[str | int | None]) -> None:
    """The bytes for the content hash tell which values are empty, exactly as the values do."""
    found = empty_columns(comparable(values))

    assert found == [i for i, value in enumerate(values) if is_empty(value)]


def test_tally_counts_new_records_and_changed_fields() -> None:
    """What new and changed records do to the coverage adds up."""
    tally = CoverageTally(("id", "name", "size"))
    tally.add(comparable(("A", "x", None)))
    tally.add(comparable(("B", " ", 0)))
    tally.change([("name", None, "y"), ("size", 5, None)])
    tally.change([("name", "y", "z")])

    assert tally.total() == Coverage(2, {"id": 2, "name": 2, "size": 0})


def test_coverages_add_and_subtract() -> None:
    """Fields that one side does not know count as empty there."""
    first, second = Coverage(3, {"id": 3, "a": 1}), Coverage(1, {"id": 1, "b": 1})

    assert first.plus(second) == Coverage(4, {"id": 4, "a": 1, "b": 1})
    assert first.plus(second).minus(second).only(["id", "a"]) == first
    assert first.only(["b"]) == Coverage(3, {"b": 0})


@pytest.mark.parametrize(
    ("before", "now", "is_lost"),
    [
        (100, 0, True),
        (100, 49, True),
        (100, 50, False),
        (6, 0, True),
        (5, 0, False),
        (0, 100, False),
    ],
)
def test_field_is_lost_beyond_its_limits(before: int, now: int, *, is_lost: bool) -> None:
    """A field with more than 5 % of values must keep half of its share."""
    lost = lost_fields(Coverage(100, {"a": before}), Coverage(1000, {"a": now * 10}), GuardPolicy())

    assert lost == (["a"] if is_lost else [])


def test_limit_of_zero_still_refuses_a_field_without_any_value() -> None:
    """However small a share may become, none at all is a loss."""
    policy = GuardPolicy(min_coverage_ratio=0.0)

    assert lost_fields(Coverage(9, {"a": 9}), Coverage(9, {"a": 0}), policy) == ["a"]
    assert lost_fields(Coverage(9, {"a": 9}), Coverage(9, {"a": 1}), policy) == []


@pytest.mark.parametrize(
    ("counts", "guards"),
    [
        (PlanCounts(extracted=200, active_before=200), ["coverage_lost"]),
        (PlanCounts(extracted=200, active_before=100), []),
        (PlanCounts(extracted=200), []),
    ],
)
def test_judgement_names_the_lost_fields(counts: PlanCounts, guards: list[str]) -> None:
    """The guard names fields and shares; a small or empty catalogue is not judged by shares."""
    before, now = Coverage(200, {"id": 200, "size": 182}), Coverage(200, {"id": 200, "size": 0})

    objections = judge(counts, GuardPolicy(), before, now)

    assert [one.guard for one in objections] == guards
    assert all("size 91% -> 0%" in one.message for one in objections)
