"""Users, their roles and password hashes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.models import Role, User
from archibald_sync.errors import NameTakenError, NotFoundError
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    import sqlite3

    from archibald_sync.clock import Clock
    from archibald_sync.storage.connection import Database

Q = load_queries("accounts")


class SqliteAccounts:
    """The users of this instance."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep users in ``database``."""
        self._database = database
        self._clock = clock

    def add_user(self, name: str, password_hash: str, role: Role) -> User:
        """Add a user.

        Raises:
            NameTakenError: The name is taken, in this or another case.
        """
        with self._database.transaction() as connection:
            row = connection.execute(
                Q["insert_user"],
                {
                    "name": name,
                    "passwordHash": password_hash,
                    "role": role,
                    "createdAt": self._clock.now_ms(),
                },
            ).fetchone()
        if row is None:
            raise NameTakenError(f"there is a user {name!r} already")
        return _user(row)

    def user(self, name: str) -> User | None:
        """Return the user of this name, whatever its case."""
        row = self._database.row(Q["user_by_name"], {"name": name})
        return _user(row) if row else None

    def user_by_id(self, user_id: int) -> User | None:
        """Return the user with this id."""

        def read() -> User | None:
            row = self._database.row(Q["user_by_id"], {"id": user_id})
            return _user(row) if row else None

        return self._database.remembered(f"user {user_id}", read)

    def password_hash(self, user_id: int) -> str:
        """Return the argon2 hash of a user's password.

        Raises:
            NotFoundError: There is no such user.
        """
        row = self._database.row(Q["user_by_id"], {"id": user_id})
        if row is None:
            raise NotFoundError(f"no user {user_id}")
        return str(row["passwordHash"])

    def rehash(self, user_id: int, old_hash: str, new_hash: str) -> None:
        """Hash the same password anew; nothing where it has been changed meanwhile."""
        self._write("rehash", id=user_id, oldHash=old_hash, newHash=new_hash)

    def set_password_hash(self, user_id: int, password_hash: str) -> None:
        """Give a user another password, and end its tokens."""
        self._write("set_password_hash", id=user_id, passwordHash=password_hash)

    def change_password_hash(self, user_id: int, generation: int, new_hash: str) -> bool:
        """Give a user another password, and end its tokens.

        Nothing happens, and the answer is False, where anything of what a generation stands
        for has been changed since the generation given.
        """
        return self._write(
            "change_password_hash", id=user_id, generation=generation, newHash=new_hash
        )

    def set_role(self, user_id: int, role: Role) -> bool:
        """Give a user another role; return False where no enabled admin would be left."""
        return self._write("set_role", id=user_id, role=role)

    def disable_user(self, user_id: int) -> bool:
        """Disable a user; return False where no enabled admin would be left."""
        return self._write("disable_user", id=user_id, now=self._clock.now_ms())

    def enable_user(self, user_id: int) -> None:
        """Let a disabled user in again; its old tokens stay ended."""
        self._write("enable_user", id=user_id)

    def users(self) -> list[User]:
        """Return all users by name."""
        return [_user(row) for row in self._database.rows(Q["users"])]

    def _write(self, query: str, **parameters: object) -> bool:
        """Carry out a statement; return whether it changed anything."""
        with self._database.transaction() as connection:
            return bool(connection.execute(Q[query], parameters).rowcount)


def _user(row: sqlite3.Row) -> User:
    return User(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        is_disabled=row["disabledAt"] is not None,
        token_generation=row["tokenGeneration"],
        created_at=row["createdAt"],
    )
