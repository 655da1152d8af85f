"""Writes the change log of a resource, many rows with a statement.

A statement a row costs twice as much: each one keeps the numbering of the table anew.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from archibald_sync.storage.catalogue_schema import quoted

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable

    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.resources import Resource

    # Key of the record, kind of change, field, its old and its new value.
    Change = tuple[str, str, str | None, Value, Value]

# Longer statements gain nothing.
_ROWS_A_STATEMENT = 100


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
        self._signature = (session_id, now, epoch)
        self._waiting: list[Change] = []
        self._one = _statement(resource, 1)
        self._many = _statement(resource, _ROWS_A_STATEMENT)

    def extend(self, changes: Iterable[Change]) -> None:
        """Add ``changes``; what does not fill a statement waits for more, or for `flush`."""
        waiting, size = self._waiting, _ROWS_A_STATEMENT
        waiting.extend(changes)
        full = len(waiting) - len(waiting) % size
        parts = (waiting[start : start + size] for start in range(0, full, size))
        rows = ((*self._signature, *chain.from_iterable(part)) for part in parts)
        self._connection.executemany(self._many, rows)
        del waiting[:full]

    def flush(self) -> None:
        """Write what waits."""
        rows = ((*self._signature, *change) for change in self._waiting)
        self._connection.executemany(self._one, rows)
        self._waiting.clear()


def _statement(resource: Resource, rows: int) -> str:
    """Return what writes so many changes: the signature once, then each change."""
    return (
        f"INSERT INTO {quoted(resource.change_table)} (sessionId, changedAt, epoch, "
        f"{quoted(resource.change_key)}, changeType, field, oldValue, newValue) "
        "SELECT ?, ?, ?, column1, column2, column3, column4, column5 "
        f"FROM (VALUES {', '.join(['(?, ?, ?, ?, ?)'] * rows)})"
    )
