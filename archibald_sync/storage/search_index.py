"""The words of the catalogue, indexed by FTS5 after each commit of a sync.

Indexing inside the sync's own transaction would make a first load several times as
long; so the index follows the change log, in small transactions of its own.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.storage.catalogue_schema import quoted

if TYPE_CHECKING:
    from archibald_sync.domain.resources import Resource
    from archibald_sync.storage.connection import Database

_CHANGES_AT_ONCE = 5000


class SqliteSearchIndex:
    """The words of one resource."""

    def __init__(self, database: Database, resource: Resource) -> None:
        """Index the catalogue of ``resource`` in ``database``."""
        self._database = database
        self._resource = resource
        words, changes = quoted(resource.search_table), quoted(resource.change_table)
        table, key = quoted(resource.name), quoted(resource.key.name)
        columns = ", ".join(map(quoted, resource.searched))
        changed = (
            f"SELECT rowId FROM {table} WHERE {key} IN (SELECT {quoted(resource.change_key)} "
            f"FROM {changes} WHERE id > :from AND id <= :to)"
        )
        self._forget = f"DELETE FROM {words} WHERE rowid IN ({changed})"
        self._learn = (
            f"INSERT INTO {words} (rowid, {columns}) "
            f"SELECT rowId, {columns} FROM {table} WHERE rowId IN ({changed})"
        )
        self._next = (
            f"SELECT MAX(id) FROM (SELECT id FROM {changes} WHERE id > :from ORDER BY id "
            f"LIMIT {_CHANGES_AT_ONCE:d})"
        )

    def catch_up(self) -> int:
        """Index what has changed since the last time; return how many records that were."""
        indexed = 0
        # Look before writing: this is asked every second.
        while self._resource.searched and self._upper(self._position()) is not None:
            indexed += self._advance()
        return indexed

    def _advance(self) -> int:
        """Index the next part of the change log, in one transaction."""
        with self._database.transaction() as connection:
            position = self._position()
            upper = self._upper(position)
            if upper is None:
                return 0  # another process was quicker
            part = {"from": position, "to": upper}
            connection.execute(self._forget, part)
            indexed = connection.execute(self._learn, part).rowcount
            connection.execute(
                "INSERT INTO search_state (resource, changeId) VALUES (:resource, :to) "
                "ON CONFLICT (resource) DO UPDATE SET changeId = excluded.changeId",
                {"resource": self._resource.name, "to": upper},
            )
            return indexed

    def _position(self) -> int:
        row = self._database.row(
            "SELECT changeId FROM search_state WHERE resource = :resource",
            {"resource": self._resource.name},
        )
        return row[0] if row else 0

    def _upper(self, position: int) -> int | None:
        row = self._database.row(self._next, {"from": position})
        return row[0] if row else None
