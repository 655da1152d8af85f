"""Who may do what: users, passwords, roles."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    from archibald_sync.domain.models import User
    from archibald_sync.domain.ports import Accounts

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_MIN_PASSWORD, _MAX_PASSWORD = 12, 256


class AccountService:
    """Adds users and checks their passwords."""

    def __init__(self, accounts: Accounts) -> None:
        """Keep users in ``accounts``."""
        self._accounts = accounts
        self._hasher = PasswordHasher()
        self._dummy_hash: str | None = None

    def add_user(self, name: str, role: Role, password: str | None = None) -> tuple[User, str]:
        """Add a user; return it with its password, which is generated where none is given.

        Raises:
            InvalidInputError: The name or the password does not fit, or the name is taken.
        """
        if not _NAME.fullmatch(name):
            expected = "expected 1 to 64 letters, digits, dots, dashes, underscores or @"
            raise InvalidInputError("name", expected)
        password = secrets.token_urlsafe(18) if password is None else password
        if not _MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
            expected = f"expected {_MIN_PASSWORD} to {_MAX_PASSWORD} characters"
            raise InvalidInputError("password", expected)
        return self._accounts.add_user(name, self._hasher.hash(password), role), password

    def log_in(self, name: str, password: str) -> User:
        """Return the user whose password this is.

        Raises:
            AuthError: Name or password is wrong, or the user is disabled; which of them
                is not told, and an unknown name takes as long as a wrong password.
        """
        user = self._accounts.user(name)
        known = self._accounts.password_hash(user.id) if user else self._dummy()
        if not self._fits(known, password) or user is None or user.is_disabled:
            raise AuthError("name or password is wrong")
        if self._hasher.check_needs_rehash(known):
            self._accounts.set_password_hash(user.id, self._hasher.hash(password))
        return user

    def current_user(self, user_id: int) -> User | None:
        """Return the user with this id as it is now; None where gone or disabled."""
        user = self._accounts.user_by_id(user_id)
        return None if user is None or user.is_disabled else user

    def user(self, name: str) -> User:
        """Return the user of this name.

        Raises:
            NotFoundError: There is none, or it is disabled.
        """
        user = self._accounts.user(name)
        if user is None or user.is_disabled:
            raise NotFoundError(f"no enabled user {name!r}; `archibald-sync user list` shows all")
        return user

    def disable_user(self, name: str) -> None:
        """Disable a user.

        Raises:
            NotFoundError: There is no such enabled user.
            InvalidInputError: It is the last enabled admin.
        """
        user = self.user(name)
        admins = [u for u in self._accounts.users() if u.role is Role.ADMIN and not u.is_disabled]
        if admins == [user]:
            raise InvalidInputError("name", "this is the last admin; add another one first")
        self._accounts.disable_user(user.id)

    def users(self) -> list[User]:
        """Return all users by name."""
        return self._accounts.users()

    def _fits(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password[: _MAX_PASSWORD + 1])
        except (VerificationError, InvalidHashError):
            return False

    def _dummy(self) -> str:
        if self._dummy_hash is None:
            self._dummy_hash = self._hasher.hash(secrets.token_urlsafe(18))
        return self._dummy_hash
