"""Connections to one SQLite file, and the one way to write to it.

One connection a process and thread, checked when it is opened. Every writer goes
through ``transaction()``: BEGIN IMMEDIATE … COMMIT inside a gate, which queues writers
and keeps clear of the WAL-reset bug of SQLite before 3.51.3, where two connections that
write or checkpoint at once can damage the file.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from archibald_sync.errors import (
    StorageBusyError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
)
from archibald_sync.storage.gate import Gate, GateBusyError, GateFullError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_PRAGMAS = (
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
)
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR})
_CORRUPT = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_Read = TypeVar("_Read")
_MOST_REMEMBERED = 4096  # of a thread


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise sqlite3's errors inside the block as errors of ours."""
    try:
        yield
    except sqlite3.Error as exc:
        raise _translation(exc, path) from exc


def _translation(exc: sqlite3.Error, path: Path) -> StorageError:
    # The low byte is the primary code; the rest only refines it.
    primary = (getattr(exc, "sqlite_errorcode", None) or 0) & 0xFF
    if primary in _BUSY:
        return _busy(path)
    if primary in _FULL:
        return _full(path)
    if primary in _CORRUPT:
        return StorageCorruptError(
            f"the file {path.name} is damaged or not a database; stop the service, put a copy "
            "in its place (the instance folder keeps one before each migration) and start again"
        )
    if primary == sqlite3.SQLITE_CANTOPEN:
        return StorageError(
            f"the database {path.name} cannot be opened; "
            "run `archibald-sync init`, or put the file back from a copy"
        )
    return StorageError(f"the database {path.name} refused a statement: {type(exc).__name__}")


def _busy(path: Path) -> StorageBusyError:
    return StorageBusyError(f"the database {path.name} is busy; try again in a moment")


def _full(path: Path) -> StorageFullError:
    # SQLite does not say whether its own temporary files were what found no room.
    return StorageFullError(
        f"the database {path.name} cannot be written; make room on the disk and in the folder "
        "that TMPDIR names (else /var/tmp), and check the permissions of its folder"
    )


def as_dict(row: sqlite3.Row) -> dict[str, Any]:
    """Return a row by column; ``dict(row)`` would look for each name among all of them."""
    return dict(zip(row.keys(), row, strict=True))


class _Local(threading.local):
    """What one thread keeps: its connection, whose it is, and how deep it writes."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.gate: Gate | None = None
        self.identity: tuple[int, int, int] | None = None
        self.log: tuple[int, int] | None = None
        self.pid = 0
        self.checked_until_s = 0.0
        self.depth = 0
        self.data_version: int | None = None
        self.strangers_version: int | None = None
        self.memory_version: tuple[int, int] | None = None
        self.memory: dict[str, Any] = {}


class Database:
    """One SQLite file, shared by the threads and processes of this machine."""

    def __init__(
        self, path: Path, *, busy_timeout_s: float = 5.0, looked_for_every_s: float = 0.0
    ) -> None:
        """Point at the file ``path``; nothing is opened before it is needed.

        Args:
            path: The database file; `create()` makes it.
            busy_timeout_s: How long a writer queues before `StorageBusyError`.
            looked_for_every_s: For how long a reader trusts that the file has not been
                replaced, nor written to past the gate; a writer always looks.
        """
        self.path = path
        self._busy_timeout_s = busy_timeout_s
        self._looked_for_every_s = looked_for_every_s
        self._gate_path = self._beside(".gate")
        self._local = _Local()
        # A forked child must neither use nor close its parent's connections.
        self._inherited: list[object] = []

    def create(self) -> None:
        """Make the file, readable by its owner only, where there is none yet."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for path in (self.path, self._gate_path):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection, opened anew after a fork or a replaced file.

        Raises:
            StorageError: The file is missing, damaged or cannot be opened.
        """
        local = self._local
        is_fresh = time.monotonic() < local.checked_until_s and local.pid == os.getpid()
        if is_fresh and local.connection is not None:
            return local.connection
        if local.connection is None or local.identity != self._identity():
            self._set_old_log_aside()
            self._drop()
            with translated(self.path):
                local.connection = self._open()
            local.identity = self._identity()
            local.log = _inode(self._beside("-wal"))
        local.pid = os.getpid()
        local.strangers_version = None
        local.checked_until_s = time.monotonic() + self._looked_for_every_s
        return local.connection

    def rows(self, sql: str, parameters: Any = ()) -> list[sqlite3.Row]:  # noqa: ANN401
        """Return all rows of a reading statement."""
        try:
            return self.connection().execute(sql, parameters).fetchall()
        except sqlite3.Error as exc:
            raise _translation(exc, self.path) from exc

    def row(self, sql: str, parameters: Any = ()) -> sqlite3.Row | None:  # noqa: ANN401
        """Return the first row of a reading statement, if any."""
        try:
            row: sqlite3.Row | None = self.connection().execute(sql, parameters).fetchone()
        except sqlite3.Error as exc:
            raise _translation(exc, self.path) from exc
        return row

    def has_changed(self) -> bool:
        """Return whether another connection wrote since this thread last asked."""
        version = self._data_version(self.connection())
        is_new = version != self._local.data_version
        self._local.data_version = version
        return is_new

    def remembered(self, name: str, read: Callable[[], _Read]) -> _Read:
        """Return what ``read`` found, which is asked again only when somebody has written.

        This is exact, and no matter of time, whichever thread or process writes: the gate
        counts them. A program that writes without knowing the gate is noticed when the
        file is looked for the next time. Inside a transaction, whose writes may yet be
        undone, and inside a snapshot, which is of the past, nothing is remembered; so whoever
        reads row by row does it in a snapshot.

        Args:
            name: Tells apart what is remembered.
            read: Reads from this database and nothing else. What it returns is shared: it
                must not be changed.
        """
        connection, local = self.connection(), self._local
        if connection.in_transaction:
            return read()
        # Asked before reading: what is written between the two is read, and read again.
        version = self._version(connection)
        if local.memory_version != version or len(local.memory) >= _MOST_REMEMBERED:
            local.memory = {}
            local.memory_version = version
        if name not in local.memory:
            local.memory[name] = read()
        found: _Read = local.memory[name]
        return found

    def _version(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Return what is another after each write: the gate's count, and SQLite's own where due."""
        local = self._local
        try:
            count = self._open_gate().count()
        except (OSError, StorageFullError):
            count = -1  # a folder that cannot be written can be read all the same
        if count % 2 or local.strangers_version is None:
            local.strangers_version = self._data_version(connection)
        return count, local.strangers_version

    def _data_version(self, connection: sqlite3.Connection) -> int:
        try:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as exc:
            raise _translation(exc, self.path) from exc

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read inside the block as of one moment, whatever is written meanwhile."""
        connection = self.connection()
        if connection.in_transaction:
            yield  # a writer sees its own moment
            return
        with translated(self.path):
            connection.execute("BEGIN")
            try:
                yield
            finally:
                connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Write inside the block: all of it or nothing; joins this thread's open one.

        Raises:
            StorageBusyError: Others wrote for longer than ``busy_timeout_s``.
            StorageFullError: There is no room, or the file is read-only.
        """
        local = self._local
        if local.depth and local.connection is not None:
            yield local.connection
            return
        local.checked_until_s = 0.0
        connection = self.connection()
        with self._gate(self._busy_timeout_s) as gate, translated(self.path), gate.counted():
            connection.execute("BEGIN IMMEDIATE")
            local.depth = 1
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                local.depth = 0
                # SQLite has rolled back by itself after SQLITE_FULL; a second
                # ROLLBACK would hide the cause.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def obstacle(self) -> StorageError | None:
        """Return what would keep a writer from writing now, if anything does.

        Neither writes nor waits: a full disk is told by its free blocks, anything else
        by a transaction that is begun and given up.
        """
        try:
            connection = self.connection()
            if not os.statvfs(self.path.parent).f_bavail:
                return _full(self.path)
            with self._gate(0), translated(self.path):
                connection.execute("PRAGMA busy_timeout = 0")
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.execute("ROLLBACK")
                finally:
                    self._set_busy_timeout(connection)
        except StorageError as exc:
            return exc
        return None

    def close(self) -> None:
        """Close this thread's connection."""
        self._drop()

    def _identity(self) -> tuple[int, int, int]:
        inode = _inode(self.path)
        if inode is None:
            raise StorageError(
                f"the database {self.path.name} is missing; "
                "run `archibald-sync init`, or put the file back from a copy"
            )
        return os.getpid(), *inode

    def _beside(self, suffix: str) -> Path:
        return self.path.with_name(self.path.name + suffix)

    def _set_old_log_aside(self) -> None:
        """Keep a file that took the place of ours from being read through the log of ours.

        SQLite would play the log that lies there into the new file, and mix both. Ours
        cannot be confused with one that the new file has got since: its inode is in use
        for as long as our connection is open.
        """
        local, log = self._local, self._beside("-wal")
        if local.identity is None or local.identity[0] != os.getpid() or local.log is None:
            return
        try:
            with self._gate(self._busy_timeout_s):
                if _inode(log) == local.log:
                    log.replace(self._beside("-wal.replaced"))
                    self._beside("-shm").unlink(missing_ok=True)
        except OSError as exc:
            raise _full(self.path) from exc

    def _open(self) -> sqlite3.Connection:
        uri = f"{self.path.absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None)
        connection.row_factory = sqlite3.Row
        self._set_busy_timeout(connection)
        self._ensure_wal(connection)
        for name, wanted, expected in _PRAGMAS:
            found = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if found != expected:
                connection.execute(f"PRAGMA {name} = {wanted}")
                found = connection.execute(f"PRAGMA {name}").fetchone()[0]
            if found != expected:
                connection.close()
                raise StorageError(f"SQLite does not accept {name} = {wanted} here: {found!r}")
        connection.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()  # opens the log
        return connection

    def _set_busy_timeout(self, connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA busy_timeout = {int(self._busy_timeout_s * 1000)}")

    def _ensure_wal(self, connection: sqlite3.Connection) -> None:
        """Switch a new file to WAL under the gate: the busy timeout does not cover this."""
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            with self._gate(self._busy_timeout_s):
                connection.execute("PRAGMA journal_mode = WAL")

    def _drop(self) -> None:
        local = self._local
        if local.connection is None:
            return
        if local.identity is not None and local.identity[0] != os.getpid():
            self._inherited.append(local.connection)
        else:
            local.connection.close()
        local.connection = local.gate = local.identity = local.data_version = None
        local.log = local.memory_version = None

    @contextmanager
    def _gate(self, timeout_s: float) -> Iterator[Gate]:
        """Queue for the right to write, for at most ``timeout_s`` seconds."""
        gate = self._open_gate()
        try:
            with gate.passed(timeout_s):
                yield gate
        except GateBusyError as exc:
            raise _busy(self.path) from exc
        except GateFullError as exc:
            raise _full(self.path) from exc

    def _open_gate(self) -> Gate:
        local = self._local
        if local.gate is None:
            try:
                local.gate = Gate(self._gate_path)
            except OSError as exc:
                raise StorageFullError(
                    f"the folder of {self.path.name} cannot be written; check its permissions"
                ) from exc
        return local.gate


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)  # noqa: PTH116  # with each statement, and twice as fast
    except OSError:
        return None
    return stat.st_dev, stat.st_ino
