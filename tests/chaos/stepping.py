"""Time that the test moves, and a scheduler that runs only what has become due by it.

APScheduler's own way to run jobs in the calling thread keeps its lock on the job store
while a job runs, which no real executor does, and swallows whatever a job raises, the
end of a test's time included. Here a job runs after the lock is free, and what it
raises ends the test.
"""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.base import BaseScheduler
from support import World

from archibald_sync.clock import SystemClock

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import time_machine
    from support import FakeSource

    from archibald_sync.scheduler.driver import Driver

_A_MOMENT = timedelta(milliseconds=40)
_MOST_ROUNDS = 10


class SteppingExecutor(BaseExecutor):  # type: ignore[misc]  # APScheduler has no types
    """Keeps what is due until it is told to run it."""

    def __init__(self) -> None:
        """Begin with nothing to do."""
        super().__init__()
        self._due: deque[Any] = deque()

    def run_all(self) -> bool:
        """Run what is due, in this thread; return whether there was anything."""
        has_run = bool(self._due)
        while self._due:
            self.begin(self._due.popleft())
        return has_run

    def begin(self, job: Any) -> None:  # noqa: ANN401
        """Run ``job`` now."""
        self.work(job)

    def work(self, job: Any) -> None:  # noqa: ANN401
        """Run ``job`` in this thread; it may be due again afterwards."""
        try:
            job.func(*job.args, **job.kwargs)
        finally:
            self._run_job_success(job.id, [])

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:  # noqa: ANN401
        assert len(run_times) == 1, "late jobs are to be run once"
        self._due.append(job)


class SteppingScheduler(BaseScheduler):  # type: ignore[misc]  # APScheduler has no types
    """APScheduler without its thread."""

    def __init__(self, executor: SteppingExecutor | None = None) -> None:
        """Begin with nothing to do."""
        self._stepping = executor or SteppingExecutor()
        super().__init__(
            timezone=UTC,
            executors={"default": self._stepping},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def wakeup(self) -> None:
        """Do nothing: the test drives."""

    def shutdown(self, wait: bool = True) -> None:  # noqa: FBT001, FBT002  # as inherited
        """End."""
        super().shutdown(wait)

    def run_what_is_due(self) -> None:
        """Run the jobs whose time has come, and what they made due by it."""
        for _ in range(_MOST_ROUNDS):
            self._process_jobs()
            if not self._stepping.run_all():
                return
        raise AssertionError("jobs that are due again at once, without end")


class SimulatedClock(SystemClock):
    """Wall time as the test travels; boot time runs along, whatever steps the wall makes."""

    def __init__(self) -> None:
        """Begin with some time since the machine booted."""
        self.lead_ms = 1_000_000_000

    def boot_ms(self) -> int:
        """Return boot time."""
        return self.now_ms() - self.lead_ms

    def offset_ms(self) -> int:
        """Return wall time minus boot time."""
        return self.lead_ms


class SimulatedService:
    """Two processes that compete over one instance, while time passes in steps."""

    def __init__(self, folder: Path, source: FakeSource, traveller: time_machine.Traveller) -> None:
        """Boot both; the first run is due after five seconds."""
        self.clock = SimulatedClock()
        self.world = World(folder, source, clock=self.clock, initial_delay_s=5)
        self._traveller = traveller
        self._running: list[tuple[Driver, SteppingScheduler]] = []
        for _ in range(2):
            self._start()
        self.pass_time(timedelta(seconds=1))

    def __enter__(self) -> Self:
        """Return this."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End; after a failure without waiting for what may never end."""
        if error is None:
            self.world.close()
        for driver, _ in self._running:
            driver.request_stop()

    @property
    def now(self) -> datetime:
        """Return what the wall clock shows."""
        return datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)

    @property
    def due_at(self) -> int:
        """Return when the next run is due."""
        due_at = self.world.schedule.state().next_due_at
        assert due_at is not None
        return due_at

    def replace_owner(self) -> None:
        """End the owner's process, let the other take over, and start a third."""
        driver, _ = self._running.pop(0)
        assert driver.is_owner
        driver.stop()
        self._start()
        self.pass_time(timedelta(seconds=1))
        assert self._running[0][0].is_owner

    def step_wall_clock(self, step: timedelta) -> None:
        """Set the wall clock, and nothing else."""
        self._traveller.shift(step)
        self.clock.lead_ms += step // timedelta(milliseconds=1)

    def pass_time(self, duration: timedelta) -> None:
        """Let time pass, and everything run that became due."""
        self._traveller.shift(duration)
        for _, scheduler in self._running:
            scheduler.run_what_is_due()

    def pass_until(self, moment: datetime) -> None:
        """Let time pass, from one due time to the next, until ``moment``."""
        while (due := datetime.fromtimestamp(self.due_at / 1000, UTC)) <= moment:
            self.pass_time(max(due - self.now, timedelta()) + _A_MOMENT)
        self.pass_time(max(moment - self.now, timedelta()))

    def _start(self) -> None:
        scheduler = SteppingScheduler()
        driver = self.world.driver(make_scheduler=lambda: scheduler)
        driver.start(lambda: self.world.requests.boot("start", "b1"))
        self._running.append((driver, scheduler))
