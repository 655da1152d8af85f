"""Statements that write many rows each: a statement a row costs up to twice as much."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence

# Longer statements gain nothing.
ROWS_A_STATEMENT = 100


def values_of(columns: int, rows: int) -> str:
    """Return ``rows`` of parameters as a table; its columns are column1, column2 and so on."""
    row = f"({', '.join('?' * columns)})"
    return f"(VALUES {', '.join([row] * rows)})"


def write_rows(
    connection: sqlite3.Connection,
    statement: Callable[[int], str],
    common: tuple[Any, ...],
    rows: Sequence[tuple[Any, ...]],
) -> None:
    """Write ``rows``, as many at once as a statement takes, and the rest one by one.

    Args:
        connection: It has the transaction open.
        statement: Returns what writes so many rows.
        common: The parameters of a statement before those of its rows.
        rows: The parameters of each row.
    """
    size = ROWS_A_STATEMENT
    full = len(rows) - len(rows) % size
    if full:
        parts = (rows[start : start + size] for start in range(0, full, size))
        connection.executemany(
            statement(size), ((*common, *chain.from_iterable(part)) for part in parts)
        )
    if full < len(rows):
        connection.executemany(statement(1), ((*common, *row) for row in rows[full:]))
