"""Renamed products over real databases: one change, and the two misses of the old key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from integration.test_dry_run import DRY, entries
from support import FakeSource, World, catalogue_of, record

from archibald_sync.cli.planned import echo_plan
from archibald_sync.domain.models import PlanKind, RunOutcome

if TYPE_CHECKING:
    import pytest

FULL = catalogue_of(120)
OLD, NEW = "000001K2", "000001K1"
RENAMED = [{**FULL[0], "id": NEW}, *FULL[1:]]


def test_other_key_with_the_same_name_is_one_rename(world: World, source: FakeSource) -> None:
    """K2 becomes K1: logged once, as what it is; the old key goes after two misses."""
    source.records = FULL
    world.run()
    source.records = RENAMED

    for _ in range(3):
        world.run()

    log = [change for change in world.changes() if change[0] in {OLD, NEW}]
    assert log == [
        (OLD, "created", None, None, None),
        (NEW, "renamed", "id", OLD, NEW),
        (OLD, "deleted", None, None, None),
    ]
    assert NEW in world.products()
    assert OLD not in world.products()
    counted = [(s["itemsCreated"], s["itemsRenamed"], s["itemsDeleted"]) for s in world.sessions()]
    assert counted == [(120, 0, 0), (1, 1, 0), (0, 0, 1), (0, 0, 0)]
    assert world.runs()[1]["summary"]["renamed"] == [{"id": NEW, "from": OLD}]


def test_old_key_that_comes_back_is_a_product_again(world: World, source: FakeSource) -> None:
    """A rename takes nothing away before its second miss."""
    for records in (FULL, RENAMED, [*FULL, RENAMED[0]]):
        source.records = records
        world.run()

    assert {OLD, NEW} <= set(world.products())


def test_key_that_vanished_before_is_not_renamed(world: World, source: FakeSource) -> None:
    """Both must happen in the same extract."""
    for records in (FULL, FULL[1:], RENAMED):
        source.records = records
        world.run()

    assert (NEW, "created", None, None, None) in world.changes()
    assert world.sessions()[-1]["itemsRenamed"] == 0


def test_source_without_names_knows_no_renames(world: World, source: FakeSource) -> None:
    """Where the name is not delivered, keys are all there is."""
    source.fields = ("id", "minQty")
    source.records = FULL
    world.run()
    source.records = RENAMED

    assert world.run().outcome is RunOutcome.COMPLETED
    assert (NEW, "created", None, None, None) in world.changes()


def test_exchange_of_all_keys_is_not_searched(
    world: World, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond a limit names are not compared: the plan is another kind of trouble."""
    monkeypatch.setattr("archibald_sync.services.findings.RENAME_LIMIT", 0)
    source.records = FULL
    world.run()
    source.records = RENAMED
    world.run()

    assert world.sessions()[-1]["itemsRenamed"] == 0


def test_rename_is_an_entry_of_its_own(
    world: World, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dry run lists what would be renamed apart from what would be created."""
    source.records = FULL
    world.run()
    source.records = [*RENAMED, record(999)]
    world.run(request=DRY)

    echo_plan(world.monitoring, world.runs()[-1]["id"])
    assert f"= {NEW}: renamed from {OLD}" in capsys.readouterr().out.splitlines()
    (renamed,) = entries(world, PlanKind.RENAMED)
    assert (renamed["id"], renamed["from"], renamed["values"]["name"]) == (NEW, OLD, "H1.104.023")
    assert [one["id"] for one in entries(world, PlanKind.CREATED)] == ["000999K2"]
