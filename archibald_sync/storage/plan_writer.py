"""Writes one plan and its change log in the open transaction.

All statements are built from the resource's declaration; values are parameters.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from archibald_sync.storage.catalogue_schema import quoted, unwatched
from archibald_sync.storage.change_log import ChangeLog
from archibald_sync.storage.many_rows import values_of, write_rows
from archibald_sync.storage.rollback import mark_statement

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from archibald_sync.domain.plan import Plan
    from archibald_sync.domain.ports import Control, Spool
    from archibald_sync.domain.resources import Resource
    from archibald_sync.storage.change_log import Change

# So few that their values stay in the processor's cache.
_ROWS_BETWEEN_CHECKPOINTS = 200
# From so many on, the trigger that notices edits by others costs more than to leave it out.
_UPDATES_UNWATCHED = 5_000


class PlanWriter:
    """Writes one plan in the open transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        resource: Resource,
        session_id: str,
        epoch: int,
        now: int,
    ) -> None:
        """Prepare to sign what is written with session, epoch and time."""
        self._resource = resource
        self._connection = connection
        self._session_id = session_id
        self._epoch = epoch
        self._now = now
        self._log = ChangeLog(connection, resource, session_id, epoch, now)

    def write(self, plan: Plan, control: Control) -> None:
        """Write all of it.

        Raises:
            RunStopped: ``control`` ended the run; the caller rolls back.
        """
        sql = _statements(self._resource, plan.fields)
        # Before anything that changes them: how these rows stood, for a rollback.
        self._connection.executemany(sql["mark"], self._marks(plan, control))
        for batch in _batches(plan.created, control):
            self._create(sql, batch, plan)
        self._write_updates(plan.updated, control)
        refreshed = (
            (source_hash, content_hash, row_id, known_hash)
            for row_id, known_hash, source_hash, content_hash in _checked(plan.refreshed, control)
        )
        self._connection.executemany(sql["refresh"], refreshed)
        self._write_states(plan, sql, control)

    def _create(self, sql: Mapping[str, str], batch: Sequence[Any], plan: Plan) -> None:
        now, connection = self._now, self._connection
        (last,) = connection.execute(sql["last"]).fetchone()
        rows = [
            (*values, source_hash, content_hash, now, now)
            for source_hash, content_hash, values in batch
        ]
        connection.executemany(sql["create"], rows)
        if plan.renames:
            self._log.extend(self._renamed_log(batch, plan))
            self._log.flush()
            return
        # Numbers only grow: what was just written comes after what was last.
        connection.execute(sql["log_created"], (self._session_id, now, self._epoch, last))

    def _write_updates(self, updated: Spool, control: Control) -> None:
        is_large = len(updated) >= _UPDATES_UNWATCHED
        with unwatched(self._connection, self._resource) if is_large else nullcontext():
            for batch in _batches(updated, control):
                self._update(batch)
        self._log.flush()

    def _update(self, batch: Sequence[Any]) -> None:
        """Write the fields that changed, together with those that changed the same fields."""
        log, rows_by_fields = [], defaultdict(list)
        for row_id, known_hash, source_hash, content_hash, key, changes in batch:
            fields, _, values = zip(*changes, strict=True)
            row = (row_id, known_hash, source_hash, content_hash, *values)
            rows_by_fields[fields].append(row)
            log += [(key, "updated", *change) for change in changes]
        for fields, rows in rows_by_fields.items():
            statement = partial(_update_statement, self._resource, fields)
            write_rows(self._connection, statement, (self._now,), rows)
        self._log.extend(log)

    def _write_states(self, plan: Plan, sql: Mapping[str, str], control: Control) -> None:
        now, many = self._now, self._connection.executemany
        many(sql["reappear"], ((row,) for row in _checked(plan.reappeared, control)))
        many(sql["restore"], ((now, row) for row in _checked(plan.restored, control)))
        many(sql["log_row"], self._row_log("restored", plan.restored, control))
        many(sql["miss"], ((row,) for row in _checked(plan.missing, control)))
        many(sql["delete"], ((now, now, row) for row in _checked(plan.deleted, control)))
        many(sql["log_row"], self._row_log("deleted", plan.deleted, control))

    def _marks(self, plan: Plan, control: Control) -> Iterator[tuple[Any, ...]]:
        name, session_id = self._resource.name, self._session_id
        for rows in (plan.missing, plan.restored, plan.reappeared):
            for row in _checked(rows, control):
                yield name, session_id, row

    def _renamed_log(self, batch: Sequence[Any], plan: Plan) -> Iterator[Change]:
        renames, key_field = plan.renames, plan.fields[0]
        for _, _, (key, *_) in batch:
            if key in renames:
                yield key, "renamed", key_field, renames[key], key
            else:
                yield key, "created", None, None, None

    def _row_log(
        self, change_type: str, rows: Iterable[int], control: Control
    ) -> Iterator[tuple[Any, ...]]:
        for row in _checked(rows, control):
            yield self._session_id, change_type, self._now, self._epoch, row


def _statements(resource: Resource, fields: Sequence[str]) -> dict[str, str]:
    """Return the statements that write a plan which delivers ``fields``."""
    table, key = quoted(resource.name), quoted(resource.key.name)
    changes = quoted(resource.change_table)
    owned = [*map(quoted, fields), "sourceHash", "contentHash"]
    marks = ", ".join("?" * len(owned))
    change = f"({quoted(resource.change_key)}, sessionId, changeType, field, oldValue, "
    change += "newValue, changedAt, epoch)"
    return {
        "create": f"INSERT INTO {table} ({', '.join(owned)}, createdAt, updatedAt) "
        f"VALUES ({marks}, ?, ?)",
        "last": f"SELECT COALESCE(MAX(rowId), 0) FROM {table}",
        "refresh": f"UPDATE {table} SET sourceHash = ?, contentHash = ? WHERE rowId = ? "
        "AND contentHash IS ?",
        "restore": f"UPDATE {table} SET deletedAt = NULL, missingRuns = 0, updatedAt = ? "
        "WHERE rowId = ?",
        "mark": mark_statement(resource),
        "miss": f"UPDATE {table} SET missingRuns = missingRuns + 1 WHERE rowId = ?",
        "delete": f"UPDATE {table} SET deletedAt = ?, updatedAt = ? WHERE rowId = ?",
        "reappear": f"UPDATE {table} SET missingRuns = 0 WHERE rowId = ?",
        "log_created": f"INSERT INTO {changes} {change} "
        f"SELECT {key}, ?, 'created', NULL, NULL, NULL, ?, ? FROM {table} WHERE rowId > ? "
        "ORDER BY rowId",
        "log_row": f"INSERT INTO {changes} {change} "
        f"SELECT {key}, ?, ?, NULL, NULL, NULL, ?, ? FROM {table} WHERE rowId = ?",
    }


def _update_statement(resource: Resource, fields: Sequence[str], rows: int) -> str:
    """Return what writes ``fields`` of so many rows, and the fingerprints of the records.

    Its parameters are the time; then, of each row: number, content hash as it was
    compared, source hash, content hash, and the values of ``fields``. A row that somebody
    has edited since it was compared gets no fingerprints: the next run compares it anew.
    """
    values = "".join(f"{quoted(name)} = column{at}, " for at, name in enumerate(fields, 5))
    return (
        f"UPDATE {quoted(resource.name)} SET {values}"
        "sourceHash = CASE WHEN contentHash IS column2 THEN column3 END, "
        "contentHash = CASE WHEN contentHash IS column2 THEN column4 END, "
        f"updatedAt = ?, missingRuns = 0 FROM {values_of(4 + len(fields), rows)} "
        "WHERE rowId = column1"
    )


def _checked(items: Iterable[Any], control: Control) -> Iterator[Any]:
    """Yield ``items`` with a checkpoint every few hundred."""
    return chain.from_iterable(_batches(items, control))


def _batches(items: Iterable[Any], control: Control) -> Iterator[list[Any]]:
    """Yield ``items`` by the few hundred, a checkpoint before each batch."""
    iterator = iter(items)
    while batch := list(islice(iterator, _ROWS_BETWEEN_CHECKPOINTS)):
        control.checkpoint()
        yield batch
