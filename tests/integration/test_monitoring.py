"""What the service says about a pause, and about a catalogue that grows old."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, SteppedClock, World, catalogue_of

from archibald_sync.domain.models import RunEnd, RunOutcome, SessionEnd, SessionStatus
from archibald_sync.errors import Preempted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from archibald_sync.domain.models import Claim

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


def write_after(part: Any, name: str, write: Callable[[], None]) -> list[str]:  # noqa: ANN401
    """Let another process ``write`` once ``part`` has read ``name``; return when it did."""
    original, done = getattr(part, name), list[str]()

    def read(*arguments: object, **options: object) -> Any:  # noqa: ANN401
        found = original(*arguments, **options)
        if not done:
            done.append(name)
            writer = threading.Thread(target=write)
            writer.start()
            writer.join()
        return found

    setattr(part, name, read)
    return done


def begin_another(world: World, claim: Claim) -> None:
    """End the run of ``claim``, and begin another one."""
    with world.database.transaction():
        if claim.session_id is not None:
            end = SessionEnd(SessionStatus.COMPLETED)
            world.history.end_session(claim.session_id, end, claim.epoch)
        world.history.end_run(claim.run_id, RunEnd(RunOutcome.COMPLETED, attempts=1), claim.epoch)
        world.claim()
    world.close_connections()


@pytest.mark.parametrize(
    "name", ["last_runs", "running_session", "active_run_id", "run", "sessions_of"]
)
@pytest.mark.parametrize("ask", ["status", "situation"])
@pytest.mark.parametrize("has_session", [True, False])
def test_status_is_of_one_moment(world: World, name: str, ask: str, *, has_session: bool) -> None:
    """A run that ends while the status is read, and one that begins, are in no part of it."""
    if not has_session:
        lease = world.priority.take("orders", "order 7")
    claim = world.claim()
    if not has_session:
        world.priority.release(lease.id)
    before = getattr(world.monitoring, ask)()
    done = write_after(world.history, name, lambda: begin_another(world, claim))

    found = getattr(world.monitoring, ask)()

    assert done == [name]
    assert found == before
    assert world.monitoring.status()["currentRun"]["runId"] != claim.run_id


def test_run_is_of_one_moment(world: World) -> None:
    """A run that ends while it is read does not show sessions that its row knows nothing of."""
    claim = world.claim()
    write_after(world.history, "run", lambda: begin_another(world, claim))

    run = world.monitoring.run(claim.run_id)

    assert run is not None
    assert (run["outcome"], run["sessions"][0]["status"]) == (None, "running")
    assert world.runs()[0]["outcome"] == "completed"


def test_metrics_and_history_are_of_one_moment(world: World) -> None:
    """A sync that ends while the overview is read is in both, or in neither."""
    claim = world.claim()
    write_after(world.history, "get_sync_metrics", lambda: begin_another(world, claim))

    metrics, newest = world.monitoring.overview(10)

    assert (metrics.total_syncs, metrics.last_sync_status) == (1, "running")
    assert [one["status"] for one in newest] == ["running"]
    assert world.monitoring.metrics().total_syncs == 2


def test_metrics_are_of_one_moment(world: World) -> None:
    """A sync whose success is not counted yet is not shown as completed."""
    claim = world.claim()
    session_id = claim.session_id or ""

    def complete() -> None:
        end = SessionEnd(SessionStatus.COMPLETED)
        world.history.end_session(session_id, end, claim.epoch)
        world.close_connections()

    write_after(world.database, "row", complete)

    metrics = world.monitoring.metrics()

    assert (metrics.successful_syncs, metrics.last_sync_status) == (0, "running")
    assert world.monitoring.metrics().successful_syncs == 1
