"""Undo everything that was written to a catalogue since a moment, from its change log.

The oldest value that each changed field held since then comes back, and so does the
state that each marked record was in. Records that were created since are marked as
deleted rather than removed: others may have put values of their own into them, and
those who follow the change log must learn that they are gone. All of it is logged and
marked like any other change, so that a rollback can be rolled back.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import PlanCounts
from archibald_sync.storage.catalogue_schema import quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

    from archibald_sync.domain.models import Rollback
    from archibald_sync.domain.ports import Control
    from archibald_sync.domain.resources import Resource

_BETWEEN_CHECKPOINTS = 500


class CatalogueRollback:
    """One rollback, written in the open transaction."""

    def __init__(
        self, connection: sqlite3.Connection, resource: Resource, rollback: Rollback, now: int
    ) -> None:
        """Prepare to undo what ``rollback`` names; ``now`` is written as the time of change."""
        self._connection = connection
        self._resource = resource
        self._rollback = rollback
        self._now = now
        self._table = quoted(resource.name)
        self._key = quoted(resource.key.name)
        self._changes = quoted(resource.change_table)
        self._change_key = quoted(resource.change_key)
        self._updated = self._deleted = self._restored = 0

    def write(self, control: Control) -> PlanCounts:
        """Undo it all; return how many records went back to other values or states.

        Raises:
            RunStopped: ``control`` ended the run; the caller rolls back.
        """
        born = {row[0] for row in self._select_born()}
        for key, changes in _checked(groupby(self._select_changes(), itemgetter(0)), control):
            before = {field: old for _, field, old in changes}
            if key not in born:
                self._set_back(key, before)
        for mark in _checked(self._select_marks().fetchall(), control):
            self._bring_back(born, *mark)
        for key in _checked(born, control):
            self._take_away(key)
        return PlanCounts(updated=self._updated, deleted=self._deleted, restored=self._restored)

    def _select_born(self) -> Iterable[Any]:
        return self._connection.execute(
            f"SELECT {self._change_key} FROM {self._changes} "
            "WHERE id > :after AND changeType IN ('created', 'renamed')",
            {"after": self._rollback.changes_after},
        )

    def _select_changes(self) -> list[Any]:
        """Return what each field held before its first change, by key."""
        rows = self._connection.execute(
            f"SELECT {self._change_key}, field, oldValue, MIN(id) FROM {self._changes} "
            f"WHERE id > :after AND changeType = 'updated' GROUP BY {self._change_key}, field "
            f"ORDER BY {self._change_key}",
            {"after": self._rollback.changes_after},
        )
        return [tuple(row)[:3] for row in rows]

    def _select_marks(self) -> sqlite3.Cursor:
        """Return the state in which each record was before it was first marked."""
        return self._connection.execute(
            "SELECT recordRowId, missingRuns, deletedAt, MIN(id) FROM catalogue_marks "
            "WHERE resource = :resource AND sessionId IN ("
            "  SELECT id FROM sync_sessions WHERE syncType = :resource AND rowid >= ("
            "    SELECT rowid FROM sync_sessions WHERE id = :undone)) "
            "GROUP BY recordRowId",
            {"resource": self._resource.name, "undone": self._rollback.undone_session},
        )

    def _set_back(self, key: str, before: dict[str, Any]) -> None:
        # A field that is no longer declared is no longer ours.
        names = [name for name in before if name in self._resource.fields_by_name]
        columns = ", ".join(["rowId", *map(quoted, names)])
        row = self._one(f"SELECT {columns} FROM {self._table} WHERE {self._key} = ?", key)
        if row is None:
            return
        differing = [
            (name, now, before[name])
            for name, now in zip(names, tuple(row)[1:], strict=True)
            if now != before[name]
        ]
        if not differing:
            return
        self._updated += 1
        assignments = "".join(f"{quoted(name)} = ?, " for name, _, _ in differing)
        self._update(row[0], assignments, *(old for _, _, old in differing))
        for name, now, old in differing:
            self._log(key, "updated", name, now, old)

    def _bring_back(
        self, born: set[str], row_id: int, missing_runs: int, deleted_at: int | None, _: int
    ) -> None:
        columns = f"{self._key}, missingRuns, deletedAt"
        row = self._one(f"SELECT {columns} FROM {self._table} WHERE rowId = ?", row_id)
        if row is None or row[0] in born or tuple(row)[1:] == (missing_runs, deleted_at):
            return
        self._mark(row_id)
        self._update(row_id, "missingRuns = ?, deletedAt = ?, ", missing_runs, deleted_at)
        if (row["deletedAt"] is None) != (deleted_at is None):
            self._log_state(row[0], is_deleted=deleted_at is not None)

    def _take_away(self, key: str) -> None:
        query = f"SELECT rowId FROM {self._table} WHERE {self._key} = ? AND deletedAt IS NULL"
        row = self._one(query, key)
        if row is None:
            return
        self._mark(row[0])
        self._update(row[0], "missingRuns = 0, deletedAt = ?, ", self._now)
        self._log_state(key, is_deleted=True)

    def _log_state(self, key: str, *, is_deleted: bool) -> None:
        self._deleted += is_deleted
        self._restored += not is_deleted
        self._log(key, "deleted" if is_deleted else "restored", None, None, None)

    def _one(self, query: str, *parameters: object) -> Any:  # noqa: ANN401  # a row or None
        return self._connection.execute(query, parameters).fetchone()

    def _update(self, row_id: int, assignments: str, *values: object) -> None:
        """Change a row, and forget its fingerprints: the next extract is compared with it."""
        self._connection.execute(
            f"UPDATE {self._table} SET {assignments}sourceHash = NULL, contentHash = NULL, "
            "updatedAt = ? WHERE rowId = ?",
            (*values, self._now, row_id),
        )

    def _mark(self, row_id: int) -> None:
        self._connection.execute(
            mark_statement(self._resource),
            (self._resource.name, self._rollback.session_id, row_id),
        )

    def _log(self, key: str, kind: str, field: str | None, old: object, new: object) -> None:
        self._connection.execute(
            f"INSERT INTO {self._changes} ({self._change_key}, sessionId, changeType, field, "
            "oldValue, newValue, changedAt, epoch) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                self._rollback.session_id,
                kind,
                field,
                old,
                new,
                self._now,
                self._rollback.epoch,
            ),
        )


def mark_statement(resource: Resource) -> str:
    """Return what keeps the state of a row before it changes: resource, session, row."""
    return (
        "INSERT INTO catalogue_marks (resource, sessionId, recordRowId, missingRuns, deletedAt) "
        f"SELECT ?, ?, rowId, missingRuns, deletedAt FROM {quoted(resource.name)} WHERE rowId = ?"
    )


def _checked(items: Iterable[Any], control: Control) -> Iterator[Any]:
    for number, item in enumerate(items):
        if number % _BETWEEN_CHECKPOINTS == 0:
            control.checkpoint()
        yield item
