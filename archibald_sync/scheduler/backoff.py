"""How long to leave alone what failed: a moment at first, then ever longer, until it works."""

from __future__ import annotations

import time
from enum import StrEnum

_FIRST_S, _LONGEST_S = 0.25, 4.0


class Task(StrEnum):
    """What this process does again and again, each with a patience of its own."""

    TICK = "tick"
    RENEW = "renew"
    LISTEN = "listen"
    SUPERVISE = "supervise"
    FOLLOW_CLOCK = "followClock"
    RUN = "run"
    WORK = "work"
    INDEX = "index"


class Backoff:
    """The patience with one thing that is tried again and again."""

    def __init__(self) -> None:
        """Begin without a failure."""
        self._failures = 0
        self._until_s = 0.0

    @property
    def remaining_s(self) -> float:
        """Return how long to wait before the next try; 0 means try now."""
        return max(self._until_s - time.monotonic(), 0.0)

    def fail(self) -> bool:
        """Note a failure; return whether it is worth a word (1st, 2nd, 4th, 8th …)."""
        self._failures += 1
        pause_s = min(_FIRST_S * 2 ** min(self._failures - 1, 10), _LONGEST_S)
        self._until_s = time.monotonic() + pause_s
        return self._failures.bit_count() == 1

    def succeed(self) -> None:
        """Note that it works."""
        self._failures = 0
        self._until_s = 0.0
