"""The change log as pages read it: by day, by session, by kind and field; and the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from integration.test_web_catalogue import FIELDS
from support import FakeSource, SteppedClock, World, record

from archibald_sync.domain.reading import ChangeQuery, ChangeSpan
from archibald_sync.storage import catalogue_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

DAY_MS = 86_400_000
ALL = ChangeSpan(0, 2**62)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a service whose clock the test sets, and whose source has groups."""
    source = FakeSource()
    source.fields = FIELDS
    world = World(tmp_path, source, clock=SteppedClock())
    yield world
    world.close()


def at(world: World, moment: int, **changes: object) -> Mapping[str, Any]:
    """Sync two records at ``moment``, the first one with ``changes``; return the session."""
    assert isinstance(world.clock, SteppedClock)
    world.clock.wall = moment
    world.source.records = [record(1, **changes), record(2)]
    assert world.run().outcome == "completed"
    return world.sessions()[-1]


def numbered(world: World, changes: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return which changes of the log these are: 1 for the first."""
    return [world.change_ids().index(one["id"]) + 1 for one in changes]


def numbers(world: World, span: ChangeSpan) -> list[int]:
    """Return which changes a span has, the oldest first."""
    return numbered(world, world.reading.changes(ChangeQuery(span)).changes)[::-1]


def test_a_day_has_its_changes_and_no_others(world: World) -> None:
    """From midnight to before midnight; a day without changes has none."""
    day = 20_000 * DAY_MS
    at(world, day - 1)
    at(world, day, minQty=2)
    at(world, day + DAY_MS - 1, minQty=3)
    at(world, day + DAY_MS, minQty=4)

    reading = world.reading
    assert numbers(world, reading.span_between(day - DAY_MS, day)) == [1, 2]
    assert numbers(world, reading.span_between(day, day + DAY_MS)) == [3, 4]
    assert numbers(world, reading.span_between(day + DAY_MS, day + 2 * DAY_MS)) == [5]
    assert numbers(world, reading.span_between(day + 2 * DAY_MS, day + 3 * DAY_MS)) == []
    assert numbers(world, reading.span_between(0, day - DAY_MS)) == []


def test_no_change_is_lost_between_days_when_the_clock_is_put_back(world: World) -> None:
    """Each change belongs to one of the days, though the log is not in the order of time."""
    day = 20_000 * DAY_MS
    at(world, day - 60_000)
    at(world, day + 60_000, minQty=2)
    at(world, day - 30_000, minQty=3)
    at(world, day + 90_000, minQty=4)

    before = numbers(world, world.reading.span_between(day - DAY_MS, day))
    after = numbers(world, world.reading.span_between(day, day + DAY_MS))

    assert before + after == [1, 2, 3, 4, 5]


def test_a_session_has_what_it_wrote(world: World) -> None:
    """Also where sessions before and after wrote as well; one that wrote nothing has none."""
    sessions = [at(world, DAY_MS * number, minQty=number) for number in (1, 2, 2, 3)]

    written = [numbers(world, world.reading.span_of_session(one)) for one in sessions]

    assert written == [[1, 2], [3], [], [4]]


def test_a_session_that_never_wrote_has_no_changes(world: World) -> None:
    """A session of which nobody knows where its changes begin is not taken for all."""
    assert numbers(world, world.reading.span_of_session({"id": "x", "changesAfter": None})) == []


def test_changes_are_narrowed_and_paged(world: World) -> None:
    """By kind and by field, the newest first, each once whatever the size of the page."""
    at(world, DAY_MS)
    at(world, 2 * DAY_MS, minQty=2, description="other")
    at(world, 3 * DAY_MS, minQty=3, description="other")

    def read(**asked: Any) -> list[int]:  # noqa: ANN401  # parts of a query
        found, before = [], ALL.before
        while True:
            query = ChangeQuery(ChangeSpan(0, before), limit=1, **asked)
            page = world.reading.changes(query)
            found += numbered(world, page.changes)
            if page.is_last:
                return found
            before = page.cursor

    assert read() == [5, 4, 3, 2, 1]
    assert read(kind="created") == [2, 1]
    assert read(kind="deleted") == []
    assert read(kind="updated") == [5, 4, 3]
    assert read(field="description") == [3]
    assert read(kind="updated", field="minQty") == [5, 4]
    assert read(kind="created", field="minQty") == []


def test_a_rare_change_is_found_part_by_part(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long log is not looked through at once: an empty page leads on to what is older."""
    monkeypatch.setattr(catalogue_reader, "CHANGES_LOOKED_AT", 2)
    for number in range(1, 6):
        at(world, number * DAY_MS, minQty=number)
    reading = world.reading

    newest = reading.changes(ChangeQuery(ALL, kind="created"))
    middle = reading.changes(ChangeQuery(ChangeSpan(0, newest.cursor), kind="created"))
    oldest = reading.changes(ChangeQuery(ChangeSpan(0, middle.cursor), kind="created"))

    assert [one.is_last for one in (newest, middle, oldest)] == [False, False, True]
    found = [numbered(world, page.changes) for page in (newest, middle, oldest)]
    assert found == [[], [], [2, 1]]


def test_changes_come_with_their_records(world: World) -> None:
    """Whoever shows a change can say what the record is called."""
    at(world, DAY_MS)

    page = world.reading.changes(ChangeQuery(ALL))

    assert {one["id"] for one in page.records} == {"000001K2", "000002K2"}


def test_groups_are_told_with_their_names(world: World) -> None:
    """Each value once, in order, also that of the records without any."""
    world.source.fields = (*FIELDS, "productGroupDescription")
    groups = {1: ("20", "DRILLS"), 2: ("10", "FILES"), 3: ("20", "DRILLS"), 4: (None, None)}
    world.source.records = [
        record(number, productGroupId=group, productGroupDescription=name)
        for number, (group, name) in groups.items()
    ]
    assert world.reading.groups() == []

    assert world.run().outcome == "completed"

    found = [(one.value, one.name) for one in world.reading.groups()]
    assert found == [("", None), ("10", "FILES"), ("20", "DRILLS")]


def test_namesakes_are_the_pack_variants(world: World) -> None:
    """Those of the same name that are there; a record without a name has none."""
    names = {1: "a", 2: "a", 3: "b", 4: None, 5: None}
    world.source.records = [record(number, name=name) for number, name in names.items()]
    assert world.run().outcome == "completed"

    def of(number: int) -> list[str]:
        found, _revision = world.reading.record(f"{number:06d}K2")
        return [one["id"] for one in world.reading.namesakes(found)]

    assert of(1) == ["000001K2", "000002K2"]
    assert of(3) == ["000003K2"]
    assert of(4) == []
