"""API keys: what their secrets hash to, never the secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.access import ApiKey
from archibald_sync.domain.models import Role
from archibald_sync.errors import NameTakenError
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    import sqlite3

    from archibald_sync.storage.connection import Database

Q = load_queries("keys")


class SqliteApiKeys:
    """The API keys of this instance."""

    def __init__(self, database: Database) -> None:
        """Keep keys in ``database``."""
        self._database = database

    def add(self, key: ApiKey, digest: bytes) -> ApiKey:
        """Add a key, whose id is chosen here; return it.

        Raises:
            NameTakenError: A key in force has this name, in this or another case.
        """
        added = {
            "name": key.name,
            "prefix": key.prefix,
            "digest": digest,
            "role": key.role,
            "userId": key.user_id,
            "createdAt": key.created_at,
            "expiresAt": key.expires_at,
        }
        with self._database.transaction() as connection:
            row = connection.execute(Q["insert"], added).fetchone()
        if row is None:
            raise NameTakenError(f"there is a key {key.name!r} already; revoke it first")
        return _key(row)

    def find(self, digest: bytes) -> ApiKey | None:
        """Return the key whose secret has this digest."""
        row = self._database.row(Q["by_digest"], {"digest": digest})
        return _key(row) if row else None

    def key(self, key_id: int) -> ApiKey | None:
        """Return the key with this id."""
        row = self._database.row(Q["by_id"], {"id": key_id})
        return _key(row) if row else None

    def keys(self) -> list[ApiKey]:
        """Return all keys, also revoked ones, the newest first."""
        return [_key(row) for row in self._database.rows(Q["all"])]

    def touch(self, key_id: int, at: int) -> None:
        """Record that a key was used."""
        with self._database.transaction() as connection:
            connection.execute(Q["touch"], {"id": key_id, "at": at})

    def revoke(self, key_id: int, at: int) -> bool:
        """End a key; return whether it was in force."""
        with self._database.transaction() as connection:
            return bool(connection.execute(Q["revoke"], {"id": key_id, "at": at}).rowcount)


def _key(row: sqlite3.Row) -> ApiKey:
    return ApiKey(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        role=Role(row["role"]),
        user_id=row["userId"],
        created_at=row["createdAt"],
        expires_at=row["expiresAt"],
        last_used_at=row["lastUsedAt"],
        revoked_at=row["revokedAt"],
    )
