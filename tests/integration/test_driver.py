"""The driver with a real scheduler: who owns, what is due, what was asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.base import STATE_RUNNING
from support import FakeSource, World, catalogue_of, wait_for

from archibald_sync.domain.models import IntentState
from archibald_sync.errors import TransientSourceError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from apscheduler.job import Job

    from archibald_sync.domain.ports import Control
    from archibald_sync.scheduler.driver import Driver


def boot(world: World, driver: Driver, policy: str = "start", boot_id: str = "b1") -> None:
    """Start ``driver`` as a service that boots."""
    driver.start(lambda: world.requests.boot(policy, boot_id))


def test_boot_runs_the_first_sync(
    world: World, source: FakeSource, caplog: pytest.LogCaptureFixture
) -> None:
    """A boot starts the schedule, runs at once after its delay, and logs the plan's lines."""
    source.records = catalogue_of(10)
    caplog.set_level("INFO")

    boot(world, world.driver())

    wait_for(lambda: [s["status"] for s in world.sessions()] == ["completed"])
    messages = [record.getMessage() for record in caplog.records]
    expected = [
        "Starting background sync services...",
        "Starting auto-sync every 30 minutes",
        "Products auto-sync started (30min interval)",
        "Auto-sync successful (attempt 1)",
    ]
    wait_for(lambda: expected[-1] in [record.getMessage() for record in caplog.records])
    assert [m for m in messages if m in expected] == [m for m in expected if m in messages]
    state = world.schedule.state()
    assert state.next_due_at is not None
    assert 29 * 60_000 < state.next_due_at - world.clock.now_ms() <= 30 * 60_000


def test_two_drivers_run_the_job_once(world: World, source: FakeSource) -> None:
    """Only one of several processes owns the resource, and one boot means one first run."""
    source.records = catalogue_of(10)
    first, second = world.driver(), world.driver()

    boot(world, first)
    boot(world, second)

    wait_for(lambda: [s["status"] for s in world.sessions()] == ["completed"])
    assert [first.is_owner, second.is_owner].count(True) == 1


def test_another_driver_takes_over_when_the_owner_stops(world: World) -> None:
    """Ownership moves to another process, with a higher epoch."""
    first, second = world.driver(), world.driver()
    boot(world, first)
    wait_for(lambda: first.is_owner)
    lease = world.owner.lease()
    second.start()

    first.stop()

    wait_for(lambda: second.is_owner)
    later = world.owner.lease()
    assert lease is not None
    assert later is not None
    assert later.epoch == lease.epoch + 1


def test_start_stop_and_interval_are_idempotent(tmp_path: Path, source: FakeSource) -> None:
    """start, start, stop, start(15): one schedule, fifteen minutes."""
    world = World(tmp_path, source, initial_delay_s=3600)
    boot(world, world.driver())

    for answer in (
        world.requests.start(30, "ada"),
        world.requests.start(30, "ada"),
        world.requests.stop("ada"),
        world.requests.start(15, "ada"),
    ):
        assert answer.state is IntentState.APPLIED

    state = world.schedule.state()
    assert (state.is_started, state.interval_minutes) == (True, 15)
    assert source.extracts == 0
    world.close()


def test_stop_during_the_first_delay_runs_nothing(tmp_path: Path, source: FakeSource) -> None:
    """A stop before the first run takes the due time away."""
    world = World(tmp_path, source, initial_delay_s=3600)
    driver = world.driver()
    boot(world, driver)
    wait_for(lambda: world.schedule.state().is_started)

    assert world.requests.stop("ada").state is IntentState.APPLIED

    state = world.schedule.state()
    assert (state.is_started, state.next_due_at) == (False, None)
    assert driver.scheduler_job_ids() == ["renew", "tick"]
    world.close()


def test_stop_during_a_wait_between_attempts(tmp_path: Path, source: FakeSource) -> None:
    """The wait ends within a second, and no attempt follows."""
    world = World(tmp_path, source, delays_s=(3600.0,))
    source.failures = [TransientSourceError("down")] * 3
    boot(world, world.driver())
    wait_for(lambda: [s["status"] for s in world.sessions()] == ["failed"])

    world.requests.stop("ada")

    wait_for(lambda: world.runs()[0]["outcome"] == "cancelled", 1.0)
    assert source.extracts == 1
    world.close()


def test_run_now_answers_with_its_ids(world: World, source: FakeSource) -> None:
    """A manual run works while the schedule is stopped, and says who asked."""
    source.records = catalogue_of(10)
    boot(world, world.driver(), policy="off")

    answer = world.requests.run_now("ada")

    assert answer.state is IntentState.APPLIED
    assert answer.result is not None
    wait_for(lambda: world.runs()[0]["outcome"] == "completed")
    run = world.runs()[0]
    assert (run["id"], run["trigger"], run["requestedBy"]) == (
        answer.result["runId"],
        "manual",
        "ada",
    )
    assert world.sessions()[0]["id"] == answer.result["sessionId"]
    assert world.sessions()[0]["syncMode"] == "manual"
    assert not world.schedule.state().is_started


def test_run_now_during_a_run_is_rejected_with_its_id(world: World, source: FakeSource) -> None:
    """A second run is refused, and the refusal names the one at work; a key is carried once."""
    source.records = catalogue_of(10)
    gate = threading.Event()
    source.pause = lambda _control: _await(gate)
    boot(world, world.driver(), policy="off")
    first = world.requests.run_now("ada", "key-1")

    second = world.requests.run_now("bob")
    repeated = world.requests.run_now("ada", "key-1")
    gate.set()

    assert first.result is not None
    assert second.state is IntentState.REJECTED
    assert second.result is not None
    assert second.result["runId"] == first.result["runId"]
    assert repeated.id == first.id
    wait_for(lambda: world.runs()[0]["outcome"] == "completed")
    assert source.extracts == 1


def test_stop_with_cancel_ends_a_running_session(world: World, source: FakeSource) -> None:
    """Stop with cancel ends the session at its next checkpoint."""
    source.records = catalogue_of(10)
    source.pause = _block_until_stopped
    boot(world, world.driver())
    wait_for(lambda: [s["status"] for s in world.sessions()] == ["running"])

    world.requests.stop("ada", cancel=True)

    wait_for(lambda: world.sessions()[0]["status"] == "cancelled")
    assert "ada" in world.sessions()[0]["errorMessage"]


def test_lease_pauses_and_release_resumes(world: World, source: FakeSource) -> None:
    """A held lease keeps the sync quiet; it works within a moment of the last release."""
    source.records = catalogue_of(10)
    first = world.priority.take("ada", "order 1")
    second = world.priority.take("bob", "order 2")
    boot(world, world.driver())
    wait_for(world.runs)
    assert world.monitoring.status()["state"] == "paused"

    world.priority.release(first.id)
    assert world.sessions() == []
    world.priority.release(second.id)

    wait_for(lambda: [s["status"] for s in world.sessions()] == ["completed"])


def test_shutdown_interrupts_the_run(world: World, source: FakeSource) -> None:
    """Stopping the process ends the run as interrupted and frees the lease."""
    source.records = catalogue_of(10)
    source.pause = _block_until_stopped
    driver = world.driver()
    boot(world, driver)
    wait_for(lambda: [s["status"] for s in world.sessions()] == ["running"])

    driver.stop()

    assert world.sessions()[0]["status"] == "interrupted"
    run = world.runs()[0]
    assert (run["outcome"], run["reason"]) == ("interrupted", "shutdown")
    lease = world.owner.lease()
    assert lease is not None
    assert not world.owner.is_live(lease)


def test_stop_waits_for_what_the_scheduler_is_about_to_do(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that is just being begun is not taken away under its scheduler's hands."""
    driver = world.driver()
    driver.start()
    wait_for(lambda: driver.is_owner)
    scheduler, begun, has_ended = driver._scheduler, threading.Event(), threading.Event()  # noqa: SLF001  # only here it can be seen
    assert scheduler is not None
    submit = ThreadPoolExecutor.submit_job

    def linger(executor: ThreadPoolExecutor, job: Job, run_times: object) -> None:
        submit(executor, job, run_times)
        if job.id == "once":
            begun.set()
            wait_for(lambda: scheduler.state != STATE_RUNNING)

    monkeypatch.setattr(ThreadPoolExecutor, "submit_job", linger)
    scheduler.add_job(has_ended.set, id="once")
    assert begun.wait(20)

    driver.stop()

    assert has_ended.is_set()


def test_take_over_never_undoes_a_stop(world: World, source: FakeSource) -> None:
    """The same boot, seen from another process, does not start what an admin stopped."""
    first = world.driver()
    boot(world, first, boot_id="b1")
    wait_for(lambda: world.schedule.state().is_started)
    world.requests.stop("ada")
    first.stop()

    second = world.driver()
    boot(world, second, boot_id="b1")
    wait_for(lambda: second.is_owner)
    world.requests.run_now("ada")

    assert not world.schedule.state().is_started


def test_new_boot_starts_again(world: World) -> None:
    """With the default policy a boot starts the schedule, whatever the last intent was."""
    first = world.driver()
    boot(world, first, boot_id="b1")
    wait_for(lambda: world.schedule.state().is_started)
    world.requests.stop("ada")
    first.stop()

    boot(world, world.driver(), boot_id="b2")

    wait_for(lambda: world.schedule.state().is_started)


def test_keep_policy_keeps_the_last_intent(world: World) -> None:
    """With ``keep`` a boot leaves a stopped schedule stopped."""
    first = world.driver()
    boot(world, first, boot_id="b1")
    wait_for(lambda: world.schedule.state().is_started)
    world.requests.stop("ada")
    first.stop()

    second = world.driver()
    boot(world, second, policy="keep", boot_id="b2")
    wait_for(lambda: second.is_owner)
    wait_for(lambda: not world.schedule.pending_intents())

    assert not world.schedule.state().is_started


def _await(gate: threading.Event) -> None:
    assert gate.wait(10), "the test never opened the gate"


def _block_until_stopped(control: Control) -> None:
    closed = threading.Event()
    with control.closing(closed.set):
        assert closed.wait(10), "nobody stopped the run"
