"""What a run writes of the rows that are there, and what it does to the edits of others."""

from __future__ import annotations

import pytest
from support import FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import RunOutcome, Stage
from archibald_sync.errors import (
    RunCancelled,
)
from archibald_sync.services.control import RunControl
from archibald_sync.storage import plan_writer


def test_row_edited_by_somebody_else_is_put_right(world: World, source: FakeSource) -> None:
    """An edit outside the sync is found by the next run, although the source is unchanged."""
    source.records = catalogue_of(120)
    world.run()
    world.database.connection().execute("UPDATE products SET name = 'x' WHERE id = '000007K2'")

    world.run()

    assert world.products()["000007K2"]["name"] == "H7.104.023"
    assert world.sessions()[-1]["itemsUpdated"] == 1


@pytest.mark.parametrize("was_edited", [False, True], ids=["once", "before-as-well"])
@pytest.mark.parametrize("becomes", ["updated", "refreshed"])
def test_edit_while_a_run_works_is_put_right_by_the_next(
    world: World, source: FakeSource, becomes: str, *, was_edited: bool
) -> None:
    """A row that is edited after it was compared is compared again, however it was written."""
    source.records = catalogue_of(120)
    world.run()
    execute = world.database.connection().execute
    edit = "UPDATE products SET {} WHERE id = '000007K2'"
    control = RunControl()
    enter = control.enter

    def edit_before_writing(stage: Stage) -> None:
        enter(stage)
        if stage is Stage.APPLY:
            execute(edit.format("minQty = '2'"))

    if was_edited:
        execute(edit.format("vatGroup = 5"))
    if becomes == "updated":
        source.records = [record(7, name="new"), *(r for r in catalogue_of(120) if r != record(7))]
    else:
        source.mapping_version = "2"
    control.enter = edit_before_writing  # type: ignore[method-assign]
    world.run(control)

    assert world.products()["000007K2"]["minQty"] == "2", "edited when all had been compared"
    world.run()
    assert world.products()["000007K2"]["minQty"] == "1"
    assert world.sessions()[-1]["itemsUpdated"] == 1


def test_records_that_change_in_different_fields_are_written_together(
    world: World, source: FakeSource
) -> None:
    """More than a statement takes of one kind and fewer of another: each gets its own values."""
    source.records = catalogue_of(400)
    world.run()
    changed = [
        record(n, name=f"N{n}", **({"minQty": n + 1} if n % 3 == 0 else {})) for n in range(1, 191)
    ]
    source.records = changed + catalogue_of(400)[190:]

    world.run()

    wanted = {str(one["id"]): one for one in source.records}
    found = world.products()
    assert {key: (row["name"], row["minQty"]) for key, row in found.items()} == {
        key: (row["name"], str(row["minQty"])) for key, row in wanted.items()
    }
    logged = [change for change in world.changes() if change[1] == "updated"]
    assert sorted(logged) == sorted(
        (one["id"], "updated", field, old, str(one[field]))
        for n, one in enumerate(changed, 1)
        for field, old in (("name", f"H{n}.104.023"), ("minQty", "1"))
        if str(one[field]) != old
    )


def test_fields_that_did_not_change_are_not_written(world: World, source: FakeSource) -> None:
    """What an update writes stands in the change log: other fields keep even their spelling."""
    source.records = [record(1, name="a  b"), *catalogue_of(120)[1:]]
    world.run()
    source.records = [record(1, name="a b", minQty=2), *catalogue_of(120)[1:]]

    world.run()

    assert world.products()["000001K2"] == {
        "id": "000001K2",
        "name": "a  b",
        "minQty": "2",
        "stopped": 0,
    }
    assert world.changes()[-1] == ("000001K2", "updated", "minQty", "1", "2")


def test_updates_of_many_rows_leave_edits_by_others_watched(
    world: World, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a large plan is written or given up, an edit after it is noticed."""
    monkeypatch.setattr(plan_writer, "_UPDATES_UNWATCHED", 5)
    source.records = catalogue_of(120)
    world.run()
    source.records = [record(n, name="new") for n in range(1, 41)] + catalogue_of(120)[40:]
    control = RunControl()
    original = control.checkpoint

    def checkpoint() -> None:
        if not is_watched(world):
            control.stop(RunCancelled("stopped", "in the midst of the updates"))
        original()

    control.checkpoint = checkpoint  # type: ignore[method-assign]

    assert world.run(control).outcome is RunOutcome.CANCELLED
    assert is_watched(world)
    assert world.run().outcome is RunOutcome.COMPLETED
    assert is_watched(world)


def is_watched(world: World) -> bool:
    """Return whether the trigger is there that notices edits by others."""
    query = "SELECT 1 FROM sqlite_schema WHERE name = 'products_foreign_edit'"
    return world.database.row(query) is not None


def test_columns_of_other_feeds_are_left_alone(world: World, source: FakeSource) -> None:
    """A sync writes only what its source delivers."""
    source.records = catalogue_of(120)
    world.run()
    execute = world.database.connection().execute
    execute("UPDATE products SET purchasePrice = '9.5'")
    source.records = [record(number, name=f"N{number}") for number in range(1, 41)] + catalogue_of(
        120
    )[40:]

    world.run()

    prices = {row[0] for row in execute("SELECT DISTINCT purchasePrice FROM products")}
    assert prices == {"9.5"}
    assert world.sessions()[-1]["itemsUpdated"] == 40


def test_new_mapping_reads_everything_anew_without_updates(
    world: World, source: FakeSource
) -> None:
    """A new mapping version decodes all records once; equal content is no update."""
    source.records = catalogue_of(120)
    world.run()
    source.mapping_version = "2"

    world.run()

    assert world.sessions()[-1]["itemsUpdated"] == 0
    hashes = {row[0] for row in world.database.rows("SELECT sourceHash FROM products")}
    known = set(world.catalogue.snapshot("2").row_by_hash)
    assert hashes == known
    assert world.catalogue.snapshot("2").is_same_mapping
