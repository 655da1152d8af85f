"""A process's part in driving a resource: candidate, owner, or neither.

Every process runs one `BackgroundScheduler` with a tick; only the owner's holds the
interval job. Two plain threads stand beside it: one listens for intents, the other
supervises the run at work and the wall clock, since APScheduler runs nothing at all
after the clock was set back until it has caught up.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from apscheduler.jobstores.base import JobLookupError
from apscheduler.triggers.interval import IntervalTrigger

from archibald_sync.domain.policy import OWNER_RENEWAL_S
from archibald_sync.errors import ArchibaldSyncError, Fenced, RunCancelled, StorageError
from archibald_sync.logs import ComponentLogger
from archibald_sync.scheduler.background import SchedulerFactory, background_scheduler
from archibald_sync.scheduler.backoff import Backoff, Task
from archibald_sync.scheduler.desk import Driven, OwnerDesk

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.schedulers.base import BaseScheduler

    from archibald_sync.domain.models import Claim
    from archibald_sync.scheduler.ownership import Ownership
    from archibald_sync.services.control import RunControl

TICK_S = 1.0
_LISTEN_S = 0.1
_SUPERVISE_S = 0.1
_CLOCK_STEP_MS = 2000

_TICK, _RENEW = "tick", "renew"


class Driver:
    """Takes part in driving one resource, from ``start`` to ``stop``."""

    def __init__(
        self,
        driven: Driven,
        ownership: Ownership,
        *,
        has_schedule: bool = True,
        make_scheduler: SchedulerFactory = background_scheduler,
    ) -> None:
        """Prepare; no thread runs before ``start``.

        Args:
            driven: The resource, and what its owner needs.
            ownership: This process's claim to be its owner.
            has_schedule: Whether to run what is due; else only what is asked for.
            make_scheduler: Makes the scheduler.
        """
        self._driven = driven
        self._ownership = ownership
        self._has_schedule = has_schedule
        self._make_scheduler = make_scheduler
        self._desk = OwnerDesk(driven, self._submit)
        self._job_id = f"sync:{driven.resource.name}"
        self._log = ComponentLogger("Scheduler")
        self._scheduler: BaseScheduler | None = None
        self._threads: list[threading.Thread] = []
        self._stopping = threading.Event()
        self._is_told_to_stop = False
        self._attention = threading.Event()
        self._installing = threading.RLock()
        self._installed: tuple[int, int] | None = None
        self._epoch_in_order: int | None = None
        self._backoffs = {name: Backoff() for name in Task}
        self._record_boot: Callable[[], None] | None = None
        os.register_at_fork(after_in_child=self._forget)

    @property
    def is_owner(self) -> bool:
        """Return whether this process owns the resource now."""
        return self._epoch is not None

    @property
    def _epoch(self) -> int | None:
        """Return our epoch once what the former owner left behind is in order."""
        epoch = self._ownership.epoch
        return epoch if epoch == self._epoch_in_order else None

    @property
    def is_started(self) -> bool:
        """Return whether this process takes part."""
        return self._scheduler is not None

    def start(self, record_boot: Callable[[], None] | None = None) -> None:
        """Take part from now on; does nothing where it does already.

        Args:
            record_boot: Says that the service booted; called before anything else,
                again and again until the database takes it.
        """
        if self._scheduler is not None:
            return
        self._record_boot = record_boot
        self._is_told_to_stop = False
        self._stopping.clear()
        self._desk.open()
        self._scheduler = scheduler = self._make_scheduler()
        now = _instant(self._driven.clock.now_ms())
        every_tick, every_renewal = self._triggers()
        scheduler.add_job(self._tick, every_tick, id=_TICK, next_run_time=now)
        scheduler.add_job(self._renew, every_renewal, id=_RENEW)
        scheduler.start()
        for target in (self._listen, self._supervise):
            thread = threading.Thread(target=target, name=target.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def scheduler_job_ids(self) -> list[str]:
        """Return the ids of the scheduler's jobs, sorted."""
        return sorted(job.id for job in self._scheduler.get_jobs()) if self._scheduler else []

    def request_stop(self) -> None:
        """Begin to stop without waiting; fit for a signal handler.

        No more than a flag: gunicorn sends its signal again and again, and an event that is
        being set when the next one arrives would wait for itself.
        """
        self._is_told_to_stop = True

    def stop(self) -> None:
        """End what this process does, free the ownership, and return when all has ended.

        A run at work ends at its next checkpoint; its session becomes interrupted.
        """
        # APScheduler waits for its jobs with its locks held: none of ours may want them.
        with self._installing:
            scheduler, self._scheduler = self._scheduler, None
        if scheduler is None:
            return
        self._stopping.set()
        self._stop_active()
        # A stopped APScheduler no longer finds the job that it is about to take away after its
        # last time, and its thread ends with an error: so nothing is left for it to find.
        scheduler.pause()
        scheduler.remove_all_jobs()
        scheduler.shutdown(wait=True)
        self._join(self._listen.__name__)
        self._stop_active()
        self._done(Task.WORK, self._desk.finish)
        self._join(self._supervise.__name__)
        self._threads.clear()
        self._installed = None
        self._release()

    def _triggers(self) -> tuple[IntervalTrigger, IntervalTrigger]:
        return (
            IntervalTrigger(seconds=TICK_S, timezone=UTC),
            IntervalTrigger(seconds=OWNER_RENEWAL_S, timezone=UTC),
        )

    def _tick(self) -> None:
        self._guarded(Task.TICK, self._seek_or_install)
        if self.is_owner and not self._stopping.is_set():
            self._guarded(Task.INDEX, self._index)

    def _tick_soon(self) -> None:
        """Let the tick run now, as a job of its own.

        A job must not plan itself anew: APScheduler would skip it for as long as it runs.
        """
        with self._installing:
            if self._scheduler is not None:
                now = _instant(self._driven.clock.now_ms())
                self._scheduler.modify_job(_TICK, next_run_time=now)

    def _seek_or_install(self) -> None:
        if self._stopping.is_set():
            return
        if self._record_boot is not None:
            self._record_boot()
            self._record_boot = None
        self._ownership.seek()
        epoch = self._ownership.epoch
        if epoch is None:
            return
        if epoch != self._epoch_in_order:
            self._desk.take_over(epoch)
            self._epoch_in_order = epoch
            self._log.info("Owner of %s, epoch %d", self._driven.resource.name, epoch)
        self._install_interval_job()

    def _index(self) -> None:
        self._driven.search.catch_up()

    def _renew(self) -> None:
        self._guarded(Task.RENEW, self._renew_and_keep_alive)

    def _renew_and_keep_alive(self) -> None:
        epoch = self._ownership.epoch
        if epoch is None:
            return
        if not self._ownership.renew():
            self._depose(Fenced(f"epoch {epoch} is over"))
            return
        self._desk.keep_alive(epoch)

    def _depose(self, why: Fenced) -> None:
        """Let go of everything: another process has taken over."""
        self._ownership.let_go()
        self._desk.stop_active(why)
        self._remove_interval_job()
        self._log.warning("No longer owner of %s: %s", self._driven.resource.name, why)

    def _guarded(self, task: Task, action: Callable[[], None]) -> bool:
        """Do ``action`` unless it failed a moment ago; return whether it was done."""
        return not self._backoffs[task].remaining_s and self._done(task, action)

    def _done(self, task: Task, action: Callable[[], None]) -> bool:
        """Do ``action``; a fence deposes, a database in trouble is tried again later."""
        backoff = self._backoffs[task]
        try:
            action()
        except Fenced as exc:
            self._depose(exc)
        except ArchibaldSyncError as exc:
            if backoff.fail():
                self._log.error("%s", exc, extra={"code": exc.code, "task": task})
        else:
            backoff.succeed()
            return True
        return False

    # The interval job mirrors the row of the schedule; the row is the truth.

    def _install_interval_job(self) -> None:
        if not self._has_schedule:
            return
        with self._installing:
            state = self._driven.schedule.state()
            due_at = state.next_due_at
            wanted = None if due_at is None else (state.interval_minutes, due_at)
            scheduler = self._scheduler
            if scheduler is None or self._epoch is None or wanted == self._installed:
                return
            if wanted is None:
                self._remove_interval_job()
                return
            due = _instant(wanted[1])
            pause_ms = int(self._backoffs[Task.RUN].remaining_s * 1000)
            soonest = _instant(self._driven.clock.now_ms() + pause_ms)
            trigger = IntervalTrigger(minutes=wanted[0], start_date=due, timezone=UTC)
            scheduler.add_job(
                self._run_due,
                trigger,
                id=self._job_id,
                next_run_time=max(due, soonest),
                replace_existing=True,
            )
            self._installed = wanted

    def _remove_interval_job(self) -> None:
        with self._installing:
            self._installed = None
            if self._scheduler is None:
                return
            with suppress(JobLookupError):
                self._scheduler.remove_job(self._job_id)

    def _run_due(self) -> None:
        epoch = self._epoch
        if epoch is None or self._stopping.is_set():
            return
        is_done = self._guarded(Task.RUN, lambda: self._desk.run_due(epoch))
        if not is_done:
            self._installed = None
        self._tick_soon()

    def _submit(self, claim: Claim, control: RunControl) -> None:
        # None while stopping, which ends what was claimed and not begun.
        with self._installing:
            if (scheduler := self._scheduler) is not None:
                scheduler.add_job(
                    self._work, args=(claim, control), id=f"run:{claim.run_id}", name=claim.run_id
                )

    def _work(self, claim: Claim, control: RunControl) -> None:
        self._done(Task.WORK, lambda: self._desk.work(claim, control))
        self._tick_soon()

    def _stop_active(self) -> None:
        self._desk.stop_active(_shutdown())

    # The two threads.

    def _listen(self) -> None:
        """Carry out intents as soon as another connection has written one."""
        while not self._stopping.wait(_LISTEN_S):
            self._look_for_intents()

    def _look_for_intents(self) -> None:
        epoch = self._epoch
        if epoch is not None:
            self._guarded(Task.LISTEN, partial(self._heed, epoch))

    def _heed(self, epoch: int) -> None:
        if not (self._driven.schedule.has_changed() or self._attention.is_set()):
            return
        self._attention.set()
        self._desk.carry_out_pending(epoch)
        self._attention.clear()
        self._install_interval_job()

    def _supervise(self) -> None:
        """Let the run at work give way, hold it to its limits, and watch the clock."""
        offset_ms = self._driven.clock.offset_ms()
        while not self._stopping.wait(_SUPERVISE_S):
            offset_ms = self._watch_clock(offset_ms)
            # An interpreter that ends would wait for the run.
            if self._is_told_to_stop or not threading.main_thread().is_alive():
                self._stopping.set()
                break
            self._supervise_run()
        self._leave()

    def _leave(self) -> None:
        """End the run at work, and free the ownership as soon as it has ended.

        A worker may have requests to answer for seconds yet; others can drive meanwhile.
        """
        self._desk.close()
        pause = threading.Event()
        while self._desk.active_control is not None:
            self._stop_active()
            pause.wait(_SUPERVISE_S)
        self._release()

    def _release(self) -> None:
        try:
            self._ownership.release()
        except StorageError as exc:
            self._log.warning("Lease not released, it will run out: %s", exc)

    def _join(self, name: str) -> None:
        for thread in self._threads:
            if thread.name == name:
                thread.join()

    def _supervise_run(self) -> None:
        control = self._desk.active_control
        if control is not None:
            self._guarded(Task.SUPERVISE, partial(self._driven.sync.supervise, control))

    def _watch_clock(self, offset_before_ms: int) -> int:
        """Follow a step of the wall clock since ``offset_before_ms``; return the offset now."""
        offset_ms = self._driven.clock.offset_ms()
        if abs(offset_ms - offset_before_ms) > _CLOCK_STEP_MS:
            self._follow_clock(offset_ms - offset_before_ms)
        return offset_ms

    def _follow_clock(self, step_ms: int) -> None:
        """Plan all jobs anew after a step of the wall clock."""
        self._log.warning("Wall clock stepped by %d ms", step_ms, extra={"stepMs": step_ms})
        epoch = self._epoch
        if epoch is not None:
            self._done(Task.FOLLOW_CLOCK, lambda: self._desk.shift_due_time(step_ms, epoch))
        every_tick, every_renewal = self._triggers()
        with self._installing:
            if (scheduler := self._scheduler) is not None:
                scheduler.reschedule_job(_TICK, trigger=every_tick)
                scheduler.reschedule_job(_RENEW, trigger=every_renewal)
            self._installed = None
        if epoch is not None:
            self._done(Task.FOLLOW_CLOCK, self._install_interval_job)

    def _forget(self) -> None:
        """Start afresh in a forked child: threads did not come along, locks must not."""
        self._scheduler = None
        self._threads = []
        self._installed = self._epoch_in_order = None
        self._stopping, self._attention = threading.Event(), threading.Event()
        self._installing = threading.RLock()
        self._desk = OwnerDesk(self._driven, self._submit)
        self._ownership.forget()


def _instant(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _shutdown() -> RunCancelled:
    return RunCancelled("shutdown", "the service shut down during the run")
