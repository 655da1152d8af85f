"""Hashing and checking passwords, so slowly that guessing does not pay.

Slow also for us: only so many are hashed at once in a process, and only so many wait.
A flood of logins then meets a refusal, and not all threads of the service.
"""

from __future__ import annotations

import secrets
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from archibald_sync.errors import InvalidInputError, LoginThrottledError

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_PASSWORD, MAX_PASSWORD = 12, 256

_AT_ONCE, _WAITING = 2, 2
_LONGEST_WAIT_S = 5.0
_RETRY_AFTER_S = 1


class Passwords:
    """Hashes with Argon2id, a few at a time."""

    def __init__(
        self,
        hasher: PasswordHasher | None = None,
        *,
        at_once: int = _AT_ONCE,
        waiting: int = _WAITING,
    ) -> None:
        """Hash ``at_once`` passwords at a time while ``waiting`` more may wait for it."""
        self._hasher = hasher or PasswordHasher()
        self._entrance = threading.BoundedSemaphore(at_once + waiting)
        self._places = threading.BoundedSemaphore(at_once)
        self._nobodys: str | None = None

    def hashed(self, password: str, field: str = "password") -> str:
        """Return the hash of a new password, which the input ``field`` holds.

        Raises:
            InvalidInputError: It is too short or too long.
            LoginThrottledError: Too many are hashed right now.
        """
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            expected = f"expected {MIN_PASSWORD} to {MAX_PASSWORD} characters"
            raise InvalidInputError(field, expected)
        with self.place():
            return self._hasher.hash(password)

    def fits(self, known: str | None, password: str) -> bool:
        """Return whether ``password`` hashes to ``known``; None fits nothing, as slowly.

        Raises:
            LoginThrottledError: Too many are checked right now.
        """
        with self.place():
            nobodys = self._nobodys_hash()
            try:
                self._hasher.verify(known or nobodys, password[: MAX_PASSWORD + 1])
            except (VerificationError, InvalidHashError):
                return False
        return known is not None

    def is_outdated(self, known: str) -> bool:
        """Return whether a hash was made with other parameters than one made now."""
        return self._hasher.check_needs_rehash(known)

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take one of the places where hashing is done.

        Raises:
            LoginThrottledError: None became free, or too many wait already.
        """
        if not self._entrance.acquire(blocking=False):
            raise LoginThrottledError(_RETRY_AFTER_S)
        try:
            if not self._places.acquire(timeout=_LONGEST_WAIT_S):
                raise LoginThrottledError(_RETRY_AFTER_S)
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._entrance.release()

    def _nobodys_hash(self) -> str:
        """Return the hash of a password that nobody has; made with the first login of all."""
        if self._nobodys is None:
            self._nobodys = self._hasher.hash(generated_password())
        return self._nobodys


def generated_password() -> str:
    """Return a new password of 144 random bits."""
    return secrets.token_urlsafe(18)
