"""Writes the change log of a resource."""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from archibald_sync.storage.catalogue_schema import quoted
from archibald_sync.storage.many_rows import ROWS_A_STATEMENT, values_of, write_rows

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.resources import Resource

    # Key of the record, kind of change, field, its old and its new value.
    Change = tuple[str, str, str | None, Value, Value]


class ChangeLog:
    """The changes of one session, in the open transaction."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        resource: Resource,
        session_id: str,
        epoch: int,
        now: int,
    ) -> None:
        """Prepare to sign each change with session, epoch and time."""
        self._connection = connection
        self._statement = partial(_statement, resource)
        self._signature = (session_id, now, epoch)
        self._waiting: list[Change] = []

    def extend(self, changes: Iterable[Change]) -> None:
        """Add ``changes``; what does not fill a statement waits for more, or for `flush`."""
        self._waiting.extend(changes)
        full = len(self._waiting) - len(self._waiting) % ROWS_A_STATEMENT
        self._write(full)

    def flush(self) -> None:
        """Write what waits."""
        self._write(len(self._waiting))

    def _write(self, count: int) -> None:
        write_rows(self._connection, self._statement, self._signature, self._waiting[:count])
        del self._waiting[:count]


def _statement(resource: Resource, rows: int) -> str:
    """Return what writes so many changes: the signature once, then each change."""
    return (
        f"INSERT INTO {quoted(resource.change_table)} (sessionId, changedAt, epoch, "
        f"{quoted(resource.change_key)}, changeType, field, oldValue, newValue) "
        "SELECT ?, ?, ?, column1, column2, column3, column4, column5 "
        f"FROM {values_of(5, rows)}"
    )
