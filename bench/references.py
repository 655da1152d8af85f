"""What the rows of the table are compared with: the least that such work can cost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import orjson
from files import working_copy
from measure import Measured, stopwatch
from payload import COLUMNS, Payload


def pagewise(payload: str) -> Measured:
    """Decode a payload page by page with orjson, each page dropped: P."""
    source, measured = Payload(Path(payload)), Measured()
    with stopwatch(measured):
        for page in source.pages():
            orjson.loads(page)
    return measured


def whole(payload: str) -> Measured:
    """Decode a payload as one piece with orjson: F."""
    source, measured = Payload(Path(payload)), Measured()
    body = b"[" + b",".join(source.pages()) + b"]"
    with stopwatch(measured):
        orjson.loads(body)
    return measured


def bare_load(payload: str, folder: str) -> Measured:
    """Decode page by page (P), and write the decoded rows with one ``executemany``.

    The table is empty, keyed by the id as ours is, in a file with our pragmas. The rows
    that are written have been decoded before, so that decoding is timed once.
    """
    source = Payload(Path(payload))
    measured = pagewise(payload)
    rows = [tuple(item.values()) for page in source.pages() for item in orjson.loads(page)["items"]]
    writing = Measured()
    with working_copy(None, Path(folder)) as path:
        connection = _bare_table(path)
        marks = ", ".join("?" * len(COLUMNS))
        with stopwatch(writing):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO bare VALUES ({marks})", rows)  # noqa: S608  # marks
            connection.execute("COMMIT")
        connection.close()
    measured.seconds += writing.seconds
    measured.cpu_seconds += writing.cpu_seconds
    return measured


def _bare_table(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    key, *others = COLUMNS
    columns = ", ".join(f'"{name}" TEXT' for name in others)
    connection.execute(f'CREATE TABLE bare ("{key}" TEXT PRIMARY KEY, {columns})')
    return connection
