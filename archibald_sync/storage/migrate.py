"""Bring a database file to the schema that this version needs.

Steps are forward only and each is one transaction. A file that holds data is copied
before it is changed. A newer file is refused: an older version must not guess.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib import resources
from typing import TYPE_CHECKING

from archibald_sync.errors import SchemaVersionError, StorageCorruptError
from archibald_sync.storage.catalogue_schema import catalogue_statements, is_complete
from archibald_sync.storage.connection import translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archibald_sync.domain.resources import Resource
    from archibald_sync.storage.connection import Database

_STEP = re.compile(r"(?P<version>\d{4})_\w+\.sql")


def migrate(database: Database, family: str, resources_: Iterable[Resource] = ()) -> int:
    """Apply the missing steps of ``family`` and declare ``resources_``; return the version.

    Safe to run from several processes at once.

    Args:
        database: The file; made where it does not exist.
        family: The folder of migrations: ``main`` or ``priority``.
        resources_: The resources whose catalogue tables the file holds.

    Raises:
        SchemaVersionError: The file was written by a newer version.
        StorageCorruptError: The file is damaged.
    """
    database.create()
    steps, declared = _steps(family), tuple(resources_)
    _refuse_newer(database, max(steps))
    # Look before writing: a current file must open while somebody else writes to it.
    if not _is_current(database, max(steps), declared):
        with database.transaction() as connection:
            if 0 < _version(database) < max(steps):
                keep_copy(database)
            _apply(connection, steps, _version(database))
            for resource in declared:
                for statement in catalogue_statements(connection, resource):
                    connection.execute(statement)
    return _version(database)


def check_integrity(database: Database) -> None:
    """Refuse a damaged file.

    Raises:
        StorageCorruptError: SQLite's own quick check found damage.
    """
    row = database.row("PRAGMA quick_check(1)")
    if row is None or row[0] != "ok":
        raise StorageCorruptError(
            f"the file {database.path.name} is damaged; stop the service, put a copy in its "
            "place (the instance folder keeps one before each migration) and start again"
        )


def keep_copy(database: Database) -> None:
    """Copy the file beside itself, named after its schema version."""
    version = _version(database)
    target = database.path.with_name(f"{database.path.name}.v{version:04d}.bak")
    target.unlink(missing_ok=True)
    # A connection of its own: one that is writing cannot be copied from.
    source = f"{database.path.absolute().as_uri()}?mode=ro"
    with (
        translated(target),
        closing(sqlite3.connect(source, uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
    target.chmod(0o600)


def _is_current(database: Database, version: int, declared: Iterable[Resource]) -> bool:
    if _version(database) < version:
        return False
    with translated(database.path):
        return all(is_complete(database.connection(), resource) for resource in declared)


def _apply(connection: sqlite3.Connection, steps: Mapping[int, str], version: int) -> None:
    for number in sorted(steps):
        if number > version:
            for statement in _statements(steps[number]):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number:d}")


def _version(database: Database) -> int:
    row = database.row("PRAGMA user_version")
    return int(row[0]) if row else 0


def _refuse_newer(database: Database, known: int) -> None:
    found = _version(database)
    if found > known:
        raise SchemaVersionError(
            f"the database {database.path.name} has schema version {found}, this version of "
            f"archibald-sync knows {known}: install the newer version again, or restore the "
            f"copy {database.path.name}.v{known:04d}.bak"
        )


def _steps(family: str) -> dict[int, str]:
    folder = resources.files("archibald_sync.storage.migrations").joinpath(family)
    found = ((_STEP.fullmatch(entry.name), entry) for entry in folder.iterdir())
    return {int(match["version"]): entry.read_text("utf-8") for match, entry in found if match}


def _statements(script: str) -> Iterator[str]:
    """Split a script at its statements; executescript would commit in between."""
    pending = ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
