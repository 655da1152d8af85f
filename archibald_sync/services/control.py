"""How a run is told to end, from any thread, and how the run notices.

Two things can be asked for: that no further attempt begins (``end_retries``, which
also ends the wait between attempts), and that the work ends at its next checkpoint
(``stop``). A stop also closes what the work is blocked on.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archibald_sync.errors import DeadlineExceeded, Preempted, RunCancelled, RunStopped
from archibald_sync.services.stages import StageTimes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archibald_sync.domain.models import Stage
    from archibald_sync.domain.policy import SessionLimits


class RunControl:
    """The control of one run; fulfils the ``Control`` port for its sessions."""

    def __init__(self) -> None:
        """Let the run work until told otherwise."""
        self.no_more_attempts = threading.Event()
        self._lock = threading.Lock()
        self._run_stop: RunStopped | None = None
        self._session_stop: RunStopped | None = None
        self._closers: list[Callable[[], None]] = []
        self._session_began_s: float | None = None
        self._stages = StageTimes()
        self._progress_s = 0.0

    @property
    def stopped_by(self) -> RunStopped | None:
        """Return why the work must end, if it must."""
        return self._run_stop or self._session_stop

    @property
    def is_working(self) -> bool:
        """Return whether a session is at work now."""
        return self._session_began_s is not None

    def checkpoint(self) -> None:
        """Return at once, or raise the reason to end.

        Raises:
            RunStopped: The run must end now.
        """
        if (stop := self.stopped_by) is not None:
            raise stop

    @property
    def stage(self) -> Stage | None:
        """Return what the session at work, or the last one, said that it does."""
        return self._stages.stage

    def enter(self, stage: Stage) -> None:
        """Say what the work does from now on."""
        if stage is not self._stages.stage:
            self._stages.enter(stage)

    def stage_ms(self) -> dict[str, int]:
        """Return how long each stage of the session took so far, in milliseconds."""
        return self._stages.in_ms()

    @contextmanager
    def closing(self, close: Callable[[], None]) -> Iterator[None]:
        """Call ``close`` from another thread, once, if the run must end inside the block."""
        with self._lock:
            self._closers.append(close)
            is_late = self.stopped_by is not None
        if is_late:
            close()
        try:
            yield
        finally:
            with self._lock:
                if close in self._closers:
                    self._closers.remove(close)

    def stop(self, why: RunStopped) -> None:
        """End the run: its work at the next checkpoint, its waits at once."""
        self.no_more_attempts.set()
        with self._lock:
            self._run_stop = self._run_stop or why
            closers = self._take_closers()
        _close_all(closers)

    def preempt(self, why: Preempted | DeadlineExceeded) -> None:
        """End the session at work, if there is one; the run itself may go on."""
        self._preempt(why, self._session_began_s)

    def end_retries(self) -> None:
        """Let no further attempt begin; the one at work may finish."""
        self.no_more_attempts.set()

    @contextmanager
    def session(self) -> Iterator[None]:
        """Mark a session as working inside the block.

        Raises:
            RunStopped: It was told to end; this takes the place of whatever the stop
                broke on its way, a closed socket, say.
        """
        with self._lock:
            self._session_began_s = self._progress_s = time.monotonic()
            self._stages = StageTimes()
        try:
            yield
        except Exception as exc:  # a stop may have broken anything: it is what is told
            if (reason := self.stopped_by) is None or reason is exc:
                raise
            raise reason from exc
        finally:
            with self._lock:
                self._session_began_s = self._session_stop = None

    def note_progress(self) -> None:
        """Say that the session came further."""
        self._progress_s = time.monotonic()

    def enforce(self, limits: SessionLimits) -> None:
        """End a session that exceeds its limits; call it from time to time."""
        began_s, now_s = self._session_began_s, time.monotonic()
        if began_s is None:
            return
        if now_s - began_s > limits.deadline_s:
            message = f"the session exceeded its deadline of {limits.deadline_s:g} s"
            self._preempt(DeadlineExceeded(message), began_s)
        elif now_s - self._progress_s > limits.no_progress_s:
            message = f"the session made no progress for {limits.no_progress_s:g} s"
            self._preempt(DeadlineExceeded(message), began_s)

    def wait(self, timeout_s: float) -> None:
        """Wait, but no longer than until the run is told to end.

        Raises:
            RunStopped: The run was told to end, or to begin no further attempt.
        """
        if self.no_more_attempts.wait(timeout_s):
            self.checkpoint()
            raise RunCancelled("stopped", "stopped while it waited to work")

    def _preempt(self, why: Preempted | DeadlineExceeded, began_s: float | None) -> None:
        """End the session that began then, unless it has ended: its stop is not the next one's."""
        with self._lock:
            if began_s is None or began_s != self._session_began_s:
                return
            self._session_stop = self._session_stop or why
            closers = self._take_closers()
        _close_all(closers)

    def _take_closers(self) -> list[Callable[[], None]]:
        closers, self._closers = self._closers, []
        return closers


def _close_all(closers: list[Callable[[], None]]) -> None:
    """Call ``closers``; not under the lock, which what they close may want."""
    for close in closers:
        close()
