"""The fingerprints and states of a catalogue, read into memory: every run begins with them.

They come out of an index of their own; the rest of the rows is not touched.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.storage.catalogue_schema import quoted

if TYPE_CHECKING:
    import sqlite3

    from archibald_sync.domain.resources import Resource

_AT_ONCE = 1_000
_HASH_BYTES = 16
_split = struct.Struct(f"{_HASH_BYTES}s" * _AT_ONCE).unpack


def row_by_hash(cursor: sqlite3.Cursor, resource: Resource, column: str) -> dict[bytes, int]:
    """Return the row numbers by ``column``, a hash; in the order of the rows.

    SQLite joins a thousand hashes in half the time that it needs to hand them over one by
    one. It does not join them where a number is not given to a row with a hash.

    Args:
        cursor: It gives rows as plain tuples.
        resource: Whose catalogue is read.
        column: The name of the column: ``sourceHash`` or ``contentHash``.
    """
    table, name = quoted(resource.name), quoted(column)
    # Rows come by number: no other order leads through a range of them.
    within = f"FROM {table} WHERE rowId BETWEEN ? AND ? AND {name} IS NOT NULL"
    joined = f"SELECT COUNT(*), CAST(GROUP_CONCAT({name}, '') AS BLOB) {within}"
    rows = f"SELECT {name}, rowId {within}"
    # Each by itself: asked for together, SQLite looks at every row.
    ends = (f"(SELECT {end}(rowId) FROM {table})" for end in ("MIN", "MAX"))
    lowest, highest = cursor.execute(f"SELECT {', '.join(ends)}").fetchone()
    if lowest is None:
        return {}
    found: dict[bytes, int] = {}
    for first in range(lowest, highest + 1, _AT_ONCE):
        bounds = first, first + _AT_ONCE - 1
        count, hashes = cursor.execute(joined, bounds).fetchone()
        if count == _AT_ONCE and len(hashes) == _AT_ONCE * _HASH_BYTES:
            found.update(zip(_split(hashes), range(first, first + _AT_ONCE), strict=True))
        elif count:
            found.update(cursor.execute(rows, bounds))
    return found


@dataclass(frozen=True, slots=True)
class RowStates:
    """The rows that are not simply there, by their numbers.

    ``deleted`` are those marked as deleted; of the others, ``unhashed`` have no source
    hash, and ``missed`` were missing before, with how often. ``deleted_hashes`` is how
    many deleted rows have a source hash.
    """

    deleted: frozenset[int]
    deleted_hashes: int
    unhashed: tuple[int, ...]
    missed: dict[int, int]


def row_states(cursor: sqlite3.Cursor, resource: Resource) -> RowStates:
    """Return the states of all rows; ``cursor`` gives plain tuples."""
    rows = cursor.execute(
        "SELECT rowId, sourceHash IS NULL, deletedAt IS NOT NULL, missingRuns "
        f"FROM {quoted(resource.name)} "
        "WHERE sourceHash IS NULL OR deletedAt IS NOT NULL OR missingRuns > 0"
    ).fetchall()
    return RowStates(
        deleted=frozenset(row for row, _, is_deleted, _ in rows if is_deleted),
        deleted_hashes=sum(is_deleted > is_bare for _, is_bare, is_deleted, _ in rows),
        unhashed=tuple(row for row, is_bare, is_deleted, _ in rows if is_bare > is_deleted),
        missed={row: runs for row, _, is_deleted, runs in rows if runs and not is_deleted},
    )
