"""The service under gunicorn, recycled, reloaded and killed: one run a slot, whatever happens."""

from __future__ import annotations

import fcntl
import http.client
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from chaos_clients import LEASES, SYNC
from chaos_erp import ChaosErp
from chaos_ledger import assert_each_slot_once, assert_sound
from chaos_support import PATIENCE_S, Service, Site, made_site
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MINUTE_S = 1.2
LOCKS = ("owner-products.lock", "archibald_sync.sqlite3.gate", "priority.sqlite3.gate")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site whose minutes last 1.2 seconds."""
    with made_site(tmp_path, monkeypatch, ChaosErp(200, pace_s=0.1)) as site:
        site.environ["CHAOS_MINUTE_S"] = str(MINUTE_S)
        yield site


def assert_one_run_a_slot(site: Site) -> None:
    """Assert what must hold of slots and of everything else."""
    assert_each_slot_once(site.ledger, MINUTE_S * 1000)
    assert_sound(site.ledger, site.erp.recorded.contents())


def more_runs(site: Site, number: int) -> None:
    """Return when ``number`` more runs have completed."""
    site.await_runs(len(site.ledger.runs("completed")) + number)


def reload(site: Site, service: Service) -> None:
    """Reload the workers during a run."""
    site.await_page()
    service.signal(signal.SIGHUP)


def add_worker(site: Site, service: Service) -> None:
    """Add a worker during a run."""
    site.await_page()
    service.signal(signal.SIGTTIN)


def remove_worker(site: Site, service: Service) -> None:
    """Remove the oldest worker, often the owner, during a run."""
    site.await_page()
    service.signal(signal.SIGTTOU)


def kill_owner(site: Site, service: Service) -> None:
    """Kill the owner during a run."""
    site.await_page()
    service.await_owner().kill()


def loiter(_site: Site, service: Service) -> None:
    """Block a thread for longer than a worker's time-out: it is answered in the end."""
    assert service.client.sure("GET", "/loiter").status == http.client.OK


def overstay(_site: Site, service: Service) -> None:
    """Block a worker without threads for longer than its time-out: it is killed."""
    answer = service.client.call("GET", "/loiter")
    assert answer is None or answer.status == http.client.INTERNAL_SERVER_ERROR


def ask_much(_site: Site, service: Service) -> None:
    """Ask more often than a worker answers before it is replaced."""
    for _ in range(12):
        service.client.call("GET", "/livez")
        threading.Event().wait(0.3)


def test_workers_come_and_go(site: Site) -> None:
    """HUP during a run, TTIN, TTOU and a kill -9 of the owner lose no slot and double none."""
    with site.service("-w", "4", "--preload") as service, site.ledger.watched() as watch:
        more_runs(site, 1)
        for disturb in (reload, add_worker, remove_worker, kill_owner):
            disturb(site, service)
            more_runs(site, 1)

    assert_one_run_a_slot(site)
    assert watch.most_running == 1


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("options", "disturb"),
    [
        (("-w", "1"), reload),
        (("-w", "1"), kill_owner),
        (("-w", "1", "--preload"), kill_owner),
        (("-w", "1", "--max-requests", "5"), ask_much),
        (("-w", "4", "--max-requests", "5"), ask_much),
        (("-w", "4"), reload),
        (("-w", "4"), add_worker),
        (("-w", "4"), remove_worker),
        (("-w", "4", "--preload"), reload),
        (("-w", "4", "--preload"), remove_worker),
        (("-w", "2", "--timeout", "2"), loiter),
        (("-w", "2", "--timeout", "2", "--threads", "1", "-k", "sync"), overstay),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value.__name__,
)
def test_one_run_a_slot(
    site: Site, options: tuple[str, ...], disturb: Callable[[Site, Service], None]
) -> None:
    """However gunicorn is set up and treated: none lost, none twice, none at the same time."""
    with site.service(*options) as service, site.ledger.watched() as watch:
        for _ in range(4):
            disturb(site, service)
            more_runs(site, 1)
        more_runs(site, 2)
        service.end()

    assert_one_run_a_slot(site)
    assert watch.most_running == 1
    assert site.ledger.sessions("running") == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_owner_that_drains_keeps_nobody_from_driving(site: Site) -> None:
    """Reloaded while it answers a slow request, it has handed over before it ends."""
    answers: list[int] = []
    with site.service("-w", "1", "--preload") as service:
        more_runs(site, 1)
        epoch = site.ledger.lease()["epoch"]
        thread = threading.Thread(target=lambda: answers.append(status_of_loiter(service)))
        thread.start()
        wait_for(lambda: "loitering" in service.log.read_text("utf-8"), PATIENCE_S)
        service.signal(signal.SIGHUP)
        service.await_owner(after_epoch=epoch)
        answered_before = list(answers)
        more_runs(site, 1)
        thread.join()

    assert answered_before == []
    assert answers == [200]
    assert_one_run_a_slot(site)


def status_of_loiter(service: Service) -> int:
    """Return the status of a request that takes its worker for seconds."""
    answer = service.client.call("GET", "/loiter")
    return answer.status if answer else 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kill_nine_of_the_master(site: Site) -> None:
    """Its workers end by themselves, while the next service, started at once, goes on."""
    with site.service("-w", "2") as first, site.ledger.watched() as watch:
        more_runs(site, 1)
        first.workers()
        site.await_page()
        first.master.kill()
        site.environ["ARCHIBALD_AUTO_SYNC"] = "keep"
        with site.service("-w", "2") as second:
            wait_for(lambda: not first.living(), PATIENCE_S)
            second.await_owner()
            more_runs(site, 3)

    assert_one_run_a_slot(site)
    assert watch.most_running == 1


@pytest.mark.slow
def test_two_services_on_one_folder(site: Site) -> None:
    """By mistake: still one run a slot, and each service tells what the other did."""
    with site.service("-w", "1") as first:
        site.environ["ARCHIBALD_AUTO_SYNC"] = "keep"
        with site.service("-w", "1") as second:
            with site.ledger.watched() as watch:
                more_runs(site, 2)
            owner = second.client.sure("GET", f"{SYNC}/status").body["owner"]
            first.end()
            second.await_owner(after_epoch=owner["epoch"])
            more_runs(site, 1)

    assert_one_run_a_slot(site)
    assert watch.most_running == 1
    assert owner["epoch"] == 1


def test_sigterm_during_a_run(site: Site) -> None:
    """Ends within ten seconds, the session interrupted, no lock and no lease left."""
    with site.service("-w", "2", "--preload") as service:
        site.await_runs(1)
        site.erp.recorded.may_go_on.clear()
        site.await_page()
        ended_after_s = service.end()

    assert ended_after_s < 10
    assert site.ledger.sessions()[-1]["status"] == "interrupted"
    assert site.ledger.runs()[-1]["reason"] == "shutdown"
    assert site.ledger.runs(None) == []
    assert site.ledger.lease()["expiresBootMs"] == 0
    for name in LOCKS:
        with site.ledger.path.with_name(name).open("r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert_one_run_a_slot(site)


@pytest.mark.slow
def test_two_orders(site: Site) -> None:
    """The sync gives way to the first, and goes on only after the second, or its end."""
    order = {"owner": "order", "ttlSeconds": 60, "waitSeconds": 10}
    with site.service("-w", "2", "--preload") as service:
        site.await_runs(1)
        site.await_page()
        client = service.client
        first = client.sure("POST", LEASES, order).body
        client.sure("POST", LEASES, order | {"ttlSeconds": 2})
        client.sure("DELETE", f"{LEASES}/{first['id']}")
        begun = len(site.ledger.sessions())
        is_quiet = client.sure("GET", LEASES).body["quiet"]
        wait_for(lambda: not client.sure("GET", LEASES).body["leases"], PATIENCE_S)
        begun_meanwhile = len(site.ledger.sessions()) - begun
        more_runs(site, 1)
        sessions = site.ledger.sessions()

    assert first["quiet"]
    assert is_quiet
    assert begun_meanwhile <= 1, "at most the one that the end of the lease let begin"
    given_way = [session for session in sessions if session["status"] == "cancelled"]
    assert [session["errorCode"] for session in given_way] == ["priority"]
    assert_one_run_a_slot(site)
