"""What happens between two steps of the owner: what it has answered stays true."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

from support import FakeSource, World, catalogue_of, wait_for

from archibald_sync.domain.models import IntentKind, IntentState
from archibald_sync.domain.policy import SchedulePolicy
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.scheduler.desk import Driven, OwnerDesk
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.domain.models import Claim


class InterruptedSchedule:
    """A schedule after one of whose readings something else happens."""

    def __init__(
        self,
        world: World,
        meanwhile: Callable[[], None],
        is_time: Callable[[], bool] = lambda: True,
    ) -> None:
        """Do ``meanwhile`` once, after the first reading for which ``is_time``."""
        self._schedule = world.schedule
        self._is_time = is_time
        self._meanwhile: Callable[[], None] | None = meanwhile

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the schedule has
        """Leave everything else to the schedule."""
        return getattr(self._schedule, name)

    def state(self) -> Any:  # noqa: ANN401
        """Return the state as it was before ``meanwhile``."""
        state = self._schedule.state()
        if self._meanwhile is not None and self._is_time():
            meanwhile, self._meanwhile = self._meanwhile, None
            meanwhile()
        return state


def desk_of(
    world: World,
    submit: Callable[[Claim, RunControl], None],
    *,
    sync: Any = None,  # noqa: ANN401  # one that is like it
    schedule: Any = None,  # noqa: ANN401  # one that is like it
) -> OwnerDesk:
    """Return a desk in ``world``, with another ``sync`` or ``schedule`` where one is given."""
    driven = Driven(
        PRODUCTS,
        sync or world.sync,
        world.history,
        schedule or world.schedule,
        world.database,
        SchedulePolicy(),
        world.clock,
        world.index,
    )
    return OwnerDesk(driven, submit)


def ask_for_run(world: World) -> None:
    """Ask for a run as an admin does."""
    world.schedule.add_intent(IntentKind.RUN, {}, "ada", ttl_s=None)


def test_no_run_begins_after_a_stop_was_answered(world: World, source: FakeSource) -> None:
    """A stop that comes while the owner looks at what is due: the run begins before, or not."""
    source.records = catalogue_of(10)
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() - 1, "ada", epoch)
    stop = world.schedule.add_intent(IntentKind.STOP, {}, "ada", ttl_s=None)
    begun_before_the_answer: list[int] = []

    def answer() -> None:
        desk.carry_out_pending(epoch)
        begun_before_the_answer.append(len(world.runs()))

    def interrupt() -> None:
        thread.start()
        thread.join(0.5)  # it may have to wait until the run is claimed

    thread = threading.Thread(target=answer)
    schedule: Any = InterruptedSchedule(world, interrupt)
    desk = desk_of(world, lambda _claim, _control: None, schedule=schedule)
    desk.open()

    desk.run_due(epoch)
    thread.join(10)

    assert world.schedule.intent(stop.id).state is IntentState.APPLIED
    assert begun_before_the_answer == [len(world.runs())]


class CrowdedSync:
    """A sync service with something that happens as soon as a run has ended."""

    def __init__(self, world: World) -> None:
        """Let nothing happen yet."""
        self._sync = world.sync
        self.meanwhile: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the service has
        """Leave everything else to the service."""
        return getattr(self._sync, name)

    def run(self, claim: Claim, control: RunControl) -> None:
        """Make the run; its end is recorded when ``meanwhile`` happens."""
        self._sync.run(claim, control)
        self.meanwhile()


def test_run_claimed_as_another_ends_is_not_forgotten(world: World, source: FakeSource) -> None:
    """It is at work as soon as it is claimed: nobody may call it interrupted."""
    source.records = catalogue_of(10)
    epoch = world.own()
    crowded: Any = CrowdedSync(world)
    claimed: list[tuple[Claim, RunControl]] = []
    desk = desk_of(world, lambda *work: claimed.append(work), sync=crowded)
    desk.open()
    ask_for_run(world)
    desk.carry_out_pending(epoch)

    def claim_next() -> None:
        ask_for_run(world)
        thread = threading.Thread(target=desk.carry_out_pending, args=(epoch,))
        thread.start()
        thread.join(10)

    crowded.meanwhile = claim_next
    desk.work(*claimed[0])
    crowded.meanwhile = lambda: None
    desk.keep_alive(epoch)
    ask_for_run(world)
    desk.carry_out_pending(epoch)

    (_, second) = claimed
    at_work = [desk.active_control]
    assert [run["outcome"] for run in world.runs()] == ["completed", None]
    desk.work(*second)
    at_work.append(desk.active_control)
    assert at_work == [second[1], None]
    assert [run["outcome"] for run in world.runs()] == ["completed", "completed"]


def test_taking_over_again_interrupts_no_run_of_ours(world: World, source: FakeSource) -> None:
    """What failed half way is done anew, and the run that it had begun already goes on."""
    source.records = catalogue_of(10)
    epoch = world.own()
    claimed: list[tuple[Claim, RunControl]] = []
    desk = desk_of(world, lambda *work: claimed.append(work))
    desk.open()
    ask_for_run(world)

    desk.take_over(epoch)
    desk.take_over(epoch)

    assert [run["outcome"] for run in world.runs()] == [None]
    desk.work(*claimed[0])
    assert [run["outcome"] for run in world.runs()] == ["completed"]


def test_session_gives_way_to_a_lease_taken_as_it_began(world: World, source: FakeSource) -> None:
    """Whoever was told that all is quiet is right: the session reads nothing."""
    source.records = catalogue_of(10)
    claim = world.claim()
    lease = world.priority.take("order", "")
    thread = threading.Thread(target=world.sync.run, args=(claim, RunControl()))

    thread.start()
    wait_for(lambda: [one["status"] for one in world.sessions()] == ["cancelled"])

    assert source.extracts == 0
    world.priority.release(lease.id)
    thread.join(10)
    assert [one["status"] for one in world.sessions()] == ["cancelled", "completed"]


def test_deposed_owner_keeps_no_job(world: World) -> None:
    """Deposed while it plans the next run: that run is planned no more."""
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() + 1_800_000, "ada", epoch)
    world.owner.release(epoch)
    deposed = threading.Event()

    def usurp() -> None:
        with world.database.transaction() as connection:
            connection.execute("UPDATE owner_lease SET epoch = epoch + 1, hasFlock = 0")
        world.schedule.add_intent(IntentKind.STOP, {}, "ada", ttl_s=None)
        wait_for(lambda: not driver.is_owner)
        deposed.set()

    def is_planning() -> bool:
        return driver.is_owner and threading.current_thread().name != "_listen"

    schedule: Any = InterruptedSchedule(world, usurp, is_planning)
    world.schedule = schedule
    driver = world.driver()

    driver.start()

    assert deposed.wait(20)
    wait_for(lambda: driver.scheduler_job_ids() == ["renew", "tick"])
    threading.Event().wait(0.5)
    assert driver.scheduler_job_ids() == ["renew", "tick"]


def test_stop_is_asked_for_again_and_again(world: World) -> None:
    """A signal that comes while the one before it is handled makes nobody wait for himself."""
    driver = world.driver()
    driver.start()
    wait_for(lambda: driver.is_owner)

    before = signal.signal(signal.SIGUSR1, lambda *_: driver.request_stop())
    insist = f"import os\nfor _ in range(200_000): os.kill({os.getpid()}, {signal.SIGUSR1:d})"
    with subprocess.Popen([sys.executable, "-c", insist]) as sender:
        while sender.poll() is None:
            pass  # busy, so that a signal finds the handler of the one before at work
    wait_for(lambda: not driver.is_owner)
    signal.signal(signal.SIGUSR1, before)
    driver.stop()
