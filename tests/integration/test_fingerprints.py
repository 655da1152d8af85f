"""The fingerprints of a catalogue come out of the file as they stand in its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import catalogue_of

from archibald_sync.domain.models import RunOutcome

if TYPE_CHECKING:
    from support import FakeSource, World

    from archibald_sync.domain.plan import CatalogueSnapshot
    from archibald_sync.domain.ports import Control

ROWS = 2_300


@pytest.fixture
def filled(world: World, source: FakeSource) -> World:
    """Return a service whose catalogue fills two ranges of row numbers and a part of a third."""
    source.records = catalogue_of(ROWS)
    world.run()
    return world


def edit(world: World, sql: str) -> None:
    """Do to the rows what somebody else might do."""
    with world.database.transaction() as connection:
        connection.execute(sql)


def column_of(world: World, what: str) -> dict[Any, int]:
    """Return the row numbers by ``what``, read row by row."""
    rows = world.database.rows(f"SELECT {what} AS one, rowId FROM products WHERE one IS NOT NULL")  # noqa: S608  # the tests' own words
    return {row[0]: row[1] for row in rows}


def snapshot(world: World) -> CatalogueSnapshot:
    """Return what a run begins with."""
    return world.catalogue.snapshot("1")


EDITS = [
    "SELECT 1",
    "UPDATE products SET name = 'edited' WHERE rowId IN (1, 999, 1000, 2300)",
    "DELETE FROM products WHERE rowId IN (500, 1001)",
    "DELETE FROM products WHERE rowId < 1500",
    "UPDATE products SET rowId = rowId + 7000 WHERE rowId % 2",
    "UPDATE products SET sourceHash = zeroblob(15) WHERE rowId = 3",
]


@pytest.mark.parametrize("sql", EDITS)
def test_hashes_lead_to_their_rows(filled: World, sql: str) -> None:
    """Whichever rows are there, and whatever their numbers, each hash has its own row's."""
    edit(filled, sql)

    read = snapshot(filled)

    assert dict(read.row_by_content()) == column_of(filled, "contentHash")
    assert read.row_by_hash == column_of(filled, "sourceHash")
    assert list(read.row_by_hash.values()) == sorted(read.row_by_hash.values())


def test_states_are_told_apart(filled: World) -> None:
    """Deleted, missed and unhashed rows are named, and every active row is counted once."""
    edit(filled, "UPDATE products SET deletedAt = 5, missingRuns = 2 WHERE rowId IN (10, 11)")
    edit(filled, "UPDATE products SET missingRuns = 1 WHERE rowId = 1200")
    edit(filled, "UPDATE products SET name = 'edited' WHERE rowId IN (11, 12, 2300)")

    read = snapshot(filled)

    assert set(read.deleted) == {10, 11}
    assert dict(read.missed) == {1200: 1}
    assert read.unhashed == (12, 2300)
    assert read.active == ROWS - 2 == filled.catalogue.count()["active"]


def test_a_row_that_somebody_adds_during_a_run_is_compared(
    world: World, source: FakeSource
) -> None:
    """A row that came after the run began is the record that it says it is, and not another."""
    source.records = catalogue_of(100)
    pages: list[Control] = []

    def add_one(control: Control) -> None:
        pages.append(control)
        if len(pages) == 2:
            edit(
                world,
                "INSERT INTO products (id, createdAt, updatedAt) VALUES ('late', 1, 1)",
            )

    world.run()
    source.records = [*source.records, {**catalogue_of(1)[0], "id": "late"}]
    source.pause = add_one

    end = world.run()

    assert end.outcome is RunOutcome.COMPLETED
    assert world.products()["late"]["name"] == catalogue_of(1)[0]["name"]
    assert [dict(one)["itemsUpdated"] for one in world.sessions()[-1:]] == [1]
