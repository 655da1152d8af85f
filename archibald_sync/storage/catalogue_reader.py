"""The catalogue as it is read: lists, searches, histories, the change feed, exports.

All statements are built from the resource's declaration; values are parameters.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.reading import ChangePage
from archibald_sync.errors import NotFoundError
from archibald_sync.storage.catalogue_schema import quoted, sort_expression
from archibald_sync.storage.connection import as_dict, translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archibald_sync.domain.reading import RecordQuery
    from archibald_sync.domain.resources import Resource
    from archibald_sync.storage.connection import Database

_REVISION = "revisionOfAll"
_OWN_COLUMNS = ("createdAt", "updatedAt", "deletedAt")
_NOT_REACHED = "the change log does not hold this cursor; copy the whole catalogue and begin anew"


class SqliteCatalogueReader:
    """Reads the catalogue of one resource."""

    def __init__(self, database: Database, resource: Resource) -> None:
        """Read the catalogue of ``resource`` in ``database``."""
        self._database = database
        self._resource = resource
        self._table = quoted(resource.name)
        self._key = quoted(resource.key.name)
        self._words = quoted(resource.search_table)
        self._changes = quoted(resource.change_table)
        self._change_key = quoted(resource.change_key)
        self._columns = ", ".join(map(quoted, (*resource.field_names, *_OWN_COLUMNS)))
        state = f"(SELECT revision FROM catalogue_state WHERE resource = '{resource.name}')"
        change = f"(SELECT MAX(id) FROM {self._changes})"
        revision = f"ifnull({state}, 0) || '-' || ifnull({change}, 0)"
        self._revision = f"SELECT {revision}"
        words = f"(SELECT changeId FROM search_state WHERE resource = '{resource.name}')"
        self._words_revision = f"SELECT {revision} || '-' || ifnull({words}, 0)"
        # One statement for both: what is asked for most often is one record.
        self._one = (
            f"SELECT {self._columns}, {revision} AS {quoted(_REVISION)} "
            f"FROM {self._table} WHERE {self._key} = :key"
        )

    def revision(self, *, with_words: bool = False) -> str:
        """Return what changes whenever a record does: the same text, the same catalogue.

        Args:
            with_words: Whether it also changes when the search has caught up.
        """
        row = self._database.row(self._words_revision if with_words else self._revision)
        return str(row[0]) if row else ""

    def records(self, query: RecordQuery) -> list[Mapping[str, Any]]:
        """Return a page of records, each with its ``rowId``."""
        conditions, parameters = self._conditions(query)
        order, sign = ("DESC", "<") if query.is_descending else ("ASC", ">")
        sort = sort_expression(self._resource, query.sort)
        if query.after is not None:
            value, row_id = query.after
            conditions.append(f"({sort}, rowId) {sign} (:value, :rowId)")
            parameters |= {"value": value, "rowId": row_id}
        rows = self._database.rows(
            f"SELECT rowId, {self._columns} FROM {self._table} {_where(conditions)}"
            f"ORDER BY {sort} {order}, rowId {order} LIMIT :limit",
            {**parameters, "limit": query.limit},
        )
        return [as_dict(row) for row in rows]

    def search(self, query: RecordQuery) -> list[Mapping[str, Any]]:
        """Return a page of the records in which all words of ``query`` occur, by ``rowId``.

        The index drives, in its own order: a word that every record has costs no more
        than a page of them.
        """
        conditions, parameters = self._conditions(query)
        if query.after is not None:
            conditions.append(f"{self._words}.rowid > :rowId")
            parameters["rowId"] = query.after[1]
        conditions.append(f"{self._words} MATCH :match")
        columns = ", ".join(f"{self._table}.{name}" for name in self._columns.split(", "))
        rows = self._database.rows(
            f"SELECT rowId, {columns} FROM {self._words} CROSS JOIN {self._table} "
            f"ON {self._table}.rowId = {self._words}.rowid {_where(conditions)}"
            f"ORDER BY {self._words}.rowid LIMIT :limit",
            {**parameters, "match": _match_of(query.words), "limit": query.limit},
        )
        return [as_dict(row) for row in rows]

    def record(self, key: str) -> tuple[Mapping[str, Any], str] | None:
        """Return one record, deleted or not, and the revision in which it is so."""
        row = self._database.row(self._one, {"key": key})
        if row is None:
            return None
        record = as_dict(row)
        return record, record.pop(_REVISION)

    def changes_of(self, key: str, limit: int, before: int | None) -> list[Mapping[str, Any]]:
        """Return the changes of one record older than ``before``, the newest first."""
        rows = self._database.rows(
            f"SELECT * FROM {self._changes} WHERE {self._change_key} = :key "
            "AND (:before IS NULL OR id < :before) ORDER BY id DESC LIMIT :limit",
            {"key": key, "before": before, "limit": limit},
        )
        return [as_dict(row) for row in rows]

    def changes_since(self, cursor: int, limit: int) -> ChangePage:
        """Return the changes after ``cursor``; 0 means from the beginning.

        Ids are given inside the one writing transaction at a time, so that a reader never
        sees a later one before an earlier one.

        Raises:
            NotFoundError: The log does not reach back to ``cursor``, or never got there.
        """
        with self._database.snapshot():
            self._require_reached(cursor)
            rows = self._database.rows(
                f"SELECT * FROM {self._changes} WHERE id > :cursor ORDER BY id LIMIT :limit",
                {"cursor": cursor, "limit": limit + 1},
            )
            changes = [as_dict(row) for row in rows[:limit]]
            keys = dict.fromkeys(row[self._resource.change_key] for row in changes)
            records = self._by_keys(list(keys))
        last = changes[-1]["id"] if changes else cursor
        return ChangePage(changes, records, last, is_last=len(rows) <= limit)

    def sharing(self, field: str, value: str) -> list[Mapping[str, Any]]:
        """Return the records that are not deleted and whose ``field`` is ``value``."""
        rows = self._database.rows(
            f"SELECT {self._columns} FROM {self._table} "
            f"WHERE {sort_expression(self._resource, field)} = :value "
            f"AND deletedAt IS NULL ORDER BY {self._key}",
            {"value": value},
        )
        return [as_dict(row) for row in rows]

    def every_record(self, *, with_deleted: bool) -> Iterator[Mapping[str, Any]]:
        """Yield all records by key as of one moment, holding few of them in memory."""
        which = "" if with_deleted else "WHERE deletedAt IS NULL "
        sql = f"SELECT {self._columns} FROM {self._table} {which}ORDER BY {self._key}"
        with translated(self._database.path):
            for row in self._database.connection().execute(sql):
                yield as_dict(row)

    def _conditions(self, query: RecordQuery) -> tuple[list[str], dict[str, Any]]:
        conditions: list[str] = []
        parameters: dict[str, Any] = {}
        if query.group is not None and self._resource.group is not None:
            conditions.append(f"{sort_expression(self._resource, self._resource.group)} = :group")
            parameters["group"] = query.group
        if query.updated_since is not None:
            conditions.append("updatedAt >= :updatedSince")
            parameters["updatedSince"] = query.updated_since
        if not query.with_deleted:
            conditions.append("deletedAt IS NULL")
        return conditions, parameters

    def _by_keys(self, keys: Sequence[str]) -> list[Mapping[str, Any]]:
        rows = self._database.rows(
            f"SELECT {self._columns} FROM {self._table} "
            f"WHERE {self._key} IN (SELECT value FROM json_each(:keys)) ORDER BY {self._key}",
            {"keys": json.dumps(list(keys))},
        )
        return [as_dict(row) for row in rows]

    def _require_reached(self, cursor: int) -> None:
        row = self._database.row(f"SELECT MIN(id), MAX(id) FROM {self._changes}")
        first, last = (row[0] or 1, row[1] or 0) if row else (1, 0)
        if not (cursor == 0 and first == 1) and not first - 1 <= cursor <= last:
            raise NotFoundError(_NOT_REACHED)


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)} " if conditions else ""


def _match_of(words: Sequence[str]) -> str:
    """Return an FTS5 expression: all words, each as a phrase whose end may go on."""
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)
