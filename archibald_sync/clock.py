"""The two clocks that everything here is timed by.

Wall time (milliseconds since the epoch, UTC) is for people and schedules; it can
be stepped at any moment. Boot time runs evenly since the machine started, also
through suspend, and is the same for every process: leases expire by it.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path
from typing import Protocol

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
# macOS (development only) has no CLOCK_BOOTTIME; its CLOCK_MONOTONIC stands in.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """What time it is, for people and for leases."""

    def now_ms(self) -> int:
        """Return wall time: milliseconds since the epoch, UTC."""

    def boot_ms(self) -> int:
        """Return milliseconds since the machine booted; never steps."""

    def offset_ms(self) -> int:
        """Return wall time minus boot time: it changes only when the wall clock is stepped."""

    def boot_id(self) -> str:
        """Return what tells this boot of the machine from every other."""


class SystemClock:
    """The machine's own clocks."""

    def now_ms(self) -> int:
        """Return wall time: milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def boot_ms(self) -> int:
        """Return milliseconds since the machine booted; never steps."""
        return time.clock_gettime_ns(_BOOT_CLOCK) // 1_000_000

    def offset_ms(self) -> int:
        """Return wall time minus boot time: it changes only when the wall clock is stepped."""
        return self.now_ms() - self.boot_ms()

    def boot_id(self) -> str:
        """Return the kernel's random boot id; a constant where there is none."""
        return _boot_id()


@cache
def _boot_id() -> str:
    try:
        return _BOOT_ID_FILE.read_text().strip()
    except OSError:
        return "unknown-boot"
