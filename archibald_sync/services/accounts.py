"""Who may do what: users, passwords, roles.

Whatever changes what a user may do ends all tokens of that user at once.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from archibald_sync.domain.models import Role
from archibald_sync.errors import (
    AuthError,
    InvalidInputError,
    LoginThrottledError,
    NotFoundError,
    RefusedError,
    StorageError,
)
from archibald_sync.services.passwords import Passwords, generated_password

if TYPE_CHECKING:
    from archibald_sync.domain.access_ports import Accounts
    from archibald_sync.domain.models import User

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class AccountService:
    """Adds users, checks their passwords and changes what they may do."""

    def __init__(self, accounts: Accounts, passwords: Passwords | None = None) -> None:
        """Keep users in ``accounts``."""
        self._accounts = accounts
        self._passwords = passwords or Passwords()

    def add_user(self, name: str, role: Role, password: str | None = None) -> tuple[User, str]:
        """Add a user; return it with its password, which is generated where none is given.

        Raises:
            InvalidInputError: The name or the password does not fit, or the name is taken.
        """
        if not _NAME.fullmatch(name):
            expected = "expected 1 to 64 letters, digits, dots, dashes, underscores or @"
            raise InvalidInputError("name", expected)
        password = generated_password() if password is None else password
        return self._accounts.add_user(name, self._passwords.hashed(password), role), password

    def log_in(self, name: str, password: str) -> User:
        """Return the user whose password this is.

        Raises:
            AuthError: Name or password is wrong, or the user is disabled; which of them
                is not told, and an unknown name takes as long as a wrong password.
            LoginThrottledError: Too many log in right now.
        """
        user = self._accounts.user(name)
        known = self._accounts.password_hash(user.id) if user else None
        if not self._passwords.fits(known, password) or user is None or user.is_disabled:
            raise AuthError("name or password is wrong")
        if known is not None and self._passwords.is_outdated(known):
            # It can wait for another login: nobody stays out because a sync commits.
            with suppress(StorageError, LoginThrottledError):
                self._accounts.rehash(user.id, known, self._passwords.hashed(password))
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

    def account(self, name: str) -> User:
        """Return the user of this name, whether disabled or not.

        Raises:
            NotFoundError: There is none.
        """
        user = self._accounts.user(name)
        if user is None:
            raise NotFoundError(f"no user {name!r}; `archibald-sync user list` shows all")
        return user

    def change_password(self, user: User, new: str) -> None:
        """Give a user, who has proved the old one, another password.

        Args:
            user: As it was when the old password was looked at: a password that an admin
                has set since stays, and so does a user disabled.
            new: The other password.

        Raises:
            InvalidInputError: The new one does not fit.
            AuthError: The old one, or the user's right, has been changed meanwhile.
        """
        hashed = self._passwords.hashed(new, "newPassword")
        if not self._accounts.change_password_hash(user.id, user.token_generation, hashed):
            raise AuthError("the password or the role has been changed meanwhile")

    def reset_password(self, name: str, password: str | None = None) -> str:
        """Give a user another password and return it; it is generated where none is given.

        Raises:
            NotFoundError: There is no such user.
            InvalidInputError: The password does not fit.
        """
        user = self.account(name)
        password = generated_password() if password is None else password
        self._accounts.set_password_hash(user.id, self._passwords.hashed(password))
        return password

    def set_role(self, name: str, role: Role) -> User:
        """Give a user another role; nothing happens where it has that role.

        Raises:
            NotFoundError: There is no such user.
            RefusedError: It is the last enabled admin.
        """
        user = self.account(name)
        if user.role is not role and not self._accounts.set_role(user.id, role):
            raise _last_admin()
        return self.account(name)

    def disable_user(self, name: str) -> User:
        """Disable a user.

        Raises:
            NotFoundError: There is no such user.
            RefusedError: It is the last enabled admin.
        """
        user = self.account(name)
        if not user.is_disabled and not self._accounts.disable_user(user.id):
            raise _last_admin()
        return self.account(name)

    def enable_user(self, name: str) -> User:
        """Let a disabled user in again, with the password of before but no token.

        Raises:
            NotFoundError: There is no such user.
        """
        user = self.account(name)
        if user.is_disabled:
            self._accounts.enable_user(user.id)
        return self.account(name)

    def users(self) -> list[User]:
        """Return all users by name."""
        return self._accounts.users()

    def is_last_admin(self, user: User) -> bool:
        """Return whether nobody could manage users without ``user``; told before one tries."""
        admins = [
            one for one in self.users() if one.role.includes(Role.ADMIN) and not one.is_disabled
        ]
        return [one.id for one in admins] == [user.id]


def _last_admin() -> RefusedError:
    return RefusedError("last_admin", "this is the last admin; add another one first")
