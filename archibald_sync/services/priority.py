"""Foreground work goes first: while a lease is held, no sync works.

Leases are counted, owned, limited in time and kept in the database, so that every
process sees them and a lost one ends by itself. Taking one never waits for a sync.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archibald_sync.errors import InvalidInputError, NotFoundError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from archibald_sync.domain.models import PriorityLease
    from archibald_sync.domain.schedule_ports import PriorityLeases

MAX_TTL_S = 600
MAX_WAIT_S = 10
MAX_TEXT = 200
# A sign that can be seen must be in it: neither blank nor control character. Python, ECMAScript
# and Rust differ in what \s is; with these beside it they agree.
OWNER_PATTERN = r"^[\s\S]*[^\s\x00-\x1f\x7f-\xa0\ufeff]"
OWNER_EXPECTED = f"expected 1 to {MAX_TEXT} characters, not all of them blank"
_POLL_S = 0.05


class PriorityManager:
    """Takes, renews and ends priority leases."""

    def __init__(self, leases: PriorityLeases, is_quiet: Callable[[], bool]) -> None:
        """Keep leases in ``leases``; ``is_quiet`` says whether no sync is at work now."""
        self._leases = leases
        self._is_quiet = is_quiet

    def take(
        self, owner: str, reason: str, ttl_s: float = 60, idempotency_key: str | None = None
    ) -> PriorityLease:
        """Take a lease; returns at once, however busy a sync is.

        Args:
            owner: Who holds it: a person or a program, 1 to 200 characters, one
                at least that can be seen.
            reason: What for, up to 200 characters.
            ttl_s: After how many seconds it ends by itself: 1 to 600.
            idempotency_key: While the lease that was taken with it is held, that one is
                the answer: who asks twice does not hold two.

        Raises:
            InvalidInputError: An argument is out of range.
            KeyReusedError: That lease was taken with another owner, reason or time.
        """
        if len(owner) > MAX_TEXT or not re.match(OWNER_PATTERN, owner):
            raise InvalidInputError("owner", OWNER_EXPECTED)
        if len(reason) > MAX_TEXT:
            raise InvalidInputError("reason", f"expected at most {MAX_TEXT} characters")
        return self._leases.take(owner, reason, _valid_ttl(ttl_s), idempotency_key)

    def renew(self, lease_id: str, ttl_s: float = 60) -> PriorityLease:
        """Prolong a lease to ``ttl_s`` seconds from now.

        Raises:
            InvalidInputError: ``ttl_s`` is out of range.
            NotFoundError: The lease is unknown, released or expired.
        """
        return self._leases.renew(lease_id, _valid_ttl(ttl_s))

    def release(self, lease_id: str) -> bool:
        """End a lease; return whether it was still held."""
        return self._leases.release(lease_id)

    def held(self) -> list[PriorityLease]:
        """Return the leases in force, the oldest first."""
        return self._leases.held()

    def is_quiet(self) -> bool:
        """Return whether no sync is at work now."""
        return self._is_quiet()

    def wait_until_quiet(self, wait_s: float) -> bool:
        """Wait for at most ``wait_s`` seconds until no sync is at work; return whether so.

        Raises:
            InvalidInputError: ``wait_s`` is not between 0 and 10.
        """
        if not 0 <= wait_s <= MAX_WAIT_S:
            raise InvalidInputError("waitSeconds", f"expected 0 to {MAX_WAIT_S}")
        deadline = time.monotonic() + wait_s
        pause = threading.Event()
        while not (quiet := self._is_quiet()) and time.monotonic() < deadline:
            pause.wait(_POLL_S)
        return quiet

    @contextmanager
    def hold(self, owner: str, reason: str = "", ttl_s: float = 60) -> Iterator[PriorityLease]:
        """Hold a lease inside the block, renewed for as long as this process lives.

        Should the process die, the lease ends ``ttl_s`` seconds after its last renewal.
        """
        lease = self.take(owner, reason, ttl_s)
        done = threading.Event()
        renewer = threading.Thread(
            target=self._keep, args=(lease.id, ttl_s, done), name="priority-renewal", daemon=True
        )
        renewer.start()
        try:
            yield lease
        finally:
            done.set()
            renewer.join()
            self.release(lease.id)

    def _keep(self, lease_id: str, ttl_s: float, done: threading.Event) -> None:
        while not done.wait(ttl_s / 3):
            try:
                self._leases.renew(lease_id, ttl_s)
            except NotFoundError:
                return  # an admin released it
            except StorageError:
                continue  # two more renewals fit into what is left of the lease


def _valid_ttl(ttl_s: float) -> float:
    if not 1 <= ttl_s <= MAX_TTL_S:
        raise InvalidInputError("ttlSeconds", f"expected 1 to {MAX_TTL_S}")
    return ttl_s
