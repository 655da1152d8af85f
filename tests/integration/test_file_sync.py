"""Whole syncs from files: what the catalogue becomes, and what it stays when a file is bad."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from file_support import of_url
from support import World

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.models import RunOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import FakeSource

ROWS = 300


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP that changes only when it is told."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


def world_of(erp: DemoErp, folder: Path, kind: str) -> World:
    """Return a service that reads an export of ``erp``, with one attempt a run."""
    source = cast("FakeSource", of_url(erp, folder, kind))
    return World(folder, source, max_attempts=1)


def counts(world: World) -> tuple[int, ...]:
    """Return created, updated and deleted of the last session."""
    last = world.sessions()[-1]
    return tuple(last[name] for name in ("itemsCreated", "itemsUpdated", "itemsDeleted"))


def test_the_door_makes_no_difference(erp: DemoErp, tmp_path: Path) -> None:
    """The same products through another kind of file change nothing."""
    world = world_of(erp, tmp_path, "csv")
    assert world.run().outcome is RunOutcome.COMPLETED
    assert counts(world) == (ROWS, 0, 0)
    changes = world.changes()
    world.close()

    for kind in ("xlsx", "csv"):
        world = world_of(erp, tmp_path, kind)
        assert world.run().outcome is RunOutcome.COMPLETED
        assert counts(world) == (0, 0, 0)
        assert world.changes() == changes
        world.close()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("fault", ["cut", "login-page", "renamed", "filtered", "empty"])
def test_a_bad_file_changes_nothing(erp: DemoErp, tmp_path: Path, kind: str, fault: str) -> None:
    """Whatever is wrong with a file, the catalogue stays as it was, and follows when it is well."""
    world = world_of(erp, tmp_path, kind)
    world.run()
    before = world.products()
    assert len(before) == ROWS

    erp.faults.switch_on(fault, **({"rows": 30} if fault == "filtered" else {}))
    outcome = world.run().outcome
    assert outcome in {RunOutcome.FAILED, RunOutcome.HELD}
    assert world.products() == before

    erp.faults.clear()
    revision = erp.revise(created=2, updated=3)
    assert world.run().outcome is RunOutcome.COMPLETED
    assert counts(world) == (2, len(revision.updated), 0)
    world.close()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_an_unchanged_file_is_a_short_cut(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A run that finds the file of the last extract reads no row; a changed file is read."""
    world = world_of(erp, tmp_path, kind)

    for _ in range(2):
        assert world.run().outcome is RunOutcome.COMPLETED
    erp.revise(updated=1)
    world.run()

    assert [bool(one["isShortcut"]) for one in world.sessions()] == [False, True, False]
    assert counts(world) == (0, 1, 0)
    world.close()
