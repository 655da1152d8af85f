"""What the steps of writing cost by themselves: no sync that takes them is faster.

Each works on what the step before it made, which is not timed.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xxhash
from engine import PayloadSource, Unstoppable
from files import working_copy
from measure import Measured, stopwatch
from payload import COLUMNS, Payload

from archibald_sync.clock import SystemClock
from archibald_sync.domain.columns import ColumnReader
from archibald_sync.domain.normalise import Normaliser
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.storage.catalogue import SqliteCatalogue
from archibald_sync.storage.change_log import ChangeLog
from archibald_sync.storage.connection import Database
from archibald_sync.storage.migrate import migrate
from archibald_sync.storage.spool import FileSpool

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

_AT_ONCE = 200
_FIELDS = [PRODUCTS.fields_by_name[name] for name in COLUMNS]
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_OWN = "sourceHash, contentHash, createdAt, updatedAt"
_CHANGED = ("purchasePrice", "modifiedAtSource")
_SESSION, _NOW = "products-sync-1764000000000", 1_764_000_000_000


def decode(payload: str) -> Measured:
    """Cut the pages into records, hash their bytes, and decode the mapped fields."""
    measured = Measured()
    with stopwatch(measured):
        for _ in _decoded(payload):
            pass
    return measured


def read(payload: str) -> Measured:
    """Read decoded records by the types of their fields; join and hash their contents."""
    total, reader, digest = Measured(), _reader(), xxhash.xxh3_128_digest
    for page in _decoded(payload):
        measured = Measured()
        with stopwatch(measured):
            for start in range(0, len(page), _AT_ONCE):
                for _, content in _fitting(reader, page[start : start + _AT_ONCE]):
                    digest(content)
        total.seconds += measured.seconds
        total.cpu_seconds += measured.cpu_seconds
    return total


def spool(payload: str, folder: str) -> Measured:
    """Put the values of all records aside, and read them back."""
    rows, measured = _rows(payload), Measured()
    aside = FileSpool(Path(folder))
    with stopwatch(measured):
        for row in rows:
            aside.append(row)
        for _ in aside:
            pass
    return measured


def insert(payload: str, folder: str) -> Measured:
    """Insert all records into an empty catalogue with one ``executemany``."""
    rows, measured = _rows(payload), Measured()
    marks = ", ".join("?" * (len(COLUMNS) + 4))
    with working_copy(None, Path(folder)) as path, _written(path, measured) as connection:
        connection.executemany(
            f"INSERT INTO products ({_NAMES}, {_OWN}) VALUES ({marks})",  # noqa: S608  # declared
            ((*row, row[0].encode(), row[0].encode(), _NOW, _NOW) for row in rows),
        )
    return measured


def find(database: str) -> Measured:
    """Read the delivered fields of all records, by their keys."""
    measured, store = Measured(), Database(Path(database))
    catalogue = SqliteCatalogue(store, SystemClock(), PRODUCTS)
    keys = iter([row[0] for row in store.rows("SELECT id FROM products ORDER BY rowId")])
    with stopwatch(measured):
        while some := list(islice(keys, _AT_ONCE)):
            catalogue.find(some, tuple(COLUMNS))
    store.close()
    return measured


def update(database: str, folder: str) -> Measured:
    """Update two fields and the fingerprints of all records with one ``executemany``."""
    measured = Measured()
    with working_copy(Path(database), Path(folder)) as path, _written(path, measured) as connection:
        rows = range(1, connection.execute("SELECT MAX(rowId) FROM products").fetchone()[0] + 1)
        connection.executemany(
            "UPDATE products SET purchasePrice = ?, modifiedAtSource = ?, sourceHash = ?, "
            "contentHash = ?, updatedAt = ?, missingRuns = 0 WHERE rowId = ?",
            (
                (f"{row / 100:.2f}", "2026-11-24T06:00:00", b"%d" % row, b"%d" % row, _NOW, row)
                for row in rows
            ),
        )
    return measured


def log(database: str, folder: str, fields: int) -> Measured:
    """Insert so many change rows a record, by the hundred."""
    measured, store = Measured(), Database(Path(database))
    keys = [row[0] for row in store.rows("SELECT id FROM products ORDER BY rowId")]
    store.close()
    names = _CHANGED[:fields]
    changes = ((key, "updated", name, "12.50", "13.75") for key in keys for name in names)
    with working_copy(Path(database), Path(folder)) as path, _written(path, measured) as connection:
        change_log = ChangeLog(connection, PRODUCTS, _SESSION, 1, _NOW)
        while some := list(islice(changes, _AT_ONCE)):
            change_log.extend(some)
        change_log.flush()
    return measured


def _decoded(payload: str) -> Iterator[list[tuple[object, ...]]]:
    source = PayloadSource(Payload(Path(payload)))
    for page in source.pages(Unstoppable()):
        yield page.decode(range(len(page.fingerprints)))


def _reader() -> ColumnReader:
    return ColumnReader(Normaliser(_FIELDS))


def _fitting(reader: ColumnReader, records: Sequence[tuple[object, ...]]) -> Iterator[Any]:
    return iter(reader.read(records))


def _rows(payload: str) -> list[tuple[Any, ...]]:
    reader = _reader()
    return [values for page in _decoded(payload) for values, _ in _fitting(reader, page)]


@contextmanager
def _written(path: Path, measured: Measured) -> Iterator[sqlite3.Connection]:
    """Measure the block, in a transaction, with its commit."""
    store = Database(path)
    migrate(store, "main", [PRODUCTS])
    store.connection().execute("DROP TRIGGER products_foreign_edit")
    with stopwatch(measured), store.transaction() as connection:
        yield connection
    store.close()
