"""The stores over real SQLite files: what they keep, refuse and survive."""

from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest
from support import SteppedClock, World, wait_for

from archibald_sync.clock import SystemClock
from archibald_sync.domain.models import IntentKind, IntentState, Role, SessionStatus
from archibald_sync.domain.resources import PRODUCTS, Field, FieldType, Resource
from archibald_sync.errors import (
    Fenced,
    InvalidInputError,
    NotFoundError,
    SchemaVersionError,
    StorageBusyError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
    SyncInProgressError,
)
from archibald_sync.storage.accounts import SqliteAccounts
from archibald_sync.storage.catalogue_schema import quoted
from archibald_sync.storage.connection import Database
from archibald_sync.storage.history import SqliteHistory
from archibald_sync.storage.migrate import check_integrity, migrate
from archibald_sync.storage.spool import FileSpool

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PLAN_METRICS = """
SELECT COUNT(*) AS totalSyncs,
       SUM(CASE WHEN status = 'completed' THEN 1 ELSE 0 END) AS successfulSyncs,
       SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) AS failedSyncs,
       AVG(CASE WHEN completedAt IS NOT NULL THEN completedAt - startedAt ELSE NULL END)
         AS avgDurationMs,
       MAX(startedAt) AS lastSyncAt
FROM sync_sessions WHERE syncType = 'products'
"""


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

    with pytest.raises(StorageFullError), database.transaction() as writing:
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


def test_plans_table_to_the_letter(database: Database) -> None:
    """The first thirteen columns of sync_sessions are the plan's, in order."""
    columns = [(r[1], r[2], r[3], r[5]) for r in database.rows("PRAGMA table_info(sync_sessions)")]

    assert columns[:13] == [
        ("id", "TEXT", 1, 1),
        ("syncType", "TEXT", 1, 0),
        ("startedAt", "INTEGER", 1, 0),
        ("completedAt", "INTEGER", 0, 0),
        ("status", "TEXT", 1, 0),
        ("totalPages", "INTEGER", 0, 0),
        ("pagesProcessed", "INTEGER", 0, 0),
        ("itemsProcessed", "INTEGER", 0, 0),
        ("itemsCreated", "INTEGER", 0, 0),
        ("itemsUpdated", "INTEGER", 0, 0),
        ("itemsDeleted", "INTEGER", 0, 0),
        ("errorMessage", "TEXT", 0, 0),
        ("syncMode", "TEXT", 1, 0),
    ]
    indexes = {row[1] for row in database.rows("PRAGMA index_list(sync_sessions)")}
    assert {"idx_sync_sessions_type", "idx_sync_sessions_started"} <= indexes


def test_empty_table_gives_zeros_and_nulls(database: Database) -> None:
    """Before the first session all metrics are zero or null, as the plan says."""
    history = SqliteHistory(database, SystemClock(), "products")

    metrics = history.get_sync_metrics()

    assert (metrics.total_syncs, metrics.successful_syncs, metrics.failed_syncs) == (0, 0, 0)
    assert (metrics.success_rate, metrics.avg_duration_ms) == (0, 0)
    assert (metrics.last_sync_at, metrics.last_sync_status) == (None, None)
    assert history.get_sync_history() == []


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_the_plans_own_sql(database: Database, seed: int) -> None:
    """Kept totals give what the plan's statement gives, to the last digit, over any history."""
    chance = random.Random(seed)
    clock = SteppedClock()
    history = SqliteHistory(database, clock, "products")
    for _ in range(chance.randrange(1, 40)):
        clock.wall += chance.randrange(1, 10_000_000)
        session_id = f"products-sync-{clock.wall}"
        history.create_sync_session(session_id)
        clock.wall += chance.randrange(0, 400_000)
        history.complete_sync_session(session_id, chance.choice(list(SessionStatus)[1:]))
    if chance.random() < 0.5:
        clock.wall += 1
        history.create_sync_session("products-sync-running")

    metrics = history.get_sync_metrics()
    plan = database.row(PLAN_METRICS)
    assert plan is not None

    assert metrics.total_syncs == plan["totalSyncs"]
    assert metrics.successful_syncs == plan["successfulSyncs"]
    assert metrics.failed_syncs == plan["failedSyncs"]
    assert metrics.success_rate == plan["successfulSyncs"] / plan["totalSyncs"] * 100
    assert metrics.avg_duration_ms == (plan["avgDurationMs"] or 0)
    assert metrics.last_sync_at == plan["lastSyncAt"]
    assert metrics.last_sync_status == history.get_sync_history(1)[0]["status"]


def test_metrics_survive_pruning(database: Database) -> None:
    """Deleting old sessions changes no metric."""
    clock = SteppedClock()
    history = SqliteHistory(database, clock, "products")
    for number in range(5):
        clock.wall += 1000
        history.create_sync_session(f"s{number}")
        history.complete_sync_session(f"s{number}", SessionStatus.COMPLETED)
    before = history.get_sync_metrics()

    database.connection().execute("DELETE FROM sync_sessions WHERE id IN ('s0', 's1')")

    assert history.get_sync_metrics() == before


def test_only_one_session_runs(database: Database) -> None:
    """The table itself refuses a second running session."""
    history = SqliteHistory(database, SystemClock(), "products")
    history.create_sync_session("a")

    with pytest.raises(SyncInProgressError):
        history.create_sync_session("b")
    with pytest.raises(NotFoundError):
        history.complete_sync_session("b", SessionStatus.COMPLETED)


def test_history_pages_through_all_sessions(world: World) -> None:
    """Cursor pages neither skip nor repeat, and filter by status."""
    for number in range(7):
        world.history.create_sync_session(f"s{number}")
        status = SessionStatus.COMPLETED if number % 2 else SessionStatus.FAILED
        world.history.complete_sync_session(f"s{number}", status)

    seen: list[str] = []
    cursor = None
    while page := world.history.sessions(3, cursor):
        seen += [row["id"] for row in page]
        cursor = (page[-1]["startedAt"], page[-1]["id"])

    assert sorted(seen) == [f"s{number}" for number in range(7)]
    failed = world.history.sessions(10, status="failed")
    assert [row["status"] for row in failed] == ["failed"] * 4


def test_repeated_loss_is_counted(world: World) -> None:
    """Runs that lost their owner one after the other are counted, others end the count."""
    epoch = world.own()
    assert world.history.consecutive_losses(3) == 0
    for _ in range(2):
        world.claim()
        world.history.interrupt_orphans(epoch, None)

    assert world.history.consecutive_losses(3) == 2
    world.run()
    assert world.history.consecutive_losses(3) == 0


def test_owner_lease_expires_on_the_boot_clock(tmp_path: Path) -> None:
    """A lease is respected until it runs out, and a step of the wall clock changes nothing."""
    clock = SteppedClock()
    world = World(tmp_path, None, clock=clock)  # type: ignore[arg-type]
    leases = world.owner
    assert leases.take("a", 20, has_flock=True) == 1
    clock.wall += 7_200_000

    assert leases.take("b", 20, has_flock=False) is None
    clock.boot += 20_001
    assert leases.take("b", 20, has_flock=False) == 2

    assert not leases.renew(1, 20)
    assert leases.take("c", 20, has_flock=True) is None, "who took over without the lock counts"
    clock.machine = "boot-2"
    assert leases.take("c", 20, has_flock=True) == 3
    leases.release(2)
    assert leases.renew(3, 20)
    leases.release(3)
    lease = leases.lease()
    assert lease is not None
    assert not leases.is_live(lease)
    world.close()


def test_lock_proves_that_the_former_owner_is_dead(tmp_path: Path) -> None:
    """With the lock in hand a lease that has time left is taken at once."""
    world = World(tmp_path, None)  # type: ignore[arg-type]

    assert world.owner.take("a", 20, has_flock=True) == 1
    assert world.owner.take("b", 20, has_flock=True) == 2
    world.close()


def test_priority_leases_are_counted_and_expire(tmp_path: Path) -> None:
    """Each lease stands for itself; a lost one ends by itself, also by a reboot."""
    clock = SteppedClock()
    world = World(tmp_path, None, clock=clock)  # type: ignore[arg-type]
    first = world.leases.take("ada", "order", 60)
    clock.wall += 1
    second = world.leases.take("bob", "order", 30)
    assert [lease.owner for lease in world.leases.held()] == ["ada", "bob"]

    clock.boot += 30_000
    clock.wall += 30_000
    assert [lease.owner for lease in world.leases.held()] == ["ada"]
    with pytest.raises(NotFoundError):
        world.leases.renew(second.id, 60)
    renewed = world.leases.renew(first.id, 60)
    assert renewed.expires_at == clock.wall + 60_000
    assert world.leases.release(first.id)
    assert not world.leases.release(first.id)

    world.leases.take("eve", "order", 60)
    clock.machine = "boot-2"
    assert world.leases.held() == []
    world.close()


def test_intent_is_recorded_once_a_key(world: World) -> None:
    """The same key gives the same intent back; an answer is given once."""
    first = world.schedule.add_intent(IntentKind.RUN, {}, "ada", ttl_s=60, idempotency_key="k")
    again = world.schedule.add_intent(IntentKind.RUN, {}, "ada", ttl_s=60, idempotency_key="k")
    epoch = world.own()

    world.schedule.answer_intent(first.id, IntentState.APPLIED, {"runId": "r"}, epoch)

    assert again.id == first.id
    assert world.schedule.intent(first.id).result == {"runId": "r"}
    with pytest.raises(NotFoundError):
        world.schedule.answer_intent(first.id, IntentState.APPLIED, {}, epoch)
    with pytest.raises(NotFoundError):
        world.schedule.intent(999)
    with pytest.raises(Fenced):
        world.schedule.answer_intent(first.id, IntentState.APPLIED, {}, epoch + 1)


def test_users_are_found_in_any_case(database: Database) -> None:
    """A name is taken whatever its case."""
    accounts = SqliteAccounts(database, SystemClock())
    user = accounts.add_user("Ada", "hash", Role.ADMIN)

    with pytest.raises(InvalidInputError, match="already"):
        accounts.add_user("ada", "hash", Role.VIEWER)
    assert accounts.user("ADA") == user
    assert accounts.user_by_id(user.id) == user
    accounts.set_password_hash(user.id, "other")
    assert accounts.password_hash(user.id) == "other"
    with pytest.raises(NotFoundError):
        accounts.password_hash(999)


def test_spool_reads_back_what_was_added(tmp_path: Path) -> None:
    """Items come back in order, from memory and from disk, as often as they are read."""
    spool = FileSpool(tmp_path)
    items = [(number, b"\x00" * 16, ["text", None, number]) for number in range(10_000)]
    for item in items:
        spool.append(item)

    assert len(spool) == 10_000
    for _ in range(2):
        assert [(n, b, list(v)) for n, b, v in spool] == items
    assert list(tmp_path.iterdir()) == [], "the file has no name"


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


def test_changes_of_others_are_noticed(world: World) -> None:
    """A poll tells whether another connection wrote since the last one."""
    world.schedule.has_changed()
    assert not world.schedule.has_changed()

    def write() -> None:
        world.requests.boot("start", "b")
        world.database.close()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()

    wait_for(world.schedule.has_changed, 1)
    assert not world.schedule.has_changed()


def test_snapshot_of_an_empty_catalogue(world: World) -> None:
    """Before the first extract nothing is known, and no mapping."""
    snapshot = world.catalogue.snapshot("1")

    assert (snapshot.row_by_hash, snapshot.unhashed, snapshot.active) == ({}, (), 0)
    assert not snapshot.is_same_mapping
    assert world.catalogue.count() == {"active": 0, "deleted": 0}
