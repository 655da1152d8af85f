"""What tests build on: a fake source, and a world that wires real parts around it."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import xxhash
from argon2 import PasswordHasher

from archibald_sync.clock import SystemClock
from archibald_sync.domain.models import Page, RunRequest, Trigger
from archibald_sync.domain.normalise import Notation
from archibald_sync.domain.policy import GuardPolicy, RetryPolicy, SchedulePolicy, SessionLimits
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import NotModified
from archibald_sync.scheduler.desk import Driven
from archibald_sync.scheduler.driver import Driver
from archibald_sync.scheduler.ownership import Ownership
from archibald_sync.services.attempt import Mirror
from archibald_sync.services.catalogue import CatalogueService
from archibald_sync.services.control import RunControl
from archibald_sync.services.feed import StatusFeed
from archibald_sync.services.journal import RunJournal
from archibald_sync.services.monitoring import MonitoringService
from archibald_sync.services.overview import OverviewService
from archibald_sync.services.passwords import Passwords
from archibald_sync.services.priority import PriorityManager
from archibald_sync.services.schedule import ScheduleService
from archibald_sync.services.sync import SyncService
from archibald_sync.storage.catalogue import SqliteCatalogue
from archibald_sync.storage.catalogue_reader import SqliteCatalogueReader
from archibald_sync.storage.connection import Database
from archibald_sync.storage.history import SqliteHistory
from archibald_sync.storage.migrate import migrate
from archibald_sync.storage.overview import SqliteOverview
from archibald_sync.storage.owner import SqliteOwnerLeases
from archibald_sync.storage.plans import PlanFolder
from archibald_sync.storage.priority import SqlitePriorityLeases
from archibald_sync.storage.run_lines import SqliteRunLines
from archibald_sync.storage.schedule import SqliteSchedule
from archibald_sync.storage.search_index import SqliteSearchIndex
from archibald_sync.storage.spool import FileSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from archibald_sync.clock import Clock
    from archibald_sync.domain.models import Claim, RunEnd
    from archibald_sync.domain.ports import Control

FIELDS = ("id", "name", "minQty", "stopped")


def record(number: int, **changes: object) -> dict[str, object]:
    """Return a product as a source delivers it."""
    key = f"{number:06d}K2"
    return {"id": key, "name": f"H{number}.104.023", "minQty": 1, "stopped": False, **changes}


def catalogue_of(count: int) -> list[dict[str, object]]:
    """Return ``count`` different products."""
    return [record(number) for number in range(1, count + 1)]


def quick_passwords() -> Passwords:
    """Return hashing as in production, but with parameters that cost no time."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class FakeSource:
    """A source whose records, failures and pauses the test decides.

    ``failures`` are raised one an extract, after the first page; ``pause`` is called
    before each page with the control of the run.
    """

    notation = Notation.PLAIN

    def __init__(self, page_size: int = 50) -> None:
        """Deliver nothing but an empty extract until told otherwise."""
        self.records: Sequence[dict[str, object]] = []
        self.failures: list[Exception] = []
        self.page_size = page_size
        self.extracts = 0
        self.pause: Callable[[Control], None] = lambda _control: None
        self.fields: tuple[str, ...] = FIELDS
        self.mapping_version = "1"
        self.declared_total: int | None = None
        self.validator: str | None = None

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:
        """Read one extract, unless ``validator`` is still the one to show."""
        self.extracts += 1
        if validator is not None and validator == self.validator:
            raise NotModified("nothing changed since the last extract")
        failure = self.failures.pop(0) if self.failures else None
        records = list(self.records)
        chunks = [
            records[start : start + self.page_size]
            for start in range(0, max(len(records), 1), self.page_size)
        ]
        for number, chunk in enumerate(chunks, start=1):
            self.pause(control)
            if failure is not None and number == len(chunks):
                raise failure
            yield self._page(number, chunk, len(chunks))

    def check(self) -> str:
        """Say that all is well."""
        return f"{len(self.records)} records"

    def _page(self, number: int, chunk: list[dict[str, object]], total_pages: int) -> Page:
        raws = [json.dumps(one).encode() for one in chunk]
        seed = xxhash.xxh32_intdigest(self.mapping_version.encode())

        def decode(indexes: Sequence[int]) -> list[tuple[object, ...]]:
            return [tuple(chunk[index].get(name) for name in self.fields) for index in indexes]

        return Page(
            number,
            [xxhash.xxh3_128_digest(raw, seed=seed) for raw in raws],
            decode,
            total_pages,
            self.declared_total,
            self.validator if number == total_pages else None,
        )


class LateLock:
    """A lock that whoever takes it next gets only after ``meanwhile`` has returned."""

    def __init__(self) -> None:
        """Let nobody wait."""
        self.meanwhile: Callable[[], object] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        """Take the lock."""
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        self._lock.acquire()

    def __exit__(self, *_exc: object) -> None:
        """Let the lock go."""
        self._lock.release()


class LateControl(RunControl):
    """A control of which a test decides who comes too late."""

    def __init__(self) -> None:
        """Be like any other until told otherwise."""
        super().__init__()
        self.late_lock = LateLock()
        self._lock = self.late_lock  # type: ignore[assignment]


class SteppedClock(SystemClock):
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        """Begin at some moment."""
        self.wall = 1_700_000_000_000
        self.boot = 1_000_000
        self.machine = "boot-1"

    def now_ms(self) -> int:
        """Return the wall time that was set."""
        return self.wall

    def boot_ms(self) -> int:
        """Return the boot time that was set."""
        return self.boot

    def boot_id(self) -> str:
        """Return the boot that was set."""
        return self.machine


class ShiftedClock(SystemClock):
    """The machine's clocks, the wall clock set forward or back by ``shift_ms``."""

    def __init__(self) -> None:
        """Begin with the right time."""
        self.shift_ms = 0

    def now_ms(self) -> int:
        """Return wall time as it was set."""
        return super().now_ms() + self.shift_ms


class World:
    """One instance with real databases, wired as bootstrap does, around a fake source."""

    def __init__(  # noqa: PLR0913  # each test changes one or two
        self,
        folder: Path,
        source: FakeSource,
        *,
        clock: Clock | None = None,
        delays_s: tuple[float, ...] = (0.0, 0.0, 0.0),
        max_attempts: int = 3,
        initial_delay_s: float = 0.0,
        open_database: Callable[[Path], Database] = Database,
        scratch: Path | None = None,
    ) -> None:
        """Wire everything; nothing runs yet."""
        self.folder = folder
        self.source = source
        self.clock = clock or SystemClock()
        self.database = open_database(folder / "main.sqlite3")
        self.priority_database = Database(folder / "priority.sqlite3")
        migrate(self.database, "main", [PRODUCTS])
        migrate(self.priority_database, "priority")
        self.access_database = Database(folder / "access.sqlite3")
        migrate(self.access_database, "access")
        clock = self.clock
        self.history = SqliteHistory(self.database, clock, "products")
        self.schedule = SqliteSchedule(self.database, clock, "products")
        self.owner = SqliteOwnerLeases(self.database, clock, "products")
        self.catalogue = SqliteCatalogue(self.database, clock, PRODUCTS)
        self.leases = SqlitePriorityLeases(self.priority_database, clock)
        self.plans = PlanFolder(folder / "plans")
        self.monitoring = MonitoringService(
            history=self.history,
            schedule=self.schedule,
            owner=self.owner,
            priority=self.leases,
            catalogue=self.catalogue,
            plans=self.plans,
            transactions=self.database,
            clock=clock,
        )
        self.lines = SqliteRunLines(self.database, "products")
        self.overview = OverviewService(
            SqliteOverview(self.database, "products"),
            self.lines,
            self.monitoring.is_driven,
            clock,
        )
        self.feed = StatusFeed(self.monitoring.status, self.has_changed, self.close_connections)
        self.index = SqliteSearchIndex(self.database, PRODUCTS)
        self.reading = CatalogueService(PRODUCTS, SqliteCatalogueReader(self.database, PRODUCTS))
        self.priority = PriorityManager(self.leases, self.monitoring.is_quiet)
        self.requests = ScheduleService(self.schedule)
        self.sync = SyncService(
            Mirror(
                PRODUCTS,
                source,
                self.catalogue,
                self.history,
                GuardPolicy(),
                xxhash.xxh3_128_digest,
                partial(FileSpool, scratch or folder),
                self.plans,
            ),
            transactions=self.database,
            schedule=self.schedule,
            owner=self.owner,
            priority=self.leases,
            journal=RunJournal(self.lines),
            retry=RetryPolicy(max_attempts, delays_s),
            limits=SessionLimits(),
            clock=clock,
        )
        self._policy = SchedulePolicy(30, initial_delay_s)
        self._drivers: list[Driver] = []

    def has_changed(self) -> bool:
        """Return whether others wrote since this thread last asked."""
        return any([self.database.has_changed(), self.priority_database.has_changed()])

    def close_connections(self) -> None:
        """Close this thread's connections."""
        self.database.close()
        self.priority_database.close()
        self.access_database.close()

    def driven(self) -> Driven:
        """Return what the owner of the resource needs."""
        return Driven(
            PRODUCTS,
            self.sync,
            self.history,
            self.schedule,
            self.database,
            self._policy,
            self.clock,
            self.index,
        )

    def driver(self, **options: Any) -> Driver:  # noqa: ANN401
        """Return another process's part in driving, in this process; stopped at the end."""
        ownership = Ownership(self.folder / "owner.lock", self.owner)
        driver = Driver(self.driven(), ownership, **options)
        self._drivers.append(driver)
        return driver

    def own(self) -> int:
        """Become the owner without a driver; return the epoch."""
        lease = self.owner.lease()
        if lease is not None and self.owner.is_live(lease):
            return lease.epoch
        epoch = self.owner.take("test", 60, has_flock=True)
        assert epoch is not None
        return epoch

    def own_epoch(self) -> int:
        """Return the epoch of the last owner, live or not."""
        lease = self.owner.lease()
        assert lease is not None
        return lease.epoch

    def claim(self, trigger: Trigger = Trigger.SCHEDULE) -> Claim:
        """Claim a run as the owner."""
        return self.sync.claim(RunRequest(trigger), self.own())

    def run(self, control: RunControl | None = None, request: RunRequest | None = None) -> RunEnd:
        """Run once, in this thread, as the owner; what is due unless ``request`` says."""
        with self.database.transaction():
            claim = self.sync.claim(request or RunRequest(Trigger.SCHEDULE), self.own())
        return self.sync.run(claim, control or RunControl())

    @contextmanager
    def running(self, control: RunControl) -> Iterator[list[RunEnd]]:
        """Run once in another thread; the list holds its end after the block."""
        ends: list[RunEnd] = []
        claim = self.claim()
        thread = threading.Thread(target=lambda: ends.append(self.sync.run(claim, control)))
        thread.start()
        try:
            yield ends
        finally:
            thread.join(20)
            assert not thread.is_alive(), "the run did not end"

    def sessions(self) -> list[Mapping[str, Any]]:
        """Return all sessions, the oldest first."""
        return self.history.sessions(1000)[::-1]

    def runs(self) -> list[Mapping[str, Any]]:
        """Return all runs, the oldest first."""
        return self.history.last_runs(1000)[::-1]

    def products(self) -> dict[str, dict[str, Any]]:
        """Return the active products by id, delivered fields only."""
        columns = ", ".join(FIELDS)
        rows = self.database.rows(f"SELECT {columns} FROM products WHERE deletedAt IS NULL")  # noqa: S608
        return {row["id"]: dict(row) for row in rows}

    def changes(self) -> list[tuple[Any, ...]]:
        """Return the change log as (id, type, field, old, new)."""
        rows = self.database.rows(
            "SELECT productId, changeType, field, oldValue, newValue FROM product_changes "
            "ORDER BY id"
        )
        return [tuple(row) for row in rows]

    def change_ids(self) -> list[int]:
        """Return the ids of the change log, the oldest first."""
        return [row[0] for row in self.database.rows("SELECT id FROM product_changes ORDER BY id")]

    def close(self) -> None:
        """Stop all drivers and close this thread's connections."""
        for driver in self._drivers:
            driver.stop()
        self.close_connections()


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    """Return as soon as ``condition`` holds; fail when it does not in time."""
    pause = threading.Event()
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        pause.wait(0.01)
