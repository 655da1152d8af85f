"""The stores over real SQLite files: what they keep, refuse and survive."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import SteppedClock, World, wait_for

from archibald_sync.clock import SystemClock
from archibald_sync.domain.models import IntentKind, IntentState, Role, SessionStatus
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import (
    Fenced,
    InvalidInputError,
    NotFoundError,
    SyncInProgressError,
)
from archibald_sync.storage.accounts import SqliteAccounts
from archibald_sync.storage.connection import Database
from archibald_sync.storage.history import SqliteHistory
from archibald_sync.storage.migrate import migrate
from archibald_sync.storage.spool import FileSpool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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


@pytest.mark.parametrize("status", SessionStatus)
def test_history_pages_through_sessions_of_one_status(world: World, status: SessionStatus) -> None:
    """Those of the status that is asked for, and no others, the newest first."""
    ended = [one for one in SessionStatus if one is not SessionStatus.RUNNING]
    for number, one in enumerate([*ended, *ended, *ended]):
        world.history.create_sync_session(f"s{number:02}")
        world.history.complete_sync_session(f"s{number:02}", one)
    world.history.create_sync_session("s99")

    seen: list[Mapping[str, Any]] = []
    while page := world.history.sessions(2, _after(seen), status):
        seen += page

    newest_first = world.history.sessions(100)
    assert len(newest_first) == 16
    assert seen == [one for one in newest_first if one["status"] == status]


def _after(seen: list[Mapping[str, Any]]) -> tuple[int, str] | None:
    return (seen[-1]["startedAt"], seen[-1]["id"]) if seen else None


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
