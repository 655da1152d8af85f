"""Coverage over real databases: counted by what changes, and always what a full count says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given
from integration.test_delta_properties import EXTRACTS, LOOSE
from support import FIELDS, FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import RunOutcome
from archibald_sync.domain.normalise import is_empty

if TYPE_CHECKING:
    from archibald_sync.domain.coverage import Coverage


def kept(world: World) -> Coverage | None:
    """Return the coverage that is kept with the catalogue."""
    return world.catalogue.snapshot("1").coverage


def counted(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the coverage of an extract, counted record by record."""
    filled = {name: sum(not is_empty(one[name]) for one in records) for name in FIELDS}
    return {"rows": len(records), "filled": filled}


@LOOSE
@given(first=EXTRACTS, second=EXTRACTS, third=EXTRACTS)
def test_kept_coverage_is_what_a_full_count_says(
    first: list[dict[str, Any]], second: list[dict[str, Any]], third: list[dict[str, Any]]
) -> None:
    """Whatever is created, changed, missed, deleted and restored: both counts agree."""
    source = FakeSource()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), source)
        try:
            for records in (first, second, second, third, first):
                source.records = records
                assert world.run().outcome is RunOutcome.COMPLETED

                assert world.sessions()[-1]["coverage"] == counted(records)
                assert kept(world) == world.catalogue.coverage()
        finally:
            world.close()


def test_column_that_is_hidden_holds_the_plan(world: World, source: FakeSource) -> None:
    """A column with values in a part of the rows only is missed when it comes empty."""
    full = [record(n, name=f"N{n}" if n % 10 == 0 else "") for n in range(1, 201)]
    source.records = full
    world.run()
    source.records = [{**one, "name": ""} for one in full]

    end = world.run()

    assert (end.outcome, end.reason) == (RunOutcome.HELD, "coverage_lost")
    assert "name 10% -> 0%" in str(end.detail)
    session, run = world.sessions()[-1], world.runs()[-1]
    assert session["coverage"]["filled"]["name"] == 0
    assert [one["guard"] for one in run["summary"]["objections"]] == ["coverage_lost"]
    assert run["summary"]["updated"][0]["id"] == "000010K2"
    assert world.products()["000010K2"]["name"] == "N10"


def test_edit_by_others_makes_the_next_run_count_anew(world: World, source: FakeSource) -> None:
    """A value that somebody else took away or put in is in the next count."""
    source.records = catalogue_of(120)
    world.run()
    with world.database.transaction() as connection:
        connection.execute("UPDATE products SET name = NULL WHERE rowId = 3")
        connection.execute("UPDATE products SET vatGroup = 5 WHERE rowId < 11")
    assert kept(world) is None

    world.run()

    found = kept(world)
    assert found is not None
    assert found == world.catalogue.coverage()
    assert (found.filled["name"], found.filled["vatGroup"]) == (120, 10)


def test_rows_put_in_by_others_make_the_next_run_count_anew(
    world: World, source: FakeSource
) -> None:
    """A row that no run created is noticed by the number of rows."""
    source.records = catalogue_of(120)
    world.run()
    with world.database.transaction() as connection:
        connection.execute("INSERT INTO products (id, createdAt, updatedAt) VALUES ('X', 0, 0)")

    world.run()

    assert kept(world) == world.catalogue.coverage()


def test_unchanged_catalogue_is_not_counted_again(world: World, source: FakeSource) -> None:
    """Where nothing changed, no row is read for the coverage."""
    source.records = catalogue_of(120)
    world.run()
    statements: list[str] = []
    world.database.connection().set_trace_callback(statements.append)

    world.run()

    world.database.connection().set_trace_callback(None)
    assert any("sync_sessions" in one for one in statements)
    assert not any("TRIM(" in one for one in statements)


def test_blanks_count_as_no_value(world: World, source: FakeSource) -> None:
    """Text without a sign in it is empty, whatever blanks it is made of."""
    source.records = [record(1, name="\u00a0\t"), record(2, name="x")]
    world.run()

    assert world.sessions()[-1]["coverage"]["filled"]["name"] == 1
    assert world.catalogue.coverage().filled["name"] == 1


def test_held_plan_leaves_the_last_good_coverage(world: World, source: FakeSource) -> None:
    """What was held is no measure for the next extract."""
    source.records = catalogue_of(120)
    world.run()
    source.records = [record(n, name=None) for n in range(1, 121)]
    world.run()

    again = world.run()

    assert again.outcome is RunOutcome.HELD
    last = world.history.last_coverage()
    assert last is not None
    assert last.filled["name"] == 120
