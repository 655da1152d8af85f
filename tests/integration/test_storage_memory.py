"""What a connection remembers: exact, whoever writes; and how often it looks for its file."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from support import World, wait_for

from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import StorageError
from archibald_sync.storage.connection import Database
from archibald_sync.storage.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return a database with a counter at 0."""
    database = Database(tmp_path / "main.sqlite3")
    migrate(database, "main", [PRODUCTS])
    _set(database, 0)
    yield database
    database.close()


def _set(database: Database, number: int) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM sync_totals")
        connection.execute(
            "INSERT INTO sync_totals (syncType, totalSyncs) VALUES ('counter', ?)", (number,)
        )


def _counting(database: Database) -> tuple[Callable[[], int], list[int]]:
    """Return a remembered reading of the counter, and what has really been read."""
    read: list[int] = []

    def number() -> int:
        row = database.row("SELECT totalSyncs FROM sync_totals")
        read.append(int(row[0]) if row else -1)
        return read[-1]

    return lambda: database.remembered("number", number), read


def _in_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_what_nobody_changes_is_read_once(database: Database) -> None:
    """As long as nothing is written the first reading stands, whatever else is read."""
    number, read = _counting(database)

    found = [number() for _ in range(5)]
    database.rows("SELECT * FROM users")

    assert [*found, number()] == [0] * 6
    assert read == [0]


def test_every_write_is_seen_at_once(database: Database) -> None:
    """Written by this thread, by another one or by another process's connection."""
    number, _ = _counting(database)
    stranger = Database(database.path)

    def write_in_thread() -> None:
        _set(database, 2)
        database.close()

    seen = [number()]
    _set(database, 1)
    seen.append(number())
    _in_thread(write_in_thread)
    seen.append(number())
    _set(stranger, 3)
    stranger.close()

    assert [*seen, number()] == [0, 1, 2, 3]


def test_what_is_undone_was_never_remembered(database: Database) -> None:
    """A reading inside a transaction sees its writes, and leaves nothing behind."""
    number, _ = _counting(database)
    assert number() == 0

    with pytest.raises(RuntimeError), database.transaction():
        _set(database, 5)
        assert number() == 5
        raise RuntimeError("given up")

    assert number() == 0


def test_a_moment_is_kept_inside_a_snapshot(database: Database) -> None:
    """What others write meanwhile is not seen before the snapshot ends."""
    number, _ = _counting(database)
    stranger = Database(database.path)

    with database.snapshot():
        before = number()
        _set(stranger, 1)
        within = number()

    stranger.close()
    assert (before, within, number()) == (0, 0, 1)


def test_another_file_has_another_memory(database: Database, tmp_path: Path) -> None:
    """A restored copy is read anew, though it counts its writes as the old file did."""
    number, _ = _counting(database)
    assert number() == 0
    copy = Database(tmp_path / "copy.sqlite3")
    migrate(copy, "main", [PRODUCTS])
    _set(copy, 9)
    copy.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy.close()

    copy.path.replace(database.path)

    assert number() == 9


def test_overview_follows_the_sessions(world: World) -> None:
    """Metrics and history that are asked for again and again are never of the past."""
    for expected in range(3):
        metrics, newest = world.monitoring.overview(10)
        assert metrics == world.monitoring.metrics()
        assert newest == world.monitoring.history(10)
        assert (metrics.total_syncs, len(newest)) == (expected, expected)
        world.run()


def test_a_reader_may_look_for_its_file_now_and_then(database: Database) -> None:
    """A file that went is noticed a moment later by a reader, and at once by a writer."""
    patient = Database(database.path, looked_for_every_s=3600)
    hasty = Database(database.path, looked_for_every_s=0.01)
    for one in (patient, hasty):
        one.rows("SELECT 1")
    database.close()
    database.path.unlink()

    def is_missed() -> bool:
        try:
            hasty.rows("SELECT 1")
        except StorageError:
            return True
        return False

    wait_for(is_missed)
    assert patient.rows("SELECT 1")[0][0] == 1
    with pytest.raises(StorageError, match="missing"), patient.transaction():
        pass
    with pytest.raises(StorageError, match="missing"):
        patient.rows("SELECT 1")
    for one in (patient, hasty):
        one.close()
