"""The lease of the one process that drives a resource, and its epoch.

A lease expires on the boot clock of one boot of the machine: a step of the wall
clock neither steals nor prolongs it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from archibald_sync.domain.models import OwnerLease
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    from archibald_sync.clock import Clock
    from archibald_sync.errors import StorageError
    from archibald_sync.storage.connection import Database

Q = load_queries("schedule")


class SqliteOwnerLeases:
    """The owner's lease of one resource."""

    def __init__(self, database: Database, clock: Clock, name: str) -> None:
        """Keep the lease called ``name`` in ``database``."""
        self._database = database
        self._clock = clock
        self._name = name

    def lease(self) -> OwnerLease | None:
        """Return the lease as it stands, live or not; None where nobody ever took it."""
        row = self._database.row(Q["lease"], {"name": self._name})
        if row is None:
            return None
        return OwnerLease(
            epoch=row["epoch"],
            owner=row["owner"],
            pid=row["pid"],
            boot_id=row["bootId"],
            expires_boot_ms=row["expiresBootMs"],
            has_flock=bool(row["hasFlock"]),
            acquired_at=row["acquiredAt"],
            renewed_at=row["renewedAt"],
        )

    def is_live(self, lease: OwnerLease) -> bool:
        """Return whether ``lease`` has not expired on this boot of the machine."""
        is_this_boot = lease.boot_id == self._clock.boot_id()
        return is_this_boot and lease.expires_boot_ms > self._clock.boot_ms()

    def take(self, owner: str, ttl_s: float, *, has_flock: bool) -> int | None:
        """Take the lease under a new epoch, which is returned.

        Args:
            owner: Who takes it, for people to read.
            ttl_s: For how long, unless it is renewed.
            has_flock: Whether the caller holds the lock file, which proves that the
                former holder of it is dead.

        Returns:
            The epoch; None where a live owner must be respected: without the lock any
            live one, with it one who took over while the lock was still stuck.
        """
        with self._database.transaction() as connection:
            old = self.lease()
            if old is not None and self.is_live(old) and not (has_flock and old.has_flock):
                return None
            epoch = old.epoch + 1 if old else 1
            connection.execute(
                Q["put_lease"],
                {
                    "name": self._name,
                    "epoch": epoch,
                    "owner": owner,
                    "pid": os.getpid(),
                    "bootId": self._clock.boot_id(),
                    "expiresBootMs": self._clock.boot_ms() + int(ttl_s * 1000),
                    "hasFlock": has_flock,
                    "now": self._clock.now_ms(),
                },
            )
            return epoch

    def renew(self, epoch: int, ttl_s: float, *, has_flock: bool | None = None) -> bool:
        """Prolong the lease; return False where ``epoch`` is over.

        ``has_flock`` records whether the owner holds the lock file; None leaves it.
        """
        with self._database.transaction() as connection:
            renewal = {
                "name": self._name,
                "epoch": epoch,
                "expiresBootMs": self._clock.boot_ms() + int(ttl_s * 1000),
                "hasFlock": has_flock,
                "now": self._clock.now_ms(),
            }
            return connection.execute(Q["renew_lease"], renewal).rowcount == 1

    def release(self, epoch: int) -> None:
        """Let the lease expire now, if ``epoch`` still holds it."""
        with self._database.transaction() as connection:
            connection.execute(Q["release_lease"], {"name": self._name, "epoch": epoch})

    def obstacle(self) -> StorageError | None:
        """Return what keeps everybody from writing a lease now, if anything does; never waits."""
        return self._database.obstacle()
