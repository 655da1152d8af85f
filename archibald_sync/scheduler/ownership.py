"""One process owns a resource: an flock as death probe, a lease, and an epoch.

The lock frees at once when its holder dies, however it dies, but a stopped process
keeps it for ever; the lease runs out then. Whoever takes over raises the epoch, which
fences every later write of the former owner. The lock file is never unlinked.
"""

from __future__ import annotations

import fcntl
import os
import socket
from typing import TYPE_CHECKING

from archibald_sync.domain.policy import OWNER_LEASE_TTL_S

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.schedule_ports import OwnerLeases


class Ownership:
    """This process's claim to be the owner of one resource."""

    def __init__(
        self, lock_path: Path, leases: OwnerLeases, *, ttl_s: float = OWNER_LEASE_TTL_S
    ) -> None:
        """Compete for the lock file ``lock_path`` and the lease in ``leases``."""
        self._lock_path = lock_path
        self._leases = leases
        self._ttl_s = ttl_s
        self._lock_fd: int | None = None
        self.epoch: int | None = None

    def seek(self) -> bool:
        """Try to become the owner; return whether this process has just become it.

        Raises:
            StorageError: The lease could not be read or written.
        """
        if self.epoch is not None:
            return False
        has_flock = self._try_lock()
        try:
            if self._must_respect_owner(has_flock=has_flock):
                return False
            name = f"{socket.gethostname()}:{os.getpid()}"
            self.epoch = self._leases.take(name, self._ttl_s, has_flock=has_flock)
        finally:
            if self.epoch is None:
                self._unlock()
        return self.epoch is not None

    def renew(self) -> bool:
        """Prolong the lease; return False where another process has taken over.

        Raises:
            StorageError: The lease could not be written.
        """
        if self.epoch is None:
            return False
        has_flock = self._lock_fd is not None or self._try_lock()
        if self._leases.renew(self.epoch, self._ttl_s, has_flock=has_flock):
            return True
        self.let_go()
        return False

    def let_go(self) -> None:
        """Stop being the owner without a word: another process has taken over."""
        self.epoch = None
        self._unlock()

    def release(self) -> None:
        """Stop being the owner, so that another process can take over at once.

        Raises:
            StorageError: The lease could not be written; the lock is freed all the same.
        """
        epoch, self.epoch = self.epoch, None
        try:
            if epoch is not None:
                self._leases.release(epoch)
        finally:
            self._unlock()

    def forget(self) -> None:
        """Drop what a forked child has inherited; the parent's lock stays held."""
        self.let_go()

    def _must_respect_owner(self, *, has_flock: bool) -> bool:
        """Look before writing: candidates ask every second."""
        lease = self._leases.lease()
        if lease is None or not self._leases.is_live(lease):
            return False
        return not (has_flock and lease.has_flock)

    def _try_lock(self) -> bool:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._lock_path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._lock_fd = descriptor
        return True

    def _unlock(self) -> None:
        """Close the descriptor; the lock ends with the last copy of it."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None
