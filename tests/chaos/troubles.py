"""What can befall a database file, each with its end; and the service that it befalls."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, catalogue_of, record, wait_for
from web_support import Api

from archibald_sync.clock import SystemClock
from archibald_sync.domain.models import IntentKind, Role
from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from archibald_sync.domain.ports import Control

# Waits at the side of a lock until its standard input is closed.
_LOCKER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
_LEASE_AND_MORE_MS = 25_000

BEFORE = catalogue_of(10)
AFTER = [record(number, minQty=7) for number in range(1, 5)] + [
    record(number) for number in range(5, 400)
]


class MoodyDatabase(Database):
    """A database that every thread uses under ``pragmas``."""

    pragmas: tuple[str, ...] = ()

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection in its present mood."""
        connection = super().connection()
        for pragma in self.pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection


class LeapingClock(SystemClock):
    """The machine's clocks; leases can be made to expire without anybody waiting for it."""

    def __init__(self) -> None:
        """Begin in step."""
        self._leap_ms = 0

    def boot_ms(self) -> int:
        """Return boot time, with its leaps."""
        return super().boot_ms() + self._leap_ms

    def offset_ms(self) -> int:
        """Return what does not leap: the wall clock is not what was stepped."""
        return self.now_ms() - super().boot_ms()

    def let_leases_expire(self) -> None:
        """Let more time pass than the owner's lease lasts."""
        self._leap_ms += _LEASE_AND_MORE_MS


class Service:
    """The API and the driver over one instance, whose catalogue holds ``BEFORE``."""

    def __init__(
        self,
        folder: Path,
        source: FakeSource,
        busy_timeout_s: float,
        scratch: Path | None = None,
    ) -> None:
        """Boot, and wait for the first run."""
        self.clock = LeapingClock()
        self.source = source
        source.records = BEFORE
        opened = partial(MoodyDatabase, busy_timeout_s=busy_timeout_s)
        self.world = World(folder, source, clock=self.clock, open_database=opened, scratch=scratch)
        self._api = Api(self.world, answer_wait_s=10)
        self._token = self._api.token(self._api.user(Role.ADMIN), ttl_s=600)
        self.driver = self.world.driver()
        self.driver.start(lambda: self.world.requests.boot("start", "b1"))
        wait_for(lambda: [one["outcome"] for one in self.world.runs()] == ["completed"], 20)
        wait_for(lambda: self.call("GET", "/readyz").status_code == 200)

    @property
    def database(self) -> MoodyDatabase:
        """Return the main database."""
        assert isinstance(self.world.database, MoodyDatabase)
        return self.world.database

    def call(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401
        """Ask the API as an admin."""
        headers = {"Authorization": f"Bearer {self._token}"}
        return self._api.client.open(path, method=method, json=body, headers=headers)

    def begin_run(self, extract: list[dict[str, object]], meanwhile: Callable[[], None]) -> None:
        """Let a scheduled run read ``extract``; return once ``meanwhile`` was called in it."""
        done = threading.Event()

        def pause(_control: Control) -> None:
            if not done.is_set():
                meanwhile()
                done.set()

        self.source.records, self.source.pause = extract, pause
        lease = self.world.owner.lease()
        assert lease is not None
        self.world.schedule.begin(30, self.clock.now_ms(), "ada", lease.epoch)
        intent = {"intervalMinutes": 30}  # so that the driver looks
        self.world.schedule.add_intent(IntentKind.START, intent, "ada", ttl_s=60)
        wait_for(done.is_set, 20)

    def ended_run(self, extract: list[dict[str, object]]) -> Any:  # noqa: ANN401
        """Let a manual run read ``extract``; return it when it has ended."""
        self.source.records = extract
        answer = self.call("POST", "/api/products/sync")
        assert answer.status_code == 202
        path = f"/api/products/sync/runs/{answer.json['runId']}"
        wait_for(lambda: self.call("GET", path).json["outcome"] is not None, 20)
        return self.call("GET", path).json

    def complete_run(self, extract: list[dict[str, object]]) -> None:
        """Let a manual run read ``extract``; return when it is in the catalogue."""
        assert self.ended_run(extract)["outcome"] == "completed"

    def holds(self, extract: list[dict[str, object]]) -> bool:
        """Return whether the catalogue is exactly ``extract``."""
        expected = {str(one["id"]): str(one["minQty"]) for one in extract}
        return {key: row["minQty"] for key, row in self.world.products().items()} == expected

    def close(self) -> None:
        """End everything."""
        self.world.close()


@dataclass(frozen=True)
class Trouble:
    """One kind of trouble: how it is made, and how the API names it."""

    make: Callable[[Service], AbstractContextManager[None]]
    code: str
    is_readable: bool = True


@contextmanager
def _read_only(service: Service) -> Iterator[None]:
    service.database.pragmas = ("query_only = ON",)
    try:
        yield
    finally:
        service.database.pragmas = ("query_only = OFF",)


@contextmanager
def _locked(service: Service) -> Iterator[None]:
    command = (sys.executable, "-c", _LOCKER, str(service.database.path))
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as locker:
        assert locker.stdout is not None
        assert locker.stdout.readline() == "locked\n"
        try:
            yield
        finally:
            locker.communicate()


@contextmanager
def _removed(service: Service) -> Iterator[None]:
    path = service.database.path
    away = path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(path)


def _full(service: Service) -> AbstractContextManager[None]:
    return filled(service.world.folder)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Leave no room in ``folder`` inside the block; it is on a disk of its own."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    try:
        yield
    finally:
        filler.unlink()


TROUBLES = {
    "full": Trouble(_full, "storage_full"),
    "read-only": Trouble(_read_only, "storage_full"),
    "locked": Trouble(_locked, "storage_busy"),
    "removed": Trouble(_removed, "storage_failed", is_readable=False),
}


@contextmanager
def small_disk(folder: Path, size: str = "8m") -> Iterator[Path]:
    """Mount a disk that a test can fill; skip the test where it may not mount one."""
    folder.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if mount is None or umount is None:
        pytest.skip("there is no mount")
    command = (mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield folder
    finally:
        # Connections of threads that have ended close when Python collects them.
        subprocess.run((umount, "--lazy", str(folder)), check=True)
