"""Tells whoever listens in this process when the status of a resource changes.

One thread watches for all listeners. It begins with the first and ends after the last:
a process to which nobody listens pays nothing.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archibald_sync.errors import ArchibaldSyncError
from archibald_sync.logs import ComponentLogger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOOK_EVERY_S = 0.25
# What the passing of time changes is written by nobody: a lease that ends, a catalogue
# that grows old.
_READ_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Happening:
    """A status, and an id that is the same in every process for the same status."""

    id: str
    status: Mapping[str, Any]


class StatusFeed:
    """The status of one resource, for those who wait for it to change."""

    def __init__(
        self,
        read: Callable[[], Mapping[str, Any]],
        has_changed: Callable[[], bool],
        close: Callable[[], None],
    ) -> None:
        """Prepare; no thread runs before somebody listens.

        Args:
            read: Returns the status.
            has_changed: Returns cheaply whether anything was written since it was last
                asked in the same thread.
            close: Frees what the watching thread has opened; called at its end.
        """
        self._read = read
        self._has_changed = has_changed
        self._close = close
        self._changed = threading.Condition()
        self._listeners: set[Listener] = set()
        self._watch_id = 0
        self._latest: Happening | None = None
        self._is_told_to_stop = False
        self._log = ComponentLogger("Feed")

    @property
    def listener_count(self) -> int:
        """Return how many listen now."""
        return len(self._listeners)

    def listen(self) -> Listener:
        """Return a new listener; it must be closed."""
        with self._changed:
            listener = Listener(self)
            self._listeners.add(listener)
            if len(self._listeners) == 1:
                self._begin()
            return listener

    def request_stop(self) -> None:
        """Let every listener end soon; no more than a flag, fit for a signal handler."""
        self._is_told_to_stop = True

    def resume(self) -> None:
        """Let listeners listen again after a stop."""
        self._is_told_to_stop = False

    def _leave(self, listener: Listener) -> None:
        with self._changed:
            self._listeners.discard(listener)
            if not self._listeners:
                self._end()

    def _wait(self, listener: Listener, timeout_s: float) -> Happening | None:
        """Return what ``listener`` has not seen yet, as soon as there is something."""

        def is_due() -> bool:
            return listener.is_over or self._latest is not listener.seen

        with self._changed:
            self._changed.wait_for(is_due, timeout_s)
            if listener.is_over or self._latest is listener.seen:
                return None
            listener.seen = self._latest
            return self._latest

    def _begin(self) -> None:
        self._watch_id += 1
        self._latest = None
        watch = threading.Thread(
            target=self._watch, args=(self._watch_id,), name="status-feed", daemon=True
        )
        watch.start()

    def _end(self) -> None:
        """Let the watching thread end, and all who listen to it."""
        self._watch_id += 1
        self._latest = None
        for listener in self._listeners:
            listener.is_over = True
        self._listeners.clear()
        self._changed.notify_all()

    def _watch(self, watch_id: int) -> None:
        read_s = float("-inf")
        try:
            while self._watch_id == watch_id and not self._is_told_to_stop:
                now_s = time.monotonic()
                if self._is_news() or now_s - read_s >= _READ_EVERY_S:
                    read_s = now_s
                    self._look(watch_id)
                with self._changed:
                    self._changed.wait_for(lambda: self._watch_id != watch_id, _LOOK_EVERY_S)
        finally:
            with self._changed:
                if self._watch_id == watch_id:
                    self._end()
            self._close()

    def _is_news(self) -> bool:
        try:
            return self._has_changed()
        except ArchibaldSyncError:
            return False  # reading the status finds and tells what is wrong

    def _look(self, watch_id: int) -> None:
        """Read the status, and tell it where it is another one than before."""
        try:
            status = self._read()
        except ArchibaldSyncError as exc:
            self._log.warning("Status not read: %s", exc, extra={"code": exc.code})
            return
        happening = Happening(_id_of(status), status)
        with self._changed:
            latest = self._latest
            if self._watch_id == watch_id and (latest is None or latest.id != happening.id):
                self._latest = happening
                self._changed.notify_all()


class Listener:
    """One who waits for the status to change; a context manager that closes it."""

    def __init__(self, feed: StatusFeed) -> None:
        """Listen to ``feed``, which makes its listeners itself."""
        self._feed = feed
        self.seen: Happening | None = None
        self.is_over = False

    def wait(self, timeout_s: float) -> Happening | None:
        """Return the status when it is another one than this listener has seen.

        The first one comes at once. None: nothing changed for ``timeout_s`` seconds, or
        the feed has ended, which ``is_over`` tells.
        """
        return self._feed._wait(self, timeout_s)  # noqa: SLF001  # two halves of one thing

    def close(self) -> None:
        """Listen no more; may be called again."""
        self._feed._leave(self)  # noqa: SLF001  # two halves of one thing


def _id_of(status: Mapping[str, Any]) -> str:
    """Return a short hash of what a status says, but for what only the asking changes."""
    owner = {**(status["owner"] or {}), "heartbeatAgeMs": None}
    content = json.dumps({**status, "owner": owner}, sort_keys=True, default=str)
    return hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
