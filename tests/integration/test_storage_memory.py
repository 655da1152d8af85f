"""What a connection remembers: exact, whoever writes; and how often it looks for its file."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from contextlib import closing
from itertools import count
from typing import TYPE_CHECKING

import pytest
from support import World, record, wait_for

from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import StorageError, StorageFullError
from archibald_sync.storage.catalogue_reader import SqliteCatalogueReader
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


@pytest.fixture
def patient(database: Database) -> Iterator[Database]:
    """Return the same database for a reader that relies on the gate alone."""
    patient = Database(database.path, looked_for_every_s=3600)
    yield patient
    patient.close()


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


def test_every_write_is_seen_at_once(patient: Database) -> None:
    """Written by this thread, by another one or by another process's connection."""
    number, _ = _counting(patient)
    stranger = Database(patient.path)

    def write_in_thread() -> None:
        _set(patient, 2)
        patient.close()

    seen = [number()]
    _set(patient, 1)
    seen.append(number())
    _in_thread(write_in_thread)
    seen.append(number())
    _set(stranger, 3)
    stranger.close()

    assert [*seen, number()] == [0, 1, 2, 3]


def test_another_process_is_never_missed(patient: Database) -> None:
    """What a process has committed before it says so is what is found after it has."""
    number, _ = _counting(patient)
    told, tell = os.pipe()
    writer = os.fork()
    if writer == 0:
        for value in range(1, 201):
            _set(patient, value)
            os.write(tell, b".")
        os._exit(0)
    os.close(tell)

    said, late = 0, []
    while more := len(os.read(told, 64)):
        said += more
        if (found := number()) < said:
            late.append((said, found))

    assert os.waitpid(writer, 0)[1] == 0
    assert (said, late) == (200, [])
    os.close(told)


@pytest.mark.parametrize("is_committed", [True, False], ids=["after", "before"])
def test_a_writer_that_dies_is_not_missed(
    patient: Database, monkeypatch: pytest.MonkeyPatch, *, is_committed: bool
) -> None:
    """Killed after its commit or before: readers find what the file has, now and later on."""
    number, read = _counting(patient)
    found = [number()]
    told, tell = os.pipe()
    wait, release = os.pipe()
    writer = os.fork()
    if writer == 0:
        pwrite, writes = os.pwrite, count()

        def killed(descriptor: int, content: bytes, offset: int) -> int:
            if next(writes):  # the first one says that a write begins
                os.kill(os.getpid(), signal.SIGKILL)
            return pwrite(descriptor, content, offset)

        monkeypatch.setattr(os, "pwrite", killed)
        with patient.transaction() as connection:
            connection.execute("UPDATE sync_totals SET totalSyncs = 7")
            os.write(tell, b".")
            os.read(wait, 1)
            if not is_committed:
                os.kill(os.getpid(), signal.SIGKILL)
        os._exit(0)
    os.read(told, 1)
    found += [number(), number()]
    os.write(release, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == -signal.SIGKILL

    expected = 7 if is_committed else 0
    assert [*found, number(), number()] == [0, 0, 0, expected, expected]
    assert read == ([0, 0, 7] if is_committed else [0, 0])
    _set(patient, 8)
    assert [number(), number()] == [8, 8]
    assert read[-2:] == [expected, 8]
    for one in (told, tell, wait, release):
        os.close(one)


def test_a_write_is_seen_when_it_is_committed(patient: Database) -> None:
    """Readers find what was before, and afterwards what has been written."""
    number, read = _counting(patient)
    found = [number()]
    inside, done = threading.Event(), threading.Event()

    def write() -> None:
        with patient.transaction() as connection:
            connection.execute("UPDATE sync_totals SET totalSyncs = 1")
            inside.set()
            done.wait(30)
        patient.close()

    writer = threading.Thread(target=write)
    writer.start()
    assert inside.wait(30)
    found += [number(), number()]
    done.set()
    writer.join()

    assert [*found, number(), number()] == [0, 0, 0, 1, 1]
    assert read == [0, 0, 1]


def test_a_program_that_knows_no_gate_is_noticed(database: Database) -> None:
    """At once by whoever looks for the file each time, a moment later by all others."""
    hasty = Database(database.path, looked_for_every_s=0.01)
    readers = [_counting(one)[0] for one in (database, hasty)]
    assert [one() for one in readers] == [0, 0]

    with closing(sqlite3.connect(database.path, isolation_level=None)) as stranger:
        stranger.execute("UPDATE sync_totals SET totalSyncs = 5")

    assert readers[0]() == 5
    wait_for(lambda: readers[1]() == 5)
    hasty.close()


def test_a_folder_that_cannot_be_written_can_be_read(database: Database) -> None:
    """Without a gate SQLite itself tells whether anybody has written."""
    database.close()
    gate = database.path.with_name("main.sqlite3.gate")
    gate.unlink()
    gate.mkdir()  # root may write anywhere but here
    number, read = _counting(database)

    assert [number(), number()] == [0, 0]
    with closing(sqlite3.connect(database.path, isolation_level=None)) as stranger:
        stranger.execute("UPDATE sync_totals SET totalSyncs = 5")
    assert [number(), number()] == [5, 5]
    assert read == [0, 5]
    with pytest.raises(StorageFullError, match="permissions"), database.transaction():
        pass


def test_no_room_for_the_count_is_a_full_disk(database: Database) -> None:
    """Nothing is begun that readers would not be told of."""
    database.close()
    gate = database.path.with_name("main.sqlite3.gate")
    gate.unlink()
    gate.symlink_to("/dev/full")

    with pytest.raises(StorageFullError, match="make room"):
        _set(database, 1)

    assert database.rows("SELECT totalSyncs FROM sync_totals")[0][0] == 0
    assert not database.connection().in_transaction


def test_memory_is_bounded(database: Database) -> None:
    """Whatever is asked for, a thread keeps some thousand readings."""
    read: list[int] = []

    for one in (*range(10_000), 0):
        database.remembered(f"number {one}", lambda: read.append(one))  # noqa: B023  # read at once

    assert read.count(0) == 2


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


def test_what_is_read_row_by_row_is_of_one_moment(world: World) -> None:
    """Whoever reads a list meanwhile sees the past, and does not remember it."""
    world.source.records = [record(number) for number in range(3)]
    world.run()
    patient = Database(world.database.path, looked_for_every_s=3600)
    number, _ = _counting(patient)

    reader = SqliteCatalogueReader(patient, PRODUCTS)
    with reader.every_record(with_deleted=True) as records:
        next(records)
        world.run()
        within = number()

    assert (within, number()) == (1, 2)
    patient.close()


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
