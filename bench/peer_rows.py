"""The peer that most people write first: SELECT each row, UPDATE it where it differs.

All of it in one transaction: a commit a row would be some seventy times slower still.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
from files import working_copy
from measure import Measured, stopwatch
from payload import COLUMNS, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY, *_OTHERS = COLUMNS.values()
_NAMES = [f'"{name}"' for name in (_KEY, *_OTHERS)]
_INSERT = f"INSERT INTO products VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608  # ours
_SELECT = f"SELECT {', '.join(_NAMES)} FROM products WHERE {_NAMES[0]} = ?"  # noqa: S608  # ours
_UPDATE = f"UPDATE products SET {' = ?, '.join(_NAMES[1:])} = ? WHERE {_NAMES[0]} = ?"  # noqa: S608  # ours


def load(payload: str, target: str) -> Measured:
    """Fill a new database."""
    connection = _open(Path(target))
    columns = ", ".join([f"{_NAMES[0]} TEXT PRIMARY KEY", *(f"{n} TEXT" for n in _NAMES[1:])])
    connection.execute(f"CREATE TABLE products ({columns})")
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_INSERT, _rows(Path(payload)))
    connection.close()
    return Measured()


def sync(payload: str, target: str, folder: str) -> Measured:
    """Bring a copy of the database up to date."""
    measured = Measured()
    changed = 0
    with working_copy(Path(target), Path(folder)) as path:
        connection = _open(path)
        with stopwatch(measured):
            connection.execute("BEGIN IMMEDIATE")
            for row in _rows(Path(payload)):
                known = connection.execute(_SELECT, (row[0],)).fetchone()
                if known is None:
                    connection.execute(_INSERT, row)
                elif known != row:
                    connection.execute(_UPDATE, (*row[1:], row[0]))
                    changed += 1
            connection.execute("COMMIT")
        connection.close()
    measured.facts["updated"] = changed
    return measured


def _rows(payload: Path) -> Iterator[tuple[str, ...]]:
    for page in Payload(payload).pages():
        for item in orjson.loads(page)["items"]:
            yield tuple(item.values())


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection
