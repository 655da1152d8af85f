"""API keys: how machines prove who they are.

A key is random and long, so a fast hash of it is as good as a slow one. A user answers
for it: it may never do more than that user, and nothing once that user is disabled.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from archibald_sync.domain.access import KEY_MARK, KEY_SHOWN, ApiKey, Caller, CallerKind
from archibald_sync.errors import InvalidInputError, NotFoundError, StorageError

if TYPE_CHECKING:
    from archibald_sync.clock import Clock
    from archibald_sync.domain.access_ports import ApiKeys
    from archibald_sync.domain.models import Role, User
    from archibald_sync.services.accounts import AccountService

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SECRET_BYTES = 32
_MAX_SECRET = 128
_TOUCH_EVERY_MS = 60_000
_DAY_MS = 24 * 3600 * 1000
MAX_DAYS = 3650


class KeyService:
    """Makes keys, and tells who shows one."""

    def __init__(self, keys: ApiKeys, accounts: AccountService, clock: Clock) -> None:
        """Keep keys in ``keys``; ``accounts`` answer for them."""
        self._keys = keys
        self._accounts = accounts
        self._clock = clock

    def add(
        self, name: str, role: Role, maker: User, expires_in_days: int | None = None
    ) -> tuple[ApiKey, str]:
        """Add a key for which ``maker`` answers; return it with its secret, shown only now.

        Raises:
            InvalidInputError: The name does not fit or is taken, the role is more than
                the maker's, or the days are out of bounds.
        """
        if not _NAME.fullmatch(name):
            expected = "expected 1 to 64 letters, digits, dots, dashes, underscores or @"
            raise InvalidInputError("name", expected)
        if not maker.role.includes(role):
            raise InvalidInputError("role", f"expected at most {maker.role}, as {maker.name} is")
        if expires_in_days is not None and not 1 <= expires_in_days <= MAX_DAYS:
            raise InvalidInputError("expiresInDays", f"expected 1 to {MAX_DAYS} days")
        secret = KEY_MARK + secrets.token_urlsafe(_SECRET_BYTES)
        now = self._clock.now_ms()
        expires_at = None if expires_in_days is None else now + expires_in_days * _DAY_MS
        key = ApiKey(0, name, secret[:KEY_SHOWN], role, maker.id, now, expires_at)
        return self._keys.add(key, _digest(secret)), secret

    def caller(self, secret: str) -> Caller | None:
        """Return who shows this secret; None where it is unknown or no longer counts."""
        key = self._keys.find(_digest(secret)) if len(secret) <= _MAX_SECRET else None
        if key is None or not self._is_in_force(key):
            return None
        user = self._accounts.current_user(key.user_id)
        if user is None:
            return None
        self._touch(key)
        role = key.role if user.role.includes(key.role) else user.role
        return Caller(CallerKind.KEY, f"key-{key.id}", f"key:{key.name}", role, user.id)

    def all_keys(self) -> list[ApiKey]:
        """Return all keys, also revoked ones, the newest first."""
        return self._keys.keys()

    def revoke(self, key_id: int) -> ApiKey:
        """End a key at once; return it.

        Raises:
            NotFoundError: There is no such key in force.
        """
        if not self._keys.revoke(key_id, self._clock.now_ms()):
            raise NotFoundError("there is no such key in force")
        key = self._keys.key(key_id)
        if key is None:  # pragma: no cover  # keys are never deleted
            raise NotFoundError("there is no such key")
        return key

    def revoke_by_name(self, name: str) -> ApiKey:
        """End the key in force that has this name.

        Raises:
            NotFoundError: There is none.
        """
        for key in self.all_keys():
            if key.revoked_at is None and key.name.casefold() == name.casefold():
                return self.revoke(key.id)
        raise NotFoundError(f"no key {name!r} in force; `archibald-sync key list` shows all")

    def _is_in_force(self, key: ApiKey) -> bool:
        is_expired = key.expires_at is not None and key.expires_at <= self._clock.now_ms()
        return key.revoked_at is None and not is_expired

    def _touch(self, key: ApiKey) -> None:
        """Keep when a key was last used, to the minute; a full disk locks no machine out."""
        now = self._clock.now_ms()
        # A clock that was set back must not leave an instant of the future standing.
        if key.last_used_at is None or abs(now - key.last_used_at) >= _TOUCH_EVERY_MS:
            with suppress(StorageError):
                self._keys.touch(key.id, now)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
