"""The owner stopped for longer than its lease, and let go again: it writes nothing any more."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from chaos_clients import SYNC
from chaos_erp import ChaosErp
from chaos_ledger import assert_sound
from chaos_support import PATIENCE_S, Site, made_site
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from psutil import Process

TTL_S = 3.0


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site where the owner's lease lasts three seconds."""
    with made_site(tmp_path, monkeypatch, ChaosErp(300), 100) as site:
        site.environ |= {"CHAOS_MINUTE_S": "1.5", "CHAOS_TTL_S": str(TTL_S)}
        yield site


def test_stopped_owner_is_fenced(site: Site) -> None:
    """Stopped in the middle of a run, then let go: its successor's rows stay as they are."""
    recorded = site.erp.recorded
    site.environ["CHAOS_LATE_S"] = "1"
    with site.service("-w", "2", "--preload") as service, site.ledger.watched() as watch:
        site.await_runs(1)
        recorded.may_go_on.clear()
        site.await_page()
        stopped, epoch = service.await_owner(), site.ledger.lease()["epoch"]
        _suspend_between_writes(stopped, site)
        successor = service.await_owner(after_epoch=epoch)
        recorded.may_go_on.set()
        wait_for(lambda: site.ledger.runs("completed")[-1]["epoch"] > epoch, PATIENCE_S)
        service.client.sure("POST", f"{SYNC}/stop", {"cancel": True})
        wait_for(lambda: not site.ledger.runs(None), PATIENCE_S)
        before = site.ledger.fingerprint()

        stopped.resume()

        wait_for(lambda: "Run abandoned: " in service.log.read_text("utf-8"), PATIENCE_S)
        wait_for(lambda: "No longer owner of products" in service.log.read_text("utf-8"))
        assert site.ledger.fingerprint() == before
        assert site.ledger.lease()["epoch"] == epoch + 1
        successor.kill()
        service.await_owner(after_epoch=epoch + 1)

    assert stopped.pid != successor.pid
    assert site.ledger.sessions("interrupted")[-1]["epoch"] == epoch
    assert_sound(site.ledger, recorded.contents(), watch)


def _suspend_between_writes(process: Process, site: Site) -> None:
    """Suspend a process where it keeps nobody from writing: not in a transaction."""
    process.suspend()
    while site.is_locked():
        process.resume()
        process.suspend()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_owners_stopped_at_random_moments(site: Site, seed: int) -> None:
    """Thirty owners stopped anywhere, also inside a write, and let go: all is sound."""
    dice = random.Random(seed)
    stuck = 0
    with site.service("-w", "3", "--preload") as service, site.ledger.watched() as watch:
        site.erp.recorded.pace_s = 0.05
        for _ in range(30):
            threading.Event().wait(dice.uniform(0.0, 2.0))
            stopped, epoch = service.await_owner(), site.ledger.lease()["epoch"]
            stopped.suspend()
            try:
                wait_for(lambda epoch=epoch: site.ledger.lease()["epoch"] > epoch, 3 * TTL_S + 5)  # type: ignore[misc]
            except AssertionError:
                # Nobody can write beside a transaction that stands still: not even we.
                assert site.is_locked(), "nobody took over, and nothing kept them"
                stuck += 1
            threading.Event().wait(dice.uniform(0.0, 1.0))
            stopped.resume()
        site.await_runs(len(site.ledger.runs("completed")) + 2)
        service.end()

    assert stuck < 10
    assert_sound(site.ledger, site.erp.recorded.contents(), watch)
    assert site.ledger.sessions("running") == []
