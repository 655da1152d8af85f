"""The catalogue as it is read: lists, searches, histories, the change feed, exports.

All statements are built from the resource's declaration; values are parameters.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

import bisect
import json
from contextlib import closing, contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.reading import ChangePage, ChangeSpan, Group
from archibald_sync.errors import NotFoundError
from archibald_sync.storage.catalogue_schema import quoted, sort_expression
from archibald_sync.storage.connection import as_dict, translated

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from archibald_sync.domain.reading import ChangeQuery, RecordQuery
    from archibald_sync.domain.resources import Resource
    from archibald_sync.storage.connection import Database

_REVISION = "revisionOfAll"
_BY_LAST_CHANGE = "updatedAt"
_OWN_COLUMNS = ("createdAt", "updatedAt", "deletedAt", "missingRuns")
# Where hardly any change fits, that many are looked through in a tenth of a second.
CHANGES_LOOKED_AT = 200_000
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
            place = ":value" if value is not None else self._value_of_row(sort)
            conditions.append(f"({sort}, rowId) {sign} ({place}, :rowId)")
            parameters |= {"value": value, "rowId": row_id}
        columns = f"SELECT rowId, {self._columns} FROM {self._table} "
        which = _where(conditions)
        ordered = f"ORDER BY {sort} {order}, rowId {order} "
        if query.sort == _BY_LAST_CHANGE:
            which = f"WHERE rowId IN ({self._by_last_change(which, ordered, order)}) "
        rows = self._database.rows(
            f"{columns}{which}{ordered}LIMIT :limit", {**parameters, "limit": query.limit}
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

    def changes_of_session(
        self, session_id: str, after: int, limit: int
    ) -> list[Mapping[str, Any]]:
        """Return up to ``limit`` changes that a session wrote, from the one after ``after`` on.

        A session writes in one transaction, so that its ids follow each other: none is
        looked for, and the log needs no index by session.
        """
        rows = self._database.rows(
            f"SELECT * FROM {self._changes} WHERE id > :after ORDER BY id LIMIT :limit",
            {"after": after, "limit": limit},
        )
        return [dict(row) for row in takewhile(lambda row: row["sessionId"] == session_id, rows)]

    def sharing(self, field: str, value: str, limit: int) -> list[Mapping[str, Any]]:
        """Return the first ``limit`` records by key whose ``field`` is ``value``, none deleted."""
        rows = self._database.rows(
            f"SELECT {self._columns} FROM {self._table} "
            f"WHERE {sort_expression(self._resource, field)} = :value "
            f"AND deletedAt IS NULL ORDER BY {self._key} LIMIT :limit",
            {"value": value, "limit": limit},
        )
        return [as_dict(row) for row in rows]

    @contextmanager
    def every_record(self, *, with_deleted: bool) -> Iterator[Iterator[Mapping[str, Any]]]:
        """Give a block all records by key as of one moment, holding few of them in memory."""
        which = "" if with_deleted else "WHERE deletedAt IS NULL "
        sql = f"SELECT {self._columns} FROM {self._table} {which}ORDER BY {self._key}"
        with (
            self._database.snapshot(),
            translated(self._database.path),
            # Closed with the block, read to its end or not: it would keep the moment.
            closing(self._database.connection().execute(sql)) as rows,
        ):
            yield map(as_dict, rows)

    def span_between(self, start_at: int, end_at: int) -> ChangeSpan:
        """Return the changes from ``start_at`` to before ``end_at``, instants.

        Days that touch share no change and lose none, even where the clock was put back:
        both find the same id between them.
        """
        with self._database.snapshot():
            first = self._first_where(1, lambda change: change["changedAt"] >= start_at)
            end = self._first_where(1, lambda change: change["changedAt"] >= end_at)
        return ChangeSpan(first - 1, end)

    def span_of_session(self, session_id: str, after: int) -> ChangeSpan:
        """Return the changes that a session wrote, which follow the one with the id ``after``.

        A session writes in one transaction, so that its ids follow each other.
        """
        with self._database.snapshot():
            end = self._first_where(after + 1, lambda change: change["sessionId"] != session_id)
        return ChangeSpan(after, end)

    def changes(self, query: ChangeQuery) -> ChangePage:
        """Return changes, the newest first; ``cursor`` is where the next page ends.

        Looks through no more than a part of the log at a time, whatever fits: a page may
        hold few changes, or none, and yet not be the last.
        """
        asked = {"changeType": query.kind, "field": query.field}
        given = {name: value for name, value in asked.items() if value is not None}
        conditions = ["id > :after", "id < :before", *(f"{name} = :{name}" for name in given)]
        with self._database.snapshot():
            before = min(query.span.before, self._newest_change() + 1)
            after = max(query.span.after, self._far_before(before)) if given else query.span.after
            rows = self._database.rows(
                f"SELECT * FROM {self._changes} {_where(conditions)}ORDER BY id DESC LIMIT :limit",
                {**given, "after": after, "before": before, "limit": query.limit + 1},
            )
            changes = [dict(row) for row in rows[: query.limit]]
            keys = dict.fromkeys(row[self._resource.change_key] for row in changes)
            records = self._by_keys(list(keys))
        if len(rows) > query.limit:
            return ChangePage(changes, records, changes[-1]["id"], is_last=False)
        return ChangePage(changes, records, after + 1, is_last=after == query.span.after)

    def groups(self, limit: int) -> list[Group]:
        """Return the first groups of records by their value, at most ``limit``.

        Leaps through the index from value to value: what it costs is the groups, not the
        records.
        """
        if self._resource.group is None:
            return []
        value = sort_expression(self._resource, self._resource.group)
        name = quoted(self._resource.group_name or self._resource.group)
        rows = self._database.rows(
            "WITH RECURSIVE found(value) AS (\n"
            f"  SELECT * FROM (SELECT {value} FROM {self._table} ORDER BY {value} LIMIT 1)\n"
            "  UNION ALL\n"
            f"  SELECT (SELECT {value} FROM {self._table} WHERE {value} > found.value "
            f"ORDER BY {value} LIMIT 1) FROM found WHERE found.value IS NOT NULL\n"
            f") SELECT value, (SELECT {name} FROM {self._table} WHERE {value} = found.value "
            "LIMIT 1) FROM found WHERE value IS NOT NULL LIMIT :limit",
            {"limit": limit},
        )
        return [Group(*row) for row in rows]

    def _first_where(self, first: int, is_beyond: Callable[[sqlite3.Row], bool]) -> int:
        """Return the first id from ``first`` on whose change is beyond, else the next new id.

        Looks at some twenty changes of a million: the log has no index but its ids.
        """

        def is_found(change_id: int) -> bool:
            change = self._database.row(
                f"SELECT changedAt, sessionId FROM {self._changes} WHERE id >= :id "
                "ORDER BY id LIMIT 1",
                {"id": change_id},
            )
            return change is None or is_beyond(change)

        end = self._newest_change() + 1
        return first + bisect.bisect_left(range(first, end), x=True, key=is_found)

    def _newest_change(self) -> int:
        row = self._database.row(f"SELECT MAX(id) FROM {self._changes}")
        return (row[0] if row else None) or 0

    def _far_before(self, change_id: int) -> int:
        """Return the id of the change so far before that no more are to be looked through."""
        row = self._database.row(
            f"SELECT id FROM {self._changes} WHERE id < :id ORDER BY id DESC LIMIT 1 OFFSET :many",
            {"id": change_id, "many": CHANGES_LOOKED_AT},
        )
        return row[0] if row else 0

    def _by_last_change(self, which: str, ordered: str, order: str) -> str:
        """Return what finds the numbers of a page: no index has this order.

        Whole rows are dear to sort; an index has what is compared of each. They are met in
        the order in which equals are listed, so that of a hundred thousand that a first load
        wrote at one moment all but the first few are passed over at a glance. The limit is
        there because SQLite leaves out an inner order without one.
        """
        candidates = f"SELECT rowId, {_BY_LAST_CHANGE} FROM {self._table} {which}"
        met = f"{candidates}ORDER BY rowId {order} LIMIT -1"
        return f"SELECT rowId FROM ({met}) {ordered}LIMIT :limit"

    def _value_of_row(self, sort: str) -> str:
        return f"(SELECT {sort} FROM {self._table} WHERE rowId = :rowId)"

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
        """Let a cursor pass behind which nothing is gone, and whose change is still there.

        No two changes have one id, not even in copies of the file: a change that is not
        there was logged in another one, or has gone.
        """
        row = self._database.row(
            f"SELECT (SELECT MIN(id) FROM {self._changes}), (SELECT firstChangesAfter FROM "
            "catalogue_state WHERE resource = :resource), "
            f"EXISTS (SELECT 1 FROM {self._changes} WHERE id = :id)",
            {"id": cursor, "resource": self._resource.name},
        )
        first, first_after, is_there = row or (None, None, 0)
        before_first = (first_after or 0) if first is None else first - 1
        is_from_the_beginning = cursor == 0 and before_first == (first_after or 0)
        if not (is_there or cursor == before_first or is_from_the_beginning):
            raise NotFoundError(_NOT_REACHED)


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)} " if conditions else ""


def _match_of(words: Sequence[str]) -> str:
    """Return an FTS5 expression: all words, each as a phrase whose end may go on."""
    return " ".join('"' + word.replace('"', '""') + '"*' for word in words)
