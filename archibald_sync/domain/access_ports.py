"""What the services of access need from the outside, as protocols; adapters fulfil them.

A write method joins the transaction that its thread has open, else it makes one of its
own. All but the users stand in a database of their own, which no sync writes to: what an
order needs never waits for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.access import (
        Act,
        ApiKey,
        AuditEntry,
        AuditFilter,
        Failures,
        Patience,
    )
    from archibald_sync.domain.models import Role, User


class Accounts(Protocol):
    """Users and their passwords.

    Whatever changes what a user may do ends all tokens of that user at once.
    """

    def add_user(self, name: str, password_hash: str, role: Role) -> User:
        """Add a user.

        Raises:
            InvalidInputError: The name is taken.
        """

    def user(self, name: str) -> User | None:
        """Return the user of this name, whatever its case."""

    def user_by_id(self, user_id: int) -> User | None:
        """Return the user with this id."""

    def password_hash(self, user_id: int) -> str:
        """Return the argon2 hash of a user's password."""

    def rehash(self, user_id: int, old_hash: str, new_hash: str) -> None:
        """Hash the same password anew; nothing where it has been changed meanwhile."""

    def set_password_hash(self, user_id: int, password_hash: str) -> None:
        """Give a user another password."""

    def change_password_hash(self, user_id: int, generation: int, new_hash: str) -> bool:
        """Give a user another password; return False where it is of a later generation."""

    def set_role(self, user_id: int, role: Role) -> bool:
        """Give a user another role; return False where no enabled admin would be left."""

    def disable_user(self, user_id: int) -> bool:
        """Disable a user; return False where no enabled admin would be left."""

    def enable_user(self, user_id: int) -> None:
        """Let a disabled user in again."""

    def users(self) -> list[User]:
        """Return all users by name."""


class TokenFamilies(Protocol):
    """Logins, each with the chain of refresh tokens that follow from it."""

    def begin(self, family: str, user_id: int, token_id: str, *, expires_at: int) -> None:
        """Record a login, whose first refresh token is ``token_id``."""

    def last_logins(self) -> dict[int, int]:
        """Return when each user who ever logged in did so for the last time, by user id."""

    def rotate(self, family: str, old_id: str, new_id: str, *, expires_at: int) -> bool:
        """Put ``new_id`` in the place of ``old_id``; return False unless that was in force."""

    def began_at(self, family: str) -> int | None:
        """Return when a login was; None where it is unknown or over."""

    def revoke_family(self, family: str) -> bool:
        """End a login with all its tokens; return whether it was in force."""

    def revoke_token(self, token_id: str, expires_at: int) -> None:
        """End one access token that belongs to no login."""

    def is_live(self, token_id: str, family: str | None) -> bool:
        """Return whether neither the token nor its login has been ended."""


class ApiKeys(Protocol):
    """Keys of machines."""

    def add(self, key: ApiKey, digest: bytes) -> ApiKey:
        """Add a key, whose id is chosen here; return it.

        Raises:
            InvalidInputError: A key in force has this name.
        """

    def find(self, digest: bytes) -> ApiKey | None:
        """Return the key whose secret has this digest."""

    def key(self, key_id: int) -> ApiKey | None:
        """Return the key with this id."""

    def keys(self) -> list[ApiKey]:
        """Return all keys, also revoked ones, the newest first."""

    def touch(self, key_id: int, at: int) -> None:
        """Record that a key was used."""

    def revoke(self, key_id: int, at: int) -> bool:
        """End a key; return whether it was in force."""


class LoginFailures(Protocol):
    """Failed logins, by account and by address; ``subjects`` are named by their kind.

    A password is looked at between ``begin`` and ``end``. What is under way counts like a
    failure for those who come meanwhile, from whatever process: guesses that are made at
    the same moment are not free.
    """

    def of(self, kind: str, subject: str) -> Failures:
        """Return what still counts against one subject."""

    def begin(self, subjects: Mapping[str, str], patience: Mapping[str, Patience]) -> int:
        """Count a login as under way, unless one must wait; return for how many seconds.

        Both happens in one transaction. 0 means that the login is under way, and that
        ``end`` is to be called. It counts for some seconds only, should nobody call that.
        Old failures are forgotten, and the least suspicious where there are too many.
        """

    def end(
        self, subjects: Mapping[str, str], patience: Mapping[str, Patience], *, has_failed: bool
    ) -> None:
        """Say that a login that was under way has ended, and whether it counts as a failure."""

    def clear(self, kind: str, subject: str) -> None:
        """Forget the failures of one subject."""


class AuditLog(Protocol):
    """What was done, by whom; can only grow."""

    def append(self, act: Act) -> None:
        """Write an act down."""

    def has_recent(self, act: Act, since_at: int, most: int) -> bool:
        """Return whether the same refusal of the same caller stands there since an instant.

        The same caller comes from the same network. ``most`` others of the same action count
        as the same, too.
        """

    def entries(
        self, wanted: AuditFilter, limit: int, before_id: int | None = None
    ) -> list[AuditEntry]:
        """Return entries older than the entry ``before_id``, the newest first."""
