"""The driver in trouble: deposed, forked, late, out of step, or without its database."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from support import FakeSource, ShiftedClock, World, catalogue_of, wait_for

from archibald_sync.domain.models import IntentKind, IntentState, RunRequest, Trigger
from archibald_sync.errors import DeadlineExceeded, Fenced, RunCancelled, SyncInProgressError
from archibald_sync.scheduler.ownership import Ownership
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.ports import Control
    from archibald_sync.scheduler.driver import Driver

_HOUR_MS = 3_600_000


def boot(world: World, driver: Driver, policy: str = "start", boot_id: str = "b1") -> None:
    """Start ``driver`` as a service that boots."""
    driver.start(lambda: world.requests.boot(policy, boot_id))


def usurp(world: World) -> int:
    """Raise the epoch, as another process that takes over would; return it."""
    with world.database.transaction() as connection:
        connection.execute(
            "UPDATE owner_lease SET epoch = epoch + 1, owner = 'usurper', hasFlock = 0"
        )
        return int(connection.execute("SELECT epoch FROM owner_lease").fetchone()[0])


def block(control: Control) -> None:
    """Hold a run up until it is told to end."""
    closed = threading.Event()
    with control.closing(closed.set):
        assert closed.wait(20), "nobody stopped the run"


def test_deposed_owner_lets_go_of_everything(world: World, source: FakeSource) -> None:
    """After another process took over: the run is dropped, the job gone, nothing written."""
    source.records = catalogue_of(10)
    source.pause = block
    driver = world.driver()
    boot(world, driver)
    wait_for(lambda: [s["status"] for s in world.sessions()] == ["running"])

    epoch = usurp(world)

    wait_for(lambda: not driver.is_owner)
    wait_for(lambda: "sync:products" not in driver.scheduler_job_ids())
    assert world.products() == {}
    assert [s["status"] for s in world.sessions()] == ["running"], "the new owner corrects it"
    assert world.history.interrupt_orphans(epoch, None) == [world.runs()[0]["id"]]


def test_late_run_says_so(world: World, source: FakeSource) -> None:
    """What should have run while nobody was there runs once, marked as catching up."""
    source.records = catalogue_of(10)
    epoch = world.own()
    due = world.clock.now_ms() - 5 * _HOUR_MS
    world.schedule.begin(30, due, "ada", epoch)
    world.owner.release(epoch)

    world.driver().start()

    wait_for(lambda: [run["outcome"] for run in world.runs()] == ["completed", "skipped"])
    run, skipped = world.runs()
    assert (run["trigger"], run["dueAt"]) == ("catchUp", due)
    assert run["latenessMs"] >= 5 * _HOUR_MS
    assert (skipped["reason"], skipped["dueAt"]) == ("not_driven", due + 5 * _HOUR_MS)
    assert skipped["detail"].startswith("10 slots skipped"), skipped["detail"]
    following = world.schedule.state().next_due_at
    assert following is not None
    assert (following - due) % (30 * 60_000) == 0, "the grid is kept"
    assert 0 < following - world.clock.now_ms() <= 30 * 60_000


def test_slot_that_finds_a_run_at_work_is_skipped(world: World, source: FakeSource) -> None:
    """A scheduled run during a manual one is recorded as skipped, with its reason."""
    source.records = catalogue_of(10)
    source.pause = block
    driver = world.driver()
    boot(world, driver, policy="off")
    answer = world.requests.run_now("ada")
    lease = world.owner.lease()
    assert lease is not None
    assert answer.result is not None

    world.schedule.begin(30, world.clock.now_ms(), "ada", lease.epoch)
    world.requests.start(30, "ada")

    wait_for(lambda: "skipped" in [run["outcome"] for run in world.runs()])
    skipped = world.runs()[-1]
    assert skipped["reason"] == "sync_in_progress"
    assert str(answer.result["runId"]) in skipped["detail"]
    assert [s["status"] for s in world.sessions()] == ["running"]


def test_run_that_kills_its_process_is_not_tried_without_end(
    world: World, source: FakeSource
) -> None:
    """After the third loss in a row the next try waits for the next slot."""
    source.records = catalogue_of(10)
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() - 1, "ada", epoch)
    for _ in range(3):
        world.sync.claim(RunRequest(Trigger.SCHEDULE), epoch)
        lost = world.history.interrupt_orphans(epoch, None)
        assert len(lost) == 1
    world.sync.claim(RunRequest(Trigger.SCHEDULE), epoch)
    world.owner.release(epoch)

    driver = world.driver()
    driver.start()

    wait_for(lambda: driver.is_owner)
    wait_for(lambda: (world.schedule.state().next_due_at or 0) > world.clock.now_ms())
    assert source.extracts == 0


@pytest.mark.parametrize("hours", [2, -2])
def test_step_of_the_wall_clock_keeps_the_time_until_the_next_run(
    tmp_path: Path, source: FakeSource, hours: int
) -> None:
    """The due time moves with the clock: half an hour stays half an hour."""
    clock = ShiftedClock()
    world = World(tmp_path, source, clock=clock, initial_delay_s=1800)
    boot(world, world.driver())
    wait_for(lambda: world.schedule.state().is_started)
    before = world.schedule.state().next_due_at
    assert before is not None

    clock.shift_ms = hours * _HOUR_MS

    wait_for(lambda: world.schedule.state().next_due_at != before)
    after = world.schedule.state().next_due_at
    assert after is not None
    assert abs(after - before - hours * _HOUR_MS) < 1000
    assert source.extracts == 0
    world.close()


def test_due_time_far_ahead_is_bounded(world: World) -> None:
    """A clock that was set back while nobody was there costs one interval at most."""
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() + 5 * _HOUR_MS, "ada", epoch)
    world.owner.release(epoch)

    driver = world.driver()
    driver.start()

    wait_for(lambda: driver.is_owner)
    wait_for(
        lambda: (world.schedule.state().next_due_at or 0) <= world.clock.now_ms() + 30 * 60_000
    )


# In a process that nothing measures: what coverage does in a forked child may wait for
# a lock that another thread held at the fork.
_FORKING_OWNER = """
import os, sys
from pathlib import Path
from support import FakeSource, World, wait_for
from archibald_sync.scheduler.ownership import Ownership

world = World(Path(sys.argv[1]), FakeSource())
driver = world.driver()
driver.start()
wait_for(lambda: driver.is_owner)
child = os.fork()
if child == 0:
    os._exit(driver.is_owner or driver.is_started)
_, status = os.waitpid(child, 0)
rival = Ownership(world.folder / "owner.lock", world.owner)
print(os.waitstatus_to_exitcode(status), driver.is_owner, rival.seek())
world.close()
"""


def test_forked_child_owns_nothing(tmp_path: Path) -> None:
    """A child of the owner drives nothing, and its end frees nothing of its parent's."""
    environ = {key: one for key, one in os.environ.items() if not key.startswith("COV")}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)

    ended = subprocess.run(
        [sys.executable, "-c", _FORKING_OWNER, tmp_path],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.stdout.split() == ["0", "True", "False"], ended.stderr


def test_database_that_comes_back_is_used_again(
    world: World, source: FakeSource, caplog: pytest.LogCaptureFixture
) -> None:
    """While the file is away the driver says so; when it returns it works on."""
    source.records = catalogue_of(10)
    driver = world.driver()
    boot(world, driver, policy="off")
    wait_for(lambda: driver.is_owner and not world.schedule.pending_intents())
    away = world.database.path.with_suffix(".away")
    world.database.path.rename(away)
    wait_for(lambda: "is missing" in caplog.text)

    away.rename(world.database.path)

    intent = world.schedule.add_intent(IntentKind.RUN, {}, "ada", ttl_s=60)
    answer = world.requests.answer(intent, 10)
    assert answer.state is IntentState.APPLIED


def test_intent_nobody_heard_in_time_is_void(world: World, source: FakeSource) -> None:
    """A run asked for long ago, while nobody was there, does not surprise anybody."""
    intent = world.schedule.add_intent(IntentKind.RUN, {}, "ada", ttl_s=-1)

    boot(world, world.driver(), policy="off")

    wait_for(lambda: world.schedule.intent(intent.id).state is IntentState.EXPIRED)
    assert source.extracts == 0


def test_boot_off_stops_a_started_schedule(world: World) -> None:
    """With ``off`` a boot leaves nothing due."""
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() + _HOUR_MS // 2, "ada", epoch)
    world.owner.release(epoch)

    boot(world, world.driver(), policy="off")

    wait_for(lambda: not world.schedule.state().is_started)


def test_process_without_a_schedule_runs_only_what_is_asked(
    world: World, source: FakeSource
) -> None:
    """A driver for one command leaves what is due to the service."""
    source.records = catalogue_of(10)
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() - 1, "ada", epoch)
    world.owner.release(epoch)
    driver = world.driver(has_schedule=False)
    driver.start()
    driver.start()  # a second time changes nothing

    answer = world.requests.run_now("ada")

    assert answer.state is IntentState.APPLIED
    wait_for(lambda: [run["trigger"] for run in world.runs()] == ["manual"])
    assert driver.scheduler_job_ids() == ["renew", "tick"] or world.runs()[0]["outcome"] is None


def test_owner_that_cannot_release_its_lease_still_stops(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is away at the end does not keep a process from ending."""
    driver = world.driver()
    boot(world, driver, policy="off")
    wait_for(lambda: driver.is_owner and not world.schedule.pending_intents())
    away = world.database.path.with_suffix(".away")
    world.database.path.rename(away)

    driver.stop()
    driver.request_stop()

    away.rename(world.database.path)
    assert "it will run out" in caplog.text


def test_ownership_by_expiry_needs_no_lock(world: World) -> None:
    """A stopped process holds its lock for ever; its lease runs out, and then another owns."""
    stuck = Ownership(world.folder / "owner.lock", world.owner, ttl_s=0.2)
    rival = Ownership(world.folder / "owner.lock", world.owner)
    assert not rival.renew()
    assert stuck.seek()
    assert not rival.seek(), "the lease has not run out"

    wait_for(rival.seek)

    assert not rival.seek(), "it owns already"
    assert not stuck.renew(), "the resumed one is told"
    assert stuck.epoch is None
    assert rival.renew(), "and now it has the lock as well"
    rival.release()
    rival.release()


def test_supervision_ends_what_takes_too_long(world: World, source: FakeSource) -> None:
    """The watchdog ends a session at its deadline; the run fails and says why."""
    source.records = catalogue_of(10)
    control = RunControl()

    def expire(_control: Control) -> None:
        control.preempt(DeadlineExceeded("the session exceeded its deadline of 1 s"))

    source.pause = expire
    with world.running(control) as ends:
        pass

    assert (ends[0].outcome, ends[0].reason) == ("failed", "deadline")
    assert world.sessions()[0]["errorCode"] == "deadline"


def test_skip_is_refused_under_an_old_epoch(world: World) -> None:
    """A fenced owner cannot even record what it did not do."""
    epoch = world.own()
    claim = world.claim()
    with pytest.raises(SyncInProgressError):
        world.claim()
    usurp(world)

    with pytest.raises(Fenced):
        world.history.record_skip(RunRequest(Trigger.SCHEDULE), epoch, "r", "d")
    with pytest.raises(Fenced):
        world.history.touch(epoch)
    assert world.sync.run(claim, stopped()).reason == "fenced"


def stopped() -> RunControl:
    """Return the control of a run that was told to end."""
    control = RunControl()
    control.stop(RunCancelled("requested", "enough"))
    return control


def test_boot_decides_before_what_was_due(tmp_path: Path, source: FakeSource) -> None:
    """What was due when the service went down runs after the boot's delay, once."""
    world = World(tmp_path, source, initial_delay_s=3600)
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() - _HOUR_MS, "ada", epoch)
    world.owner.release(epoch)
    driver = world.driver()

    boot(world, driver)

    wait_for(lambda: driver.is_owner and "sync:products" in driver.scheduler_job_ids())
    due = world.schedule.state().next_due_at
    assert due is not None
    assert due > world.clock.now_ms() + 3_500_000
    assert (world.runs(), source.extracts) == ([], 0)
    world.close()
