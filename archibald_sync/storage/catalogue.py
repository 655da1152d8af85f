"""The local copy of a resource: fingerprints out, plans in.

All statements are built from the resource's declaration; values are parameters.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from archibald_sync.domain.coverage import Coverage
from archibald_sync.domain.plan import CatalogueSnapshot, ExistingRecord, Plan
from archibald_sync.storage.catalogue_schema import quoted
from archibald_sync.storage.connection import translated
from archibald_sync.storage.fingerprints import row_by_hash, row_states
from archibald_sync.storage.plan_writer import PlanWriter
from archibald_sync.storage.rollback import CatalogueRollback

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from archibald_sync.clock import Clock
    from archibald_sync.domain.models import PlanCounts, Rollback
    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.ports import Control
    from archibald_sync.domain.resources import Resource
    from archibald_sync.storage.connection import Database

# So few that their values stay in the processor's cache.
_ROWS_AT_ONCE = 200
_MICROSECONDS = 1000  # a millisecond; no change is written faster than that
# What Python's strip() takes away, for SQLite's TRIM.
_SPACES = "".join(filter(str.isspace, map(chr, range(0x3001))))


class SqliteCatalogue:
    """The catalogue of one resource."""

    def __init__(self, database: Database, clock: Clock, resource: Resource) -> None:
        """Keep the catalogue of ``resource`` in ``database``."""
        self._database = database
        self._clock = clock
        self._resource = resource
        self._table = quoted(resource.name)
        self._key = quoted(resource.key.name)
        self._changes = quoted(resource.change_table)

    def snapshot(self, mapping_version: str) -> CatalogueSnapshot:
        """Return the fingerprints and states of all records, as of one moment."""
        connection = self._database.connection()
        with translated(self._database.path):
            # A deferred transaction: all four queries see the same moment.
            connection.execute("BEGIN")
            try:
                return self._read_snapshot(mapping_version)
            finally:
                connection.execute("COMMIT")

    def find(self, keys: Sequence[str], fields: Sequence[str]) -> dict[str, ExistingRecord]:
        """Return the records with these keys, with the values of ``fields``, by key."""
        columns = _comma(fields)
        sql = (
            f"SELECT {self._key}, rowId, contentHash, {columns} FROM {self._table} "
            f"WHERE {self._key} IN (SELECT value FROM json_each(:keys))"
        )
        with translated(self._database.path):
            rows = self._tuples().execute(sql, {"keys": json.dumps(keys)})
            return {row[0]: ExistingRecord(row[1], row[2], row[3:]) for row in rows}

    def rows(
        self, row_ids: Sequence[int], fields: Sequence[str]
    ) -> Iterator[tuple[int, tuple[Value, ...]]]:
        """Read the rows with these numbers: each with the values of ``fields``."""
        sql = (
            f"SELECT rowId, {_comma(fields)} FROM {self._table} "
            "WHERE rowId IN (SELECT value FROM json_each(:rows)) ORDER BY rowId"
        )
        for start in range(0, len(row_ids), _ROWS_AT_ONCE):
            chunk = list(row_ids[start : start + _ROWS_AT_ONCE])
            for row in self._database.rows(sql, {"rows": json.dumps(chunk)}):
                yield row[0], tuple(row)[1:]

    def apply(self, plan: Plan, session_id: str, epoch: int, control: Control) -> None:
        """Write ``plan`` and its change log, signed with ``epoch``, in the open transaction.

        Raises:
            RunStopped: ``control`` ended the run; the caller rolls back.
        """
        with self._database.transaction() as connection:
            now = self._clock.now_ms()
            if not plan.is_empty():
                self._keep_mapping(connection, plan.mapping_version)
            if plan.is_logged():
                self._advance_log(connection, now)
            PlanWriter(connection, self._resource, session_id, epoch, now).write(plan, control)
            # A missing record is deleted or not by what the next extract holds: read it.
            validator = None if plan.missing else plan.validator
            coverage = None if plan.coverage is None else plan.coverage.after
            self._keep_state(connection, coverage, validator)

    def coverage(self, rows: Sequence[int] | None = None) -> Coverage:
        """Return the coverage of these rows, else of all active ones."""
        names = self._resource.field_names
        counts = (f"COUNT(NULLIF(TRIM({quoted(name)}, :spaces), ''))" for name in names)
        which = "rowId IN (SELECT value FROM json_each(:rows))"
        found = self._database.row(
            f"SELECT COUNT(*), {', '.join(counts)} FROM {self._table} "
            f"WHERE {'deletedAt IS NULL' if rows is None else which}",
            {"spaces": _SPACES, "rows": None if rows is None else json.dumps(list(rows))},
        )
        total, *filled = found or (0, *[0] * len(names))
        return Coverage(total, dict(zip(names, filled, strict=True)))

    def validator(self, mapping_version: str) -> str | None:
        """Return what the source gave with the extract that the catalogue holds.

        None where something speaks for reading everything: another mapping, missing
        records, an edit by somebody else, an attempt that went wrong since.
        """
        row = self._database.row(
            "SELECT validator FROM catalogue_state WHERE resource = :resource "
            "AND mappingVersion = :mappingVersion AND validator IS NOT NULL",
            {"resource": self._resource.name, "mappingVersion": mapping_version},
        )
        if row is None:
            return None
        kept = json.loads(row["validator"])
        # A greater number than there was then: somebody else has added a row.
        is_ours = kept["newestRow"] == self._newest(self._resource.name)
        return str(kept["value"]) if is_ours else None

    def has_changes_since(self, change_id: int) -> bool:
        """Return whether the log still holds every change after ``change_id``.

        The oldest go first, so that one which is as old tells.
        """
        if change_id >= self.newest_change():
            return True
        query = (
            f"SELECT (SELECT MIN(id) FROM {self._changes}) <= MAX(:id, firstChangesAfter) + 1 "
            "FROM catalogue_state WHERE resource = :resource"
        )
        row = self._database.row(query, {"id": change_id, "resource": self._resource.name})
        return row is not None and row[0] == 1

    def roll_back(self, rollback: Rollback, control: Control) -> PlanCounts:
        """Undo what ``rollback`` names, log it like any change, in the open transaction.

        Returns:
            How many records were updated, deleted and restored by it.

        Raises:
            RunStopped: ``control`` ended the run; the caller rolls back.
        """
        with self._database.transaction() as connection:
            now = self._clock.now_ms()
            self._advance_log(connection, now)
            counts = CatalogueRollback(connection, self._resource, rollback, now).write(control)
            self._keep_state(connection, self.coverage(), None)
            connection.execute(
                "UPDATE catalogue_state SET revision = revision + 1 WHERE resource = :resource",
                {"resource": self._resource.name},
            )
        return counts

    def newest_change(self) -> int:
        """Return the id of the newest change, 0 where there is none; ids are never reused."""
        return self._newest(self._resource.change_table)

    def _newest(self, table: str) -> int:
        query = "SELECT seq FROM sqlite_sequence WHERE name = :name"
        row = self._database.row(query, {"name": table})
        return row[0] if row else 0

    def updates_since(self, change_id: int, limit: int) -> dict[tuple[str, str], Value]:
        """Return what fields held before each of the first updates after ``change_id``.

        By the record's key and the field; at most ``limit`` of them.
        """
        rows = self._database.rows(
            f"SELECT {quoted(self._resource.change_key)}, field, oldValue FROM {self._changes} "
            "WHERE id > :id AND changeType = 'updated' ORDER BY id LIMIT :limit",
            {"id": change_id, "limit": limit},
        )
        return {(row[0], row[1]): row[2] for row in rows}

    def count(self) -> Mapping[str, int]:
        """Return how many records are active and how many are deleted."""
        row = self._database.row(
            "SELECT COUNT(*) FILTER (WHERE deletedAt IS NULL) AS active, "
            f"COUNT(*) FILTER (WHERE deletedAt IS NOT NULL) AS deleted FROM {self._table}"
        )
        return {"active": row["active"], "deleted": row["deleted"]} if row else {}

    def _read_snapshot(self, mapping_version: str) -> CatalogueSnapshot:
        cursor = self._tuples()
        state = cursor.execute(
            "SELECT mappingVersion, coverage FROM catalogue_state WHERE resource = :resource",
            {"resource": self._resource.name},
        ).fetchone()
        known, coverage = state or (None, None)
        hashes = row_by_hash(cursor, self._resource, "sourceHash")
        states = row_states(cursor, self._resource)
        return CatalogueSnapshot(
            row_by_hash=hashes,
            unhashed=states.unhashed,
            # A hash covers the key, so no two rows share one.
            active=len(hashes) - states.deleted_hashes + len(states.unhashed),
            deleted=states.deleted,
            missed=states.missed,
            is_same_mapping=known == mapping_version,
            coverage=Coverage(**json.loads(coverage)) if coverage else None,
            row_by_content=self._row_by_content,
        )

    def _row_by_content(self) -> dict[bytes, int]:
        with translated(self._database.path):
            return row_by_hash(self._tuples(), self._resource, "contentHash")

    def _tuples(self) -> sqlite3.Cursor:
        """Return a cursor whose rows are plain tuples: many are read."""
        cursor = self._database.connection().cursor()
        cursor.row_factory = None
        return cursor

    def _advance_log(self, connection: sqlite3.Connection, now: int) -> None:
        """Let the ids of what is logged next begin with the time, in microseconds.

        They are cursors of those who follow the log. So none stands for two changes, not even
        where the file was replaced by an older copy or by a new one: what was logged after
        the copy was made had the ids of its own time.
        """
        name, newest = self._resource.change_table, self.newest_change()
        if newest == 0:
            connection.execute(
                "UPDATE catalogue_state SET firstChangesAfter = :id WHERE resource = :resource",
                {"id": now * _MICROSECONDS, "resource": self._resource.name},
            )
            insert = "INSERT INTO sqlite_sequence (name, seq) VALUES (:name, 0)"
            connection.execute(insert, {"name": name})
        connection.execute(
            "UPDATE sqlite_sequence SET seq = :id WHERE name = :name AND seq < :id",
            {"id": now * _MICROSECONDS, "name": name},
        )

    def _keep_mapping(self, connection: sqlite3.Connection, mapping_version: str) -> None:
        connection.execute(
            "INSERT INTO catalogue_state (resource, mappingVersion, revision) "
            "VALUES (:resource, :mappingVersion, 1) ON CONFLICT (resource) DO UPDATE "
            "SET mappingVersion = excluded.mappingVersion, revision = revision + 1",
            {"resource": self._resource.name, "mappingVersion": mapping_version},
        )

    def _keep_state(
        self, connection: sqlite3.Connection, coverage: Coverage | None, validator: str | None
    ) -> None:
        newest = self._newest(self._resource.name)
        said = None if validator is None else {"value": validator, "newestRow": newest}
        state = {
            "resource": self._resource.name,
            "coverage": None if coverage is None else json.dumps(asdict(coverage)),
            "validator": None if said is None else json.dumps(said),
        }
        connection.execute(
            "UPDATE catalogue_state SET coverage = :coverage, validator = :validator "
            "WHERE resource = :resource",
            state,
        )


def _comma(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))
