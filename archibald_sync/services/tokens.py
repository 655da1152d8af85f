"""Logins and what follows from them: refresh tokens that count once, and logging out."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from archibald_sync.errors import AuthError

if TYPE_CHECKING:
    from archibald_sync.clock import Clock
    from archibald_sync.domain.access_ports import TokenFamilies

ACCESS_TTL_S = 15 * 60
REFRESH_TTL_S = 12 * 3600
LOGIN_TTL_S = 30 * 24 * 3600


class ReusedTokenError(AuthError):
    """A refresh token was shown twice: one of the two who did stole it."""


class TokenService:
    """Follows each login from token to token."""

    def __init__(self, families: TokenFamilies, clock: Clock) -> None:
        """Keep logins in ``families``."""
        self._families = families
        self._clock = clock

    @staticmethod
    def new_family() -> str:
        """Return the name of a login that is about to begin."""
        return secrets.token_urlsafe(12)

    def begin(self, family: str, user_id: int, token_id: str) -> None:
        """Record a login, whose first refresh token is ``token_id``."""
        self._families.begin(family, user_id, token_id, expires_at=self._expiry())

    def last_logins(self) -> dict[int, int]:
        """Return when each user logged in for the last time, by user id; nobody who never did."""
        return self._families.last_logins()

    def rotate(self, family: str, old_id: str, new_id: str) -> None:
        """Let the refresh token ``new_id`` take the place of ``old_id``.

        Raises:
            ReusedTokenError: ``old_id`` had been replaced before: the login has ended.
            AuthError: The login has ended, or is older than `LOGIN_TTL_S` seconds.
        """
        began_at = self._families.began_at(family)
        if began_at is None:
            raise AuthError("this login has ended; log in again")
        if self._clock.now_ms() - began_at > LOGIN_TTL_S * 1000:
            self._families.revoke_family(family)
            raise AuthError("this login is too old; log in again")
        if not self._families.rotate(family, old_id, new_id, expires_at=self._expiry()):
            self._families.revoke_family(family)
            raise ReusedTokenError("this refresh token was used before; log in again")

    def end(self, token_id: str, expires_at: int, family: str | None) -> None:
        """End a login, or the one token ``token_id`` where it belongs to none."""
        if family is None:
            self._families.revoke_token(token_id, expires_at)
        else:
            self._families.revoke_family(family)

    def is_live(self, token_id: str, family: str | None) -> bool:
        """Return whether neither the token nor its login has been ended."""
        return self._families.is_live(token_id, family)

    def require_readable(self) -> None:
        """Make sure that logins can be read now; what is remembered of them does not count.

        Raises:
            StorageError: They cannot.
        """
        self._families.began_at("")

    def _expiry(self) -> int:
        return self._clock.now_ms() + REFRESH_TTL_S * 1000
