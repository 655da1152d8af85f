"""What must hold, measured on the real service: how soon it takes over, gives way and obeys."""

from __future__ import annotations

import json
import random
import statistics
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from chaos_clients import LEASES, SYNC
from chaos_erp import ChaosErp
from chaos_support import APPLICATION, PATIENCE_S, Service, Site, made_site
from cli_support import made_instance
from support import wait_for

from archibald_sync.domain.policy import OWNER_LEASE_TTL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import psutil

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

LARGE = 100_000


class Table:
    """The figures, in the order in which they were measured."""

    def __init__(self) -> None:
        """Begin with the head."""
        self._lines = [f"{'figure':46} {'goal':>9} {'median':>9} {'p95':>9} {'worst':>9}  n"]

    def add(self, name: str, goal: str, times_s: list[float]) -> float:
        """Note what was measured; return the median in seconds."""
        ordered, median_s = sorted(times_s), statistics.median(times_s)
        p95_s = ordered[int(len(ordered) * 0.95)]
        shown = "".join(f" {1000 * one:6.0f} ms" for one in (median_s, p95_s, ordered[-1]))
        self._lines.append(f"{name:46} {goal:>9}{shown}  {len(ordered)}")
        return median_s

    def show(self) -> None:
        """Print all of it."""
        print("", *self._lines, sep="\n")  # noqa: T201  # what `make chaos` is asked for


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Return the table, which is printed when all is measured."""
    table = Table()
    yield table
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        table.show()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site as it is in production, with a small ERP."""
    with made_site(tmp_path, monkeypatch, ChaosErp(200)) as site:
        yield site


@pytest.fixture
def large_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site with 100,000 products; the ERP runs in a process of its own."""
    with made_instance(tmp_path, monkeypatch) as instance:
        arguments = ("demo-erp", "--port", "0", "--rows", str(LARGE), "--no-drift")
        with instance.process(*arguments) as erp:
            assert erp.stdout is not None
            url = erp.stdout.readline().strip().rsplit(" ", 1)[-1].rstrip("/")
            try:
                yield Site(instance, f"{url}/api/products", 500)
            finally:
                erp.terminate()
                erp.communicate(timeout=PATIENCE_S)


def seconds_until(condition: Callable[[], object]) -> float:
    """Return after how many seconds ``condition`` holds."""
    began_s = time.perf_counter()
    wait_for(condition, PATIENCE_S)
    return time.perf_counter() - began_s


def test_take_over_after_kill_nine(site: Site, table: Table, seed: int) -> None:
    """The next owner is there in less than a second."""
    dice, times_s = random.Random(seed), []
    with site.service(application=APPLICATION) as service:
        for _ in range(20):
            owner, epoch = service.await_owner(), site.ledger.lease()["epoch"]
            wait_for(lambda: len(service.workers()) == 2, PATIENCE_S)
            time.sleep(dice.uniform(0.5, 2.0))  # any moment will do: no event
            owner.kill()
            times_s.append(seconds_until(lambda epoch=epoch: site.ledger.lease()["epoch"] > epoch))  # type: ignore[misc]

    assert table.add("take-over after kill -9 of the owner", "1000 ms", times_s) < 1


def suspend_outside_a_write(site: Site, owner: psutil.Process) -> None:
    """Stop the owner; inside a write it would keep everybody from writing, however long."""
    owner.suspend()
    while site.is_locked():
        owner.resume()
        time.sleep(0.01)  # the kernel tells nobody that a lock is free
        owner.suspend()


def test_take_over_after_sigstop(site: Site, table: Table) -> None:
    """A stopped owner is replaced when its lease has run out."""
    times_s = []
    with site.service(application=APPLICATION) as service:
        for _ in range(3):
            owner, epoch = service.await_owner(), site.ledger.lease()["epoch"]
            wait_for(lambda: not site.ledger.runs(None), PATIENCE_S)
            suspend_outside_a_write(site, owner)
            times_s.append(seconds_until(lambda epoch=epoch: site.ledger.lease()["epoch"] > epoch))  # type: ignore[misc]
            owner.resume()

    table.add("take-over after SIGSTOP of the owner", "22000 ms", times_s)
    assert max(times_s) < OWNER_LEASE_TTL_S + 2


def test_wishes_take_effect(site: Site, table: Table) -> None:
    """Start, stop and a manual run are carried out while the caller waits, at any worker."""
    times_s: dict[str, list[float]] = {"start": [], "stop": [], "run": []}
    with site.service("-w", "4", application=APPLICATION) as service:
        service.await_owner()
        site.await_runs(1)
        for _ in range(30):
            for name, body in (("stop", {}), ("run", {}), ("start", {"intervalMinutes": 30})):
                wait_for(lambda: not site.ledger.runs(None), PATIENCE_S)
                answer = service.client.sure("POST", f"{SYNC}/{name}", body)
                assert name == "run" or answer.body["applied"]
                times_s[name].append(answer.took_s)

    medians_s = [table.add(f"{name} at any worker", "500 ms", times_s[name]) for name in times_s]
    assert max(medians_s) < 0.5


def test_order_while_a_large_sync_works(large_site: Site, table: Table, seed: int) -> None:
    """A lease is answered at once, and the sync has given way within two seconds."""
    dice, orders = random.Random(seed), Orders(large_site)
    with large_site.service(application=APPLICATION) as service:
        for number in range(24):
            orders.place(service, dice, is_late=bool(number % 2))

    median_s = table.add("order lease during 100,000 rows: answered", "50 ms", orders.answered_s)
    table.add("order lease during 100,000 rows: quiet", "2000 ms", orders.quiet_s)
    assert orders.stages > {"download"}
    assert median_s < 0.05
    assert max(orders.quiet_s) < 2


class Orders:
    """Orders placed while a sync is at work."""

    def __init__(self, site: Site) -> None:
        """Begin without any."""
        self._site = site
        self.answered_s: list[float] = []
        self.quiet_s: list[float] = []
        self.stages: set[str] = set()

    def place(self, service: Service, dice: random.Random, *, is_late: bool) -> None:
        """Take a lease at some moment of a session; ``is_late`` while its plan is written."""
        while True:
            self._await_session(service)
            if is_late:
                wait_for(lambda: self._stage() in {"apply", None}, PATIENCE_S)
            time.sleep(dice.uniform(0, 1.5 if is_late else 6))  # any moment of it
            if (stage := self._stage()) is not None:
                break
        self.stages.add(stage)
        began_s = time.perf_counter()
        lease = service.client.sure("POST", LEASES, {"owner": "order", "ttlSeconds": 60})
        wait_for(lambda: self._stage() is None, PATIENCE_S)
        self.quiet_s.append(time.perf_counter() - began_s)
        self.answered_s.append(lease.took_s)
        service.client.sure("DELETE", f"{LEASES}/{lease.body['id']}")

    def _stage(self) -> str | None:
        running = self._site.ledger.rows("SELECT stage FROM sync_sessions WHERE status = 'running'")
        return str(running[0]["stage"]) if running else None

    def _await_session(self, service: Service) -> None:
        """Return when a session is at work on many changes."""
        if not self._site.ledger.runs(None):
            self._revise()
            service.client.call("POST", SYNC, {})
        wait_for(lambda: self._stage() is not None, PATIENCE_S)

    def _revise(self) -> None:
        url = self._site.url.replace("/api/products", "/_revise")
        body = json.dumps({"updated": LARGE}).encode()
        with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:  # noqa: S310
            assert answer.status == 200


def test_sigterm_while_a_large_sync_works(large_site: Site, table: Table, seed: int) -> None:
    """The service ends within ten seconds, wherever the run is."""
    dice, times_s = random.Random(seed), []
    for _ in range(5):
        with large_site.service(application=APPLICATION) as service:
            wait_for(lambda: large_site.ledger.sessions("running"), PATIENCE_S)
            time.sleep(dice.uniform(0, 8))  # any moment of the run
            times_s.append(service.end())
        assert large_site.ledger.sessions("running") == []

    table.add("SIGTERM during a run of 100,000 rows", "10000 ms", times_s)
    assert max(times_s) < 10


def test_crashed_order_client(site: Site, table: Table) -> None:
    """A lease that nobody gives back keeps the sync away for its time to live, no longer."""
    times_s = []
    with site.service(application=APPLICATION) as service:
        site.await_runs(1)
        for _ in range(5):
            service.client.sure("POST", LEASES, {"owner": "crashed", "ttlSeconds": 2})
            begun = len(site.ledger.sessions())
            service.client.sure("POST", SYNC, {})
            since = begun
            times_s.append(seconds_until(lambda since=since: len(site.ledger.sessions()) > since))  # type: ignore[misc]
            wait_for(lambda: not site.ledger.runs(None), PATIENCE_S)

    table.add("sync goes on after a crashed order, TTL 2 s", "4000 ms", times_s)
    assert 1 < min(times_s) < max(times_s) < 4
