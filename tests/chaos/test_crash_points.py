"""A run that is killed at every single statement and page: all of it counts, or nothing.

The plan that it works on has every kind of change; one attempt fails before it. The
clock stands still, so that tables can be compared to the last column.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, SteppedClock, World, record

from archibald_sync.errors import TransientSourceError
from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from archibald_sync.domain.ports import Control

_PAGE_SIZE = 4
_HALF_HOUR_MS = 30 * 60_000

# What the instance has read before: 20 is deleted, 18 and 19 were missing once.
_EARLIER = [
    [record(number) for number in range(1, 21)],
    [record(number) for number in range(1, 20)],
    [record(number) for number in range(1, 18)],
]
_EXTRACT = [
    *(record(number, minQty=7) for number in range(1, 5)),  # updated
    record(5, etag="new"),  # refreshed: other bytes, the same content
    *(record(number) for number in range(6, 17)),  # unchanged; 17 is missing
    record(18),  # back after one miss; 19 is missing again: deleted
    record(20),  # restored
    *(record(number) for number in range(21, 24)),  # created
]
_COUNTS = {
    "itemsCreated": 3,
    "itemsUpdated": 4,
    "itemsUnchanged": 13,
    "itemsRestored": 1,
    "itemsMissing": 2,
    "itemsDeleted": 1,
}
_PAGES = 2 * (len(_EXTRACT) // _PAGE_SIZE + 1)  # in two attempts


class Fuse:
    """Kills this process with SIGKILL when it has burned down."""

    def __init__(self, length: int = 0) -> None:
        """Burn ``length`` times; 0 means for ever."""
        self._left = length

    def burn(self, *_ignored: object) -> None:
        """Burn once."""
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class TracedDatabase(Database):
    """A database that says each statement before it takes effect."""

    trace: Callable[[str], object] = staticmethod(lambda _statement: None)

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, traced."""
        connection = super().connection()
        connection.set_trace_callback(self.trace)
        return connection


@dataclass(frozen=True)
class Tables:
    """What an instance holds, to the last column; how often it ran does not show."""

    products: Sequence[tuple[Any, ...]]
    changes: Sequence[tuple[Any, ...]]
    next_due_at: int | None

    @classmethod
    def of(cls, world: World) -> Tables:
        """Read them."""
        rows = [tuple(row) for row in world.database.rows("SELECT * FROM products ORDER BY id")]
        return cls(rows, world.changes(), world.schedule.state().next_due_at)


@dataclass(frozen=True)
class Stage:
    """An instance that has read ``_EARLIER``, and what one and two further runs make of it."""

    folder: Path
    before: Tables
    after: Tables
    after_two: Tables
    statements: Sequence[str]

    def copy(self, name: str) -> Path:
        """Return a copy of the instance."""
        return shutil.copytree(self.folder, self.folder.with_name(name))


@contextmanager
def opened(
    folder: Path, extract: Sequence[dict[str, object]], *, failures: int = 0
) -> Iterator[World]:
    """Open an instance whose clock stands still and whose source delivers ``extract``."""
    source = FakeSource(_PAGE_SIZE)
    source.records = extract
    source.failures = [TransientSourceError("down") for _ in range(failures)]
    world = World(folder, source, clock=SteppedClock(), open_database=TracedDatabase)
    yield world
    world.close()


def trace(world: World, callback: Callable[[str], object]) -> None:
    """Let ``callback`` see each statement from now on."""
    assert isinstance(world.database, TracedDatabase)
    world.database.trace = callback


def own(world: World, name: str) -> int:
    """Take over from whoever was the owner and has died."""
    epoch = world.owner.take(name, 60, has_flock=True)
    assert epoch is not None
    return epoch


def run(world: World) -> None:
    """Run once as the owner."""
    end = world.run()
    assert end.outcome == "completed", end


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Set the stage, and look what a run does that nobody kills."""
    folder = tmp_path / "stage"
    folder.mkdir()
    for extract in _EARLIER:
        with opened(folder, extract) as world:
            world.schedule.begin(30, world.clock.now_ms(), None, own(world, "test"))
            run(world)
            world.schedule.begin(30, world.clock.now_ms(), None, world.own())
            before = Tables.of(world)
    statements: list[str] = []
    with opened(shutil.copytree(folder, tmp_path / "calm"), _EXTRACT, failures=1) as world:
        own(world, "victim")
        trace(world, statements.append)
        run(world)
        trace(world, lambda _statement: None)
        after = Tables.of(world)
        _check_kinds(world, before, after)
        run(world)
        after_two = Tables.of(world)
    return Stage(folder, before, after, after_two, statements)


def _check_kinds(world: World, before: Tables, after: Tables) -> None:
    """Check that the plan has every kind of change."""
    session = world.sessions()[-1]
    assert {name: session[name] for name in _COUNTS} == _COUNTS
    unlogged = {row[1] for row in {*after.products} - {*before.products}}
    unlogged -= {change[0] for change in after.changes[len(before.changes) :]}
    assert unlogged == {str(record(number)["id"]) for number in (5, 17, 18)}, "refreshed, missed"


def lives(folder: Path, *, statement: int = 0, page: int = 0) -> bool:
    """Run in a child that is killed at a statement or a page; return whether it lived."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            _run_with_fuses(folder, Fuse(statement), Fuse(page))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in {0, -signal.SIGKILL}, f"the run failed of itself: {code}"
    return code == 0


def _run_with_fuses(folder: Path, statements: Fuse, pages: Fuse) -> None:
    def burn(_control: Control) -> None:
        pages.burn()

    with opened(folder, _EXTRACT, failures=1) as world:
        own(world, "victim")
        world.source.pause = burn
        trace(world, statements.burn)
        run(world)


def check(stage: Stage, folder: Path) -> None:
    """Take over as the next owner would, and check that all or nothing happened."""
    with opened(folder, _EXTRACT) as world:
        epoch = own(world, "heir")
        world.history.interrupt_orphans(epoch, None)
        last, found = world.sessions()[-1], Tables.of(world)
        is_committed = len(world.sessions()) > 3 and last["status"] == "completed"

        assert found == (stage.after if is_committed else stage.before)
        assert "running" not in [session["status"] for session in world.sessions()]
        assert None not in [one["outcome"] for one in world.runs()]
        assert (world.runs()[-1]["outcome"] == "completed") is (last["status"] == "completed")
        assert world.database.rows("PRAGMA integrity_check")[0][0] == "ok"
        assert world.history.interrupt_orphans(epoch, None) == []
        run(world)
        recovered = Tables.of(world)
        expected = stage.after_two if is_committed else stage.after
        assert recovered.products == expected.products
        assert recovered.changes == expected.changes
        assert recovered.next_due_at == world.clock.now_ms() + _HALF_HOUR_MS
        epochs = [one[0] for one in world.database.rows("SELECT epoch FROM product_changes")]
        assert epochs == sorted(epochs)


def test_killed_at_chosen_statements_it_is_all_or_nothing(stage: Stage, seed: int) -> None:
    """Killed at and after each commit, and somewhere between, nothing is ever mixed."""
    commits = [n for n, text in enumerate(stage.statements, start=1) if text == "COMMIT"]
    numbers = range(1, len(stage.statements) + 1)
    chosen = {*commits, *(n + 1 for n in commits), *random.Random(seed).sample(numbers, 5)}

    survivors = 0
    for number in sorted(chosen):
        folder = stage.copy(f"statement-{number}")
        survivors += lives(folder, statement=number)
        check(stage, folder)

    assert survivors <= 1, "only after the last statement can a run live"


@pytest.mark.slow
def test_killed_at_every_statement_it_is_all_or_nothing(stage: Stage) -> None:
    """For n = 1, 2, … until the run lives: killed at its n-th statement nothing is mixed."""
    number, is_alive = 0, False
    while not is_alive:
        number += 1
        folder = stage.copy(f"statement-{number}")
        is_alive = lives(folder, statement=number)
        check(stage, folder)
        shutil.rmtree(folder)

    assert number == len(stage.statements) + 1


def test_killed_at_every_page_it_is_all_or_nothing(stage: Stage) -> None:
    """For n = 1, 2, … until the run lives: killed at its n-th page nothing is mixed."""
    number, is_alive = 0, False
    while not is_alive:
        number += 1
        folder = stage.copy(f"page-{number}")
        is_alive = lives(folder, page=number)
        check(stage, folder)

    assert number == _PAGES + 1
