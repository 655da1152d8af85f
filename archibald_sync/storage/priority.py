"""Priority leases, in a database of their own.

An order never waits for a sync: a sync's commit may hold the main database's write
lock for seconds, and this one never.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import PriorityLease
from archibald_sync.errors import KeyReusedError, NotFoundError
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from archibald_sync.clock import Clock
    from archibald_sync.storage.connection import Database

Q = load_queries("priority")

# By less than this two clocks may differ that are read one after the other.
_STEP_MS = 1000
_ASKED = frozenset({"owner", "reason", "askedTtlMs"})  # what one asks for who takes a lease


class SqlitePriorityLeases:
    """The priority leases of this instance."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep leases in ``database``, which holds nothing else."""
        self._database = database
        self._clock = clock

    def take(
        self, owner: str, reason: str, ttl_s: float, idempotency_key: str | None = None
    ) -> PriorityLease:
        """Take a lease for ``ttl_s`` seconds; the same key gives the one still held.

        Raises:
            KeyReusedError: That one was taken with other values.
        """
        lease_id = secrets.token_urlsafe(12)
        taken_at, ttl_ms = self._clock.now_ms(), int(ttl_s * 1000)
        expires_at = taken_at + ttl_ms
        taken = {
            "id": lease_id,
            "owner": owner,
            "reason": reason,
            "takenAt": taken_at,
            "expiresBootMs": self._clock.boot_ms() + ttl_ms,
            "expiresAt": expires_at,
            "bootId": self._clock.boot_id(),
            "idempotencyKey": idempotency_key,
            "askedTtlMs": ttl_ms,
        }
        with self._database.transaction() as connection:
            connection.execute(Q["prune"], self._now())
            if idempotency_key is not None:
                row = connection.execute(Q["by_key"], taken).fetchone()
                if row is not None:
                    return self._lease_of_same(row, taken)
            connection.execute(Q["insert"], taken)
        return PriorityLease(lease_id, owner, reason, taken_at, expires_at)

    def renew(self, lease_id: str, ttl_s: float) -> PriorityLease:
        """Prolong a lease to ``ttl_s`` seconds from now.

        Raises:
            NotFoundError: It is unknown, released or expired.
        """
        ttl_ms = int(ttl_s * 1000)
        renewal = {
            "id": lease_id,
            "expiresBootMs": self._clock.boot_ms() + ttl_ms,
            "expiresAt": self._clock.now_ms() + ttl_ms,
        }
        with self._database.transaction() as connection:
            if not connection.execute(Q["renew"], self._now() | renewal).rowcount:
                raise NotFoundError(f"no priority lease {lease_id} is held; take a new one")
            return next(lease for lease in self.held() if lease.id == lease_id)

    def release(self, lease_id: str) -> bool:
        """End a lease; return whether it was still held."""
        with self._database.transaction() as connection:
            ended = connection.execute(Q["release"], self._now() | {"id": lease_id})
            return bool(ended.rowcount)

    def held(self) -> list[PriorityLease]:
        """Return the leases in force, the oldest first."""
        return [self._lease(row) for row in self._database.rows(Q["held"], self._now())]

    def _lease_of_same(self, row: sqlite3.Row, asked: Mapping[str, object]) -> PriorityLease:
        """Return the lease of ``row``, if what is asked now is what was asked then."""
        is_of_before = row["askedTtlMs"] is None
        names = _ASKED - {"askedTtlMs"} if is_of_before else _ASKED
        if any(row[name] != asked[name] for name in names):
            raise KeyReusedError
        return self._lease(row)

    def _lease(self, row: sqlite3.Row) -> PriorityLease:
        return PriorityLease(
            row["id"], row["owner"], row["reason"], row["takenAt"], self._expires_at(row)
        )

    def _now(self) -> dict[str, Any]:
        return {"bootId": self._clock.boot_id(), "bootMs": self._clock.boot_ms()}

    def _expires_at(self, row: sqlite3.Row) -> int:
        """Return when a lease ends as wall time, for people to read: always the same.

        Where the wall clock was stepped since, what was told is not true any more.
        """
        told: int | None = row["expiresAt"]
        expires_at: int = row["expiresBootMs"] + self._clock.offset_ms()
        if told is not None and abs(expires_at - told) < _STEP_MS:
            return told
        return expires_at
