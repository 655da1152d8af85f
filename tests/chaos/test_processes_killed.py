"""The owner killed again and again while clients go on: nothing is lost, doubled or mixed."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest
from chaos_clients import Admin, OrderClient, acting, assert_each_wish_once
from chaos_erp import ChaosErp
from chaos_ledger import assert_sound
from chaos_support import PATIENCE_S, Site, made_site
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Return a site whose minutes last a second and a half."""
    with made_site(tmp_path, monkeypatch, ChaosErp(600, pace_s=0.02, updated=300), 100) as site:
        site.environ["CHAOS_MINUTE_S"] = "1.5"
        yield site


def await_moment(site: Site, dice: random.Random) -> None:
    """Return at any moment; every other time it is one shortly after a read has ended."""
    if dice.random() < 0.5:
        threading.Event().wait(dice.uniform(0.0, 1.2))
        return
    site.erp.recorded.is_read.clear()
    site.erp.recorded.is_read.wait(2)
    threading.Event().wait(dice.uniform(0.0, 0.2))


@pytest.mark.parametrize(
    "kills",
    [6, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])],
)
def test_kill_nine_of_the_owner(site: Site, kills: int, seed: int) -> None:
    """At random moments, again and again: all that was acknowledged is done once, all is sound."""
    dice = random.Random(seed)
    with site.service("-w", "3", "--preload") as service, site.ledger.watched() as watch:
        admin = Admin(service.client, site.ledger, dice)
        orders = OrderClient(service.client, dice)
        with acting(admin.act, orders.act):
            for _ in range(kills):
                await_moment(site, dice)
                owner, epoch = service.await_owner(), site.ledger.lease()["epoch"]
                owner.kill()
                service.await_owner(after_epoch=epoch)
        admin.finish()
        begun = len(site.ledger.runs("completed"))
        wait_for(lambda: len(site.ledger.runs("completed")) > begun, PATIENCE_S)
        service.end()

    assert_sound(site.ledger, site.erp.recorded.contents(), watch)
    assert_each_wish_once(admin, site.ledger)
    assert site.ledger.sessions("running") == []
    assert len(watch.epochs) > kills // 2
