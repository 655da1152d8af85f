"""The gate of a database file: one writer at a time, and a count that tells readers of them.

The count is a sequence lock, as the Linux kernel has them: odd while somebody writes, and
another even number afterwards. Two equal even numbers mean that nobody has written in
between; to look costs a reader one `pread`, a fraction of the least statement. An odd number
says nothing: a writer may have committed already, or have died, and who reads must ask SQLite.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.0005, 0.01
_COUNT_BYTES = 8
_HIGHEST = (1 << 8 * _COUNT_BYTES) - 1


class GateBusyError(Exception):
    """Others were inside for longer than somebody would wait."""


class GateFullError(Exception):
    """There is no room for the count, which is of eight bytes."""


class Gate:
    """The gate as one thread has it open: closed when the thread lets go of it, or ends."""

    def __init__(self, path: Path) -> None:
        """Open the file ``path``, and make it where there is none.

        Raises:
            OSError: It cannot be opened for writing.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        weakref.finalize(self, os.close, self._descriptor).atexit = False

    @contextmanager
    def passed(self, timeout_s: float) -> Iterator[None]:
        """Be inside, alone, during the block; queue for it for at most ``timeout_s`` seconds.

        Raises:
            GateBusyError: The time is over.
        """
        deadline = time.monotonic() + timeout_s
        wait_s = _FIRST_WAIT_S
        while not self._try_lock():
            if time.monotonic() > deadline:
                raise GateBusyError
            time.sleep(wait_s)  # flock has no time-out of its own
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Tell readers that the block, inside the gate, writes.

        Raises:
            GateFullError: Nothing was begun.
        """
        writing = self.count() | 1
        try:
            self._write(writing)
        except OSError as exc:
            raise GateFullError from exc
        try:
            yield
        finally:
            with suppress(OSError):  # left odd: readers ask SQLite
                self._write((writing + 1) & _HIGHEST)

    def count(self) -> int:
        """Return the count: odd while somebody writes, and where a writer died.

        Raises:
            OSError: The file cannot be read.
        """
        # An empty file, as it is made, reads as 0.
        return int.from_bytes(os.pread(self._descriptor, _COUNT_BYTES, 0), "little")

    def _write(self, count: int) -> None:
        os.pwrite(self._descriptor, count.to_bytes(_COUNT_BYTES, "little"), 0)

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
