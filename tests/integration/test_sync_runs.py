"""Runs over real databases: what is written, what is recorded, what is left alone."""

from __future__ import annotations

from support import FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import RunOutcome
from archibald_sync.services.events import sync_held


def test_first_extract_creates_everything(world: World, source: FakeSource) -> None:
    """A first extract into an empty catalogue is stored whole, one change row a record."""
    source.records = catalogue_of(120)

    end = world.run()

    assert end.outcome is RunOutcome.COMPLETED
    session = world.sessions()[0]
    assert session["status"] == "completed"
    assert (session["itemsProcessed"], session["itemsCreated"], session["itemsUpdated"]) == (
        120,
        120,
        0,
    )
    assert len(world.products()) == 120
    assert {change[1] for change in world.changes()} == {"created"}


def test_unchanged_extract_writes_no_catalogue_row(world: World, source: FakeSource) -> None:
    """A second run over the same extract reports 0/0/0 and touches no row."""
    source.records = catalogue_of(120)
    world.run()
    before = [tuple(row) for row in world.database.rows("SELECT * FROM products ORDER BY rowId")]

    world.run()

    session = world.sessions()[-1]
    counts = [session[f"items{name}"] for name in ("Created", "Updated", "Deleted", "Restored")]
    assert counts == [0, 0, 0, 0]
    assert session["itemsUnchanged"] == 120
    after = [tuple(row) for row in world.database.rows("SELECT * FROM products ORDER BY rowId")]
    assert after == before


def test_changes_are_logged_field_by_field(world: World, source: FakeSource) -> None:
    """An update logs exactly the fields that differ, with both values."""
    source.records = catalogue_of(120)
    world.run()
    source.records = [record(1, name="new", minQty=2.50), *catalogue_of(120)[1:], record(999)]

    world.run()

    session = world.sessions()[-1]
    assert (session["itemsCreated"], session["itemsUpdated"]) == (1, 1)
    assert [change for change in world.changes() if change[1] == "updated"] == [
        ("000001K2", "updated", "name", "H1.104.023", "new"),
        ("000001K2", "updated", "minQty", "1", "2.5"),
    ]


def test_row_missing_twice_is_deleted_and_restored_on_return(
    world: World, source: FakeSource
) -> None:
    """A record is soft-deleted after two complete extracts without it, and comes back."""
    full = catalogue_of(120)
    source.records = full
    world.run()
    source.records = full[1:]

    world.run()
    assert "000001K2" in world.products()
    world.run()
    assert "000001K2" not in world.products()
    assert world.sessions()[-1]["itemsDeleted"] == 1
    source.records = full
    world.run()

    assert "000001K2" in world.products()
    assert world.sessions()[-1]["itemsRestored"] == 1
    kinds = [change[1] for change in world.changes() if change[0] == "000001K2"]
    assert kinds == ["created", "deleted", "restored"]


def test_row_missing_once_starts_over_when_it_reappears(world: World, source: FakeSource) -> None:
    """Only consecutive misses count."""
    full = catalogue_of(120)
    for records in (full, full[1:], full, full[1:]):
        source.records = records
        world.run()

    assert "000001K2" in world.products()


def test_filtered_extract_is_held_and_not_retried(world: World, source: FakeSource) -> None:
    """A catalogue that shrank to a tenth is held: nothing written, one attempt, a signal."""
    source.records = catalogue_of(4540)
    world.run()
    before = world.products()
    source.records = catalogue_of(419)
    held: list[dict[str, object]] = []

    with sync_held.connected_to(lambda _sender, **fields: held.append(fields)):
        end = world.run()

    assert end.outcome is RunOutcome.HELD
    assert end.attempts == 1
    assert world.products() == before
    run = world.runs()[-1]
    assert (run["outcome"], run["reason"]) == ("held", "too_few_rows")
    assert "419" in run["detail"]
    assert run["summary"]["counts"]["missing"] == 4121
    assert held[0]["code"] == "too_few_rows"
    assert world.sessions()[-1]["itemsUpdated"] == 0
