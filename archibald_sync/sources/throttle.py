"""How many requests a server bears at once: fewer each time it says 429."""

from __future__ import annotations

import threading
import time
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_REFUSALS = 3
MAX_PAUSE_S = 60.0
_SHORTEST_PAUSE_S = 0.5


class Throttle:
    """Lets at most ``limit`` requests be open, and none while the server wants a pause."""

    def __init__(self, limit: int) -> None:
        """Begin with ``limit`` requests at once."""
        self.limit = limit
        self._changed = threading.Condition()
        self._open = 0
        self._slowed_at_s = self._resume_at_s = 0.0
        self._is_over = False

    @contextmanager
    def turn(self) -> Iterator[float]:
        """Wait for a turn; give the moment at which it began, in monotonic seconds.

        Raises:
            CancelledError: ``end`` was called.
        """
        with self._changed:
            self._await_turn()
            self._open += 1
        try:
            yield time.monotonic()
        finally:
            with self._changed:
                self._open -= 1
                self._changed.notify_all()

    def slow_down(self, began_s: float, refusals: int, retry_after_s: float | None) -> bool:
        """Halve the limit and pause; return False where waiting would not help.

        Args:
            began_s: When the refused request began: one that began before the limit
                was last halved says nothing new.
            refusals: How often this request was refused by now.
            retry_after_s: How long the server asks to wait, if it does.
        """
        least_s = _SHORTEST_PAUSE_S * 2 ** (refusals - 1)
        pause_s = max(retry_after_s or 0.0, least_s)
        if refusals > MAX_REFUSALS or pause_s > MAX_PAUSE_S:
            return False
        with self._changed:
            now_s = time.monotonic()
            if began_s >= self._slowed_at_s:
                self.limit = max(self.limit // 2, 1)
                self._slowed_at_s = now_s
            self._resume_at_s = max(self._resume_at_s, now_s + pause_s)
        return True

    def end(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _await_turn(self) -> None:
        while not self._is_over:
            pause_s = self._resume_at_s - time.monotonic()
            if pause_s <= 0 and self._open < self.limit:
                return
            self._changed.wait(pause_s if pause_s > 0 else None)
        raise CancelledError
