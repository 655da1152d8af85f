"""What the service says about a pause, and about a catalogue that grows old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import FakeSource, SteppedClock, World, catalogue_of

from archibald_sync.domain.models import SessionEnd, SessionStatus
from archibald_sync.errors import Preempted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTE_MS = 60_000


@pytest.fixture
def clock() -> SteppedClock:
    """Return a clock that the test moves."""
    return SteppedClock()


@pytest.fixture
def world(tmp_path: Path, source: FakeSource, clock: SteppedClock) -> Iterator[World]:
    """Return a service that runs every 30 minutes, under ``clock``."""
    world = World(tmp_path, source, clock=clock)
    world.schedule.begin(30, clock.wall + 30 * MINUTE_MS, "ada", world.own())
    yield world
    world.close()


def pass_time(world: World, clock: SteppedClock, minutes: float) -> None:
    """Let time pass, the owner alive all the while."""
    clock.wall += int(minutes * MINUTE_MS)
    clock.boot += int(minutes * MINUTE_MS)
    assert world.owner.renew(world.own_epoch(), 60)


def test_renewed_lease_is_a_long_pause_after_two_intervals(
    world: World, clock: SteppedClock
) -> None:
    """An order that keeps the sync away for more than two intervals shows, and only then."""
    lease = world.priority.take("orders", "order 7", 600)
    for _ in range(12):
        pass_time(world, clock, 5)
        world.priority.renew(lease.id, 600)
    before = (world.monitoring.status()["isPauseLong"], world.monitoring.health()["problems"])
    pass_time(world, clock, 1)

    status = world.monitoring.status()
    assert before == (False, [])
    assert (status["state"], status["isPauseLong"]) == ("paused", True)
    assert status["pausedSince"] == lease.taken_at
    assert world.monitoring.health()["problems"] == ["paused_for_long"]


@pytest.mark.parametrize("has_given_way", [True, False])
def test_one_order_after_the_other_is_one_pause(
    world: World, clock: SteppedClock, *, has_given_way: bool
) -> None:
    """Many short leases in a row cannot hide that the sync waits, begun or not."""
    claim = world.claim()
    since = clock.wall
    if has_given_way:
        pass_time(world, clock, 1)
        session_id = world.sessions()[-1]["id"]
        why = SessionEnd(SessionStatus.CANCELLED, None, Preempted.code, "orders first")
        world.history.end_session(session_id, why, claim.epoch)
        since = clock.wall
    else:
        world.priority.take("orders", "", 60)
        with world.database.transaction() as connection:
            connection.execute("DELETE FROM sync_sessions")
    for _ in range(13):
        pass_time(world, clock, 5)
        world.priority.take("orders", "", 600)
        pass_time(world, clock, 0)

    status = world.monitoring.status()
    assert status["pausedSince"] == since
    assert status["isPauseLong"]


def test_stale_catalogue_shows_in_health(
    world: World, source: FakeSource, clock: SteppedClock
) -> None:
    """Late at one interval overdue, stale at two; health names it, and stays ready."""
    source.records = catalogue_of(3)
    world.run()
    seen = []
    for _ in range(4):
        pass_time(world, clock, 30)
        seen.append((world.monitoring.status()["freshness"], world.monitoring.health()["problems"]))

    assert seen == [("fresh", []), ("late", []), ("stale", ["stale"]), ("stale", ["stale"])]
    assert world.monitoring.health()["isReady"]
    assert world.monitoring.status()["state"] == "stale"
