"""Logins with the refresh tokens that follow from them, and tokens ended before their time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    from archibald_sync.clock import Clock
    from archibald_sync.storage.connection import Database

Q = load_queries("tokens")

# For so long after the end of a login an access token of it may still be shown.
_KEPT_MS = 24 * 3600 * 1000


class SqliteTokenFamilies:
    """The logins of this instance."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep logins in ``database``."""
        self._database = database
        self._clock = clock

    def begin(self, family: str, user_id: int, token_id: str, *, expires_at: int) -> None:
        """Record a login, whose first refresh token is ``token_id``; forget what has expired."""
        now = self._clock.now_ms()
        begun = {
            "id": family,
            "userId": user_id,
            "tokenId": token_id,
            "now": now,
            "expiresAt": expires_at,
        }
        with self._database.transaction() as connection:
            connection.execute(Q["prune_families"], {"before": now - _KEPT_MS})
            connection.execute(Q["begin"], begun)
            connection.execute(Q["keep_last_login"], {"userId": user_id, "now": now})

    def last_logins(self) -> dict[int, int]:
        """Return when each user who ever logged in did so for the last time, by user id."""
        return {row["userId"]: row["at"] for row in self._database.rows(Q["last_logins"])}

    def rotate(self, family: str, old_id: str, new_id: str, *, expires_at: int) -> bool:
        """Put ``new_id`` in the place of ``old_id``; return False unless that was in force."""
        return self._write("rotate", id=family, oldId=old_id, newId=new_id, expiresAt=expires_at)

    def began_at(self, family: str) -> int | None:
        """Return when a login was; None where it is unknown or over."""
        row = self._database.row(Q["began_at"], {"id": family})
        return int(row["createdAt"]) if row else None

    def revoke_family(self, family: str) -> bool:
        """End a login with all its tokens; return whether it was in force."""
        return self._write("revoke_family", id=family, now=self._clock.now_ms())

    def revoke_token(self, token_id: str, expires_at: int) -> None:
        """End one access token that belongs to no login; forget those that have expired."""
        with self._database.transaction() as connection:
            connection.execute(Q["prune_tokens"], {"before": self._clock.now_ms() - _KEPT_MS})
            connection.execute(Q["revoke_token"], {"tokenId": token_id, "expiresAt": expires_at})

    def is_live(self, token_id: str, family: str | None) -> bool:
        """Return whether neither the token nor its login has been ended."""
        parameters = {"tokenId": token_id, "family": family}

        def read() -> bool:
            row = self._database.row(Q["is_live"], parameters)
            return bool(row and row[0])

        return self._database.remembered(f"is live {token_id} {family}", read)

    def _write(self, query: str, **parameters: object) -> bool:
        """Carry out a statement; return whether it changed anything."""
        with self._database.transaction() as connection:
            return bool(connection.execute(Q[query], parameters).rowcount)
