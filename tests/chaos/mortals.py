"""Processes that share an instance, each of which can freeze, thaw, die or end at any page.

They live in this one process, each with its own lock, driver and scheduler. A run works
in a thread that waits before each page until it is told to go on. A dead process writes
nothing more, not even on its way out; a frozen one does nothing until it thaws.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from chaos.stepping import SimulatedClock, SteppingExecutor, SteppingScheduler
from support import FakeSource, World, wait_for

from archibald_sync.scheduler.driver import Driver
from archibald_sync.scheduler.ownership import Ownership

if TYPE_CHECKING:
    from collections.abc import Generator

    from archibald_sync.domain.models import Page, PriorityLease
    from archibald_sync.domain.ports import Control

_PATIENCE_S = 30.0


class Killed(BaseException):
    """The process of this thread is dead: nothing of ours may catch this."""


class Worker(threading.Thread):
    """A run at work, in a process that is told when it may go on."""

    def __init__(self, executor: WorkerExecutor, job: Any) -> None:  # noqa: ANN401
        """Prepare to run ``job``."""
        super().__init__(name=job.id, daemon=True)
        self._executor = executor
        self._job = job
        self._go_on = threading.Event()
        self.at_page = threading.Event()
        self.is_paused = False
        self.is_dead = False

    def run(self) -> None:
        """Run the job until it ends or dies."""
        try:
            self._executor.work(self._job)
        except Killed:
            return

    def pause(self, control: Control) -> None:
        """Wait before a page until told to go on, to end, or to die."""
        self._go_on.clear()
        self.live()
        self.at_page.set()
        with control.closing(self.go_on):
            assert self._go_on.wait(_PATIENCE_S), "nobody let the run go on"
        self.live()

    def go_on(self) -> None:
        """Let the run take its next page."""
        self.at_page.clear()
        self._go_on.set()

    def live(self) -> None:
        """Return, or die; later, where the process is frozen."""
        assert self._executor.thawed.wait(_PATIENCE_S), "nobody thawed the process"
        if self.is_dead:
            raise Killed

    def die(self) -> None:
        """Die, wherever the run is."""
        self.is_dead = True
        self._executor.thawed.set()
        self.go_on()
        self.join(_PATIENCE_S)
        assert not self.is_alive()


class WorkerExecutor(SteppingExecutor):
    """Runs the scheduler's own jobs in the calling thread, and each sync in a worker."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        super().__init__()
        self._workers: list[Worker] = []
        self.thawed = threading.Event()
        self.thawed.set()

    def begin(self, job: Any) -> None:  # noqa: ANN401
        """Run ``job`` now, or begin to."""
        if job.id in {"tick", "renew"}:
            self.work(job)
            return
        worker = Worker(self, job)
        self._workers = [*self.workers, worker]
        worker.start()

    @property
    def workers(self) -> list[Worker]:
        """Return the syncs at work in this process: one, and maybe one that will be skipped."""
        return [one for one in self._workers if one.is_alive()]

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002  # as inherited
        """Wait for the sync at work, which has been told to end."""
        for worker in self.workers if wait else []:
            worker.join(_PATIENCE_S)
            assert not worker.is_alive()


class MortalClock(SimulatedClock):
    """A simulated clock that nobody can read in a frozen or dead process."""

    def now_ms(self) -> int:
        """Return wall time."""
        thread = threading.current_thread()
        if isinstance(thread, Worker):
            thread.live()
        return super().now_ms()


class PagedSource(FakeSource):
    """A source that waits before each page for the permission of the test."""

    def __init__(self, page_size: int) -> None:
        """Deliver nothing until told otherwise."""
        super().__init__(page_size)
        self.world: World | None = None
        self.is_patient = True
        self.read: dict[str, dict[str, str]] = {}
        self.pause = self._pause

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:
        """Read one extract, and remember which run has read what."""
        assert self.world is not None
        run_id = self.world.history.active_run_id()
        assert run_id is not None
        self.read[run_id] = {str(one["id"]): str(one["minQty"]) for one in self.records}
        yield from super().pages(control, validator)

    def _pause(self, control: Control) -> None:
        worker = threading.current_thread()
        assert isinstance(worker, Worker)
        if self.is_patient:
            worker.pause(control)


class SteppedDriver(Driver):
    """A driver whose threads do nothing: what they do is done when the test says so."""

    def _listen(self) -> None:
        """End at once."""

    def _supervise(self) -> None:
        """End at once."""

    def step(self, scheduler: SteppingScheduler) -> None:
        """Do everything that a driver does within a moment."""
        scheduler.run_what_is_due()
        self._attention.set()  # our own connection wrote, which it does not tell us
        self._look_for_intents()
        scheduler.run_what_is_due()
        self._supervise_run()

    def watch_clock(self, offset_before_ms: int) -> None:
        """Notice a step of the wall clock."""
        self._watch_clock(offset_before_ms)

    def has_patience(self) -> bool:
        """Return whether the run at work here would wait for as long as a lease is held."""
        control = self._desk.active_control
        return control is not None and not control.no_more_attempts.is_set()


def watch_pauses(world: World) -> None:
    """Let each worker know whether it saw a priority lease when it last looked."""
    held = world.leases.held

    def seen() -> list[PriorityLease]:
        leases, thread = held(), threading.current_thread()
        if isinstance(thread, Worker):
            thread.is_paused = bool(leases)
        return leases

    world.leases.held = seen  # type: ignore[method-assign]  # of this one world


class Process:
    """One process of the service."""

    def __init__(self, world: World) -> None:
        """Boot."""
        self._world = world
        self._offset_when_frozen_ms: int | None = None
        self._executor = WorkerExecutor()
        self._scheduler = SteppingScheduler(self._executor)
        self._ownership = Ownership(world.folder / "owner.lock", world.owner)
        self._driver = SteppedDriver(
            world.driven(), self._ownership, make_scheduler=lambda: self._scheduler
        )
        self._driver.start(lambda: world.requests.boot("start", "b1"))

    @property
    def is_frozen(self) -> bool:
        """Return whether this process does nothing until it thaws."""
        return not self._executor.thawed.is_set()

    @property
    def epoch(self) -> int | None:
        """Return the epoch under which this process believes to be the owner."""
        return self._ownership.epoch if self._driver.is_owner else None

    @property
    def is_deposed(self) -> bool:
        """Return whether another process has taken over, whether this one knows it or not."""
        lease = self._world.owner.lease()
        return lease is not None and lease.epoch != self._ownership.epoch

    @property
    def is_working(self) -> bool:
        """Return whether a sync is at work here."""
        return bool(self._executor.workers)

    def step(self) -> None:
        """Do what is due, and return when nothing moves."""
        if not self.is_frozen:
            self._driver.step(self._scheduler)
            self.settle()

    def watch_clock(self, offset_before_ms: int) -> None:
        """Notice a step of the wall clock; a frozen process does when it thaws."""
        if not self.is_frozen:
            self._driver.watch_clock(offset_before_ms)
        elif self._offset_when_frozen_ms is None:
            self._offset_when_frozen_ms = offset_before_ms

    def turn_page(self) -> None:
        """Let the run at work take one page, and return when nothing moves."""
        for worker in self._executor.workers:
            if worker.at_page.is_set():
                worker.go_on()
        self.settle()

    def settle(self) -> None:
        """Wait until the run at work waits for a page or a lease, or has ended."""
        wait_for(self._is_still, _PATIENCE_S)

    def freeze(self) -> None:
        """Stop, as by SIGSTOP."""
        self._executor.thawed.clear()

    def thaw(self) -> None:
        """Go on, as by SIGCONT."""
        self._executor.thawed.set()
        before, self._offset_when_frozen_ms = self._offset_when_frozen_ms, None
        if before is not None:
            self._driver.watch_clock(before)
        self.settle()

    def kill(self) -> None:
        """Die without a word, as by SIGKILL; the kernel frees the lock."""
        for worker in self._executor.workers:
            worker.die()
        self._ownership.forget()

    def end(self) -> None:
        """End in order, as by SIGTERM."""
        self._driver.stop()

    def _is_still(self) -> bool:
        moving = [one for one in self._executor.workers if not one.at_page.is_set()]
        if not moving:
            return True
        is_paused = all(one.is_paused for one in moving) and bool(self._world.leases.held())
        # A deposed owner waits on until it notices that its run has been closed.
        is_open = self.is_deposed or self._world.history.active_run_id() is not None
        return is_paused and is_open and self._driver.has_patience()
