"""The database file: transactions, locks, a full disk, damage, forks and migrations."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from archibald_sync.domain.resources import PRODUCTS, Field, FieldType, Resource
from archibald_sync.errors import (
    SchemaVersionError,
    StorageBusyError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
)
from archibald_sync.storage.catalogue_schema import quoted
from archibald_sync.storage.connection import Database
from archibald_sync.storage.migrate import check_integrity, migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return an empty main database."""
    database = Database(tmp_path / "main.sqlite3", busy_timeout_s=0.2)
    migrate(database, "main", [PRODUCTS])
    yield database
    database.close()


def test_transaction_is_all_or_nothing(database: Database) -> None:
    """What a failed block wrote is gone."""
    with pytest.raises(ZeroDivisionError), database.transaction() as connection:
        connection.execute("INSERT INTO sync_totals (syncType) VALUES ('x')")
        raise ZeroDivisionError

    assert database.rows("SELECT * FROM sync_totals") == []
    assert not database.connection().in_transaction


def test_inner_transaction_joins_the_outer_one(database: Database) -> None:
    """A write method of a store takes part in the transaction of its caller."""
    with pytest.raises(ZeroDivisionError), database.transaction():
        with database.transaction() as connection:
            connection.execute("INSERT INTO sync_totals (syncType) VALUES ('x')")
        raise ZeroDivisionError

    assert database.rows("SELECT * FROM sync_totals") == []


def test_writer_gives_up_after_its_timeout(database: Database) -> None:
    """A writer that cannot get its turn says so, and works once it can."""
    gate = os.open(database.path.with_name("main.sqlite3.gate"), os.O_RDWR)
    fcntl.flock(gate, fcntl.LOCK_EX)

    with pytest.raises(StorageBusyError), database.transaction():
        pass

    os.close(gate)
    with database.transaction():
        pass


def test_lock_by_a_stranger_is_busy(database: Database) -> None:
    """A program that locks the file without knowing the gate makes us busy, not broken."""
    database.connection().execute("PRAGMA busy_timeout = 50")
    stranger = sqlite3.connect(database.path, isolation_level=None)
    stranger.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageBusyError), database.transaction():
        pass

    assert database.rows("SELECT COUNT(*) FROM users")[0][0] == 0
    stranger.execute("ROLLBACK")
    stranger.close()


def test_writers_of_many_threads_queue(database: Database, tmp_path: Path) -> None:
    """Nothing is lost when several threads write at once."""
    patient = Database(database.path, busy_timeout_s=20)
    patient.connection().execute("CREATE TABLE counter (n INTEGER)")
    patient.connection().execute("INSERT INTO counter VALUES (0)")

    def count() -> None:
        for _ in range(50):
            with patient.transaction() as connection:
                (number,) = connection.execute("SELECT n FROM counter").fetchone()
                connection.execute("UPDATE counter SET n = ?", (number + 1,))
        patient.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert patient.rows("SELECT n FROM counter")[0][0] == 200
    patient.close()


def test_full_disk_keeps_what_was_there(database: Database) -> None:
    """Without room a write fails as such, reads go on, and later writes work."""
    connection = database.connection()
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(StorageFullError, match="TMPDIR"), database.transaction() as writing:
        writing.executemany(
            "INSERT INTO sync_totals (syncType) VALUES (?)",
            [("x" * 500 + str(n),) for n in range(999)],
        )

    assert database.rows("SELECT COUNT(*) FROM sync_totals")[0][0] == 0
    connection.execute("PRAGMA max_page_count = 1000000")
    with database.transaction() as writing:
        writing.execute("INSERT INTO sync_totals (syncType) VALUES ('x')")


def test_removed_file_is_told_and_its_return_noticed(database: Database) -> None:
    """A missing file is never replaced by an empty one; a restored one is opened."""
    copy = database.path.read_bytes()
    database.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = database.path.read_bytes()
    database.path.unlink()

    with pytest.raises(StorageError, match="missing"):
        database.rows("SELECT 1")
    assert not database.path.exists()
    database.path.write_bytes(copy)

    assert database.rows("SELECT COUNT(*) FROM users")[0][0] == 0


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    """A file that is not a database is refused with what to do."""
    path = tmp_path / "main.sqlite3"
    path.write_bytes(b"not a database at all" * 100)

    with pytest.raises(StorageCorruptError, match="put a copy"):
        migrate(Database(path), "main", [PRODUCTS])


def test_integrity_check_finds_damage(database: Database) -> None:
    """A page that was overwritten is found."""
    check_integrity(database)
    connection = database.connection()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    with database.path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 4)

    with pytest.raises(StorageCorruptError):
        check_integrity(database)


def test_newer_schema_is_refused(database: Database) -> None:
    """An older version leaves a newer file alone."""
    database.connection().execute("PRAGMA user_version = 9999")

    with pytest.raises(SchemaVersionError, match="9999"):
        migrate(database, "main", [PRODUCTS])


def test_migration_is_idempotent_and_keeps_data(database: Database) -> None:
    """Migrating a current file changes nothing, not even by a write."""
    with database.transaction() as connection:
        connection.execute("INSERT INTO sync_totals (syncType) VALUES ('x')")
    blocker = sqlite3.connect(database.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")

    migrate(database, "main", [PRODUCTS])

    blocker.execute("ROLLBACK")
    blocker.close()
    assert database.rows("SELECT syncType FROM sync_totals")[0][0] == "x"


def test_older_file_is_copied_before_it_is_migrated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy named after the old version is kept, readable by its owner only."""
    old = database.rows("PRAGMA user_version")[0][0]
    steps = {old: "", old + 1: "CREATE TABLE later (n INTEGER) STRICT;\n"}
    monkeypatch.setattr("archibald_sync.storage.migrate._steps", lambda _family: steps)

    version = migrate(database, "main", [PRODUCTS])

    assert version == old + 1
    copy = database.path.with_name(f"main.sqlite3.v{old:04d}.bak")
    assert copy.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (old,)
    connection.close()


def test_new_field_becomes_a_column(database: Database) -> None:
    """A field that is added to a declaration is added to the table."""
    extended = Resource(
        "products",
        "product",
        "Products",
        "X",
        (*PRODUCTS.fields, Field("colour", FieldType.TEXT, "")),
    )

    migrate(database, "main", [extended])

    names = {row[1] for row in database.rows("PRAGMA table_info(products)")}
    assert "colour" in names


@pytest.mark.parametrize("name", ['x"; DROP TABLE users', "", "a b", "1a"])
def test_identifiers_are_checked(name: str) -> None:
    """Only plain identifiers become part of a statement."""
    with pytest.raises(ValueError, match="not an identifier"):
        quoted(name)


def test_forked_child_opens_a_connection_of_its_own(database: Database) -> None:
    """A child neither uses nor closes its parent's connection."""
    database.rows("SELECT 1")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            with database.transaction() as connection:
                connection.execute("INSERT INTO sync_totals (syncType) VALUES ('child')")
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)

    assert status == 0
    assert database.rows("SELECT syncType FROM sync_totals")[0][0] == "child"
