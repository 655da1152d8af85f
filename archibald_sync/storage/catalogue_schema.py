"""The tables of a resource's catalogue, generated from its declaration.

Identifiers come from `Resource` alone, and are checked again here: nothing that
came from outside ever becomes part of a statement.
"""

# ruff: noqa: S608  # identifiers come from declarations and are checked by `quoted`

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archibald_sync.domain.resources import FieldType

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from archibald_sync.domain.resources import Resource

CHANGE_TYPES = ("created", "updated", "deleted", "restored", "renamed")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_COLUMN_TYPES = {
    FieldType.TEXT: "TEXT",
    FieldType.INTEGER: "INTEGER",
    FieldType.DECIMAL: "TEXT",
    FieldType.BOOLEAN: "INTEGER",
    FieldType.DATETIME: "TEXT",
}


def quoted(identifier: str) -> str:
    """Return an identifier of a declaration, quoted for SQL.

    Raises:
        ValueError: It is not a plain identifier.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        raise ValueError(f"not an identifier: {identifier!r}")
    return f'"{identifier}"'


def is_complete(connection: sqlite3.Connection, resource: Resource) -> bool:
    """Return whether fields, kinds of change, triggers and the index of ``resource`` are there."""
    has_fields = set(resource.field_names) <= _columns(connection, resource)
    has_triggers = {create(resource) for create in _FOREIGN.values()} <= _triggers(connection)
    has_index = _has_index(connection, _states_index(resource))
    return has_fields and has_triggers and has_index and not _refuses_changes(connection, resource)


def catalogue_statements(connection: sqlite3.Connection, resource: Resource) -> Iterator[str]:
    """Yield what is missing of the tables of ``resource``: tables, columns, trigger."""
    table = quoted(resource.name)
    yield _create_table(resource)
    yield _create_changes(resource)
    if _refuses_changes(connection, resource):
        yield from _renewed_changes(resource)
    yield (
        f"CREATE INDEX IF NOT EXISTS {quoted(f'idx_{resource.change_table}_record')} "
        f"ON {quoted(resource.change_table)}({quoted(resource.change_key)}, id)"
    )
    # Whoever compares, or lists by the last change, reads these of every row: from here
    # without the rest of the rows, and in their order, so that it grows at its end. An index
    # by the last change would cost a sync of one row in a hundred 4 % of its time.
    yield (
        f"CREATE INDEX IF NOT EXISTS {quoted(_states_index(resource))} ON {table}"
        "(rowId, sourceHash, contentHash, deletedAt, missingRuns, updatedAt)"
    )
    # What earlier versions had in its place, without the last change.
    yield f"DROP INDEX IF EXISTS {quoted(f'idx_{resource.name}_fingerprints')}"
    yield from _create_search(resource)
    present = _columns(connection, resource)
    for field in resource.fields:
        if present and field.name not in present:
            column = f"{quoted(field.name)} {_COLUMN_TYPES[field.type]}"
            yield f"ALTER TABLE {table} ADD COLUMN {column}"
    for what, create in _FOREIGN.items():
        yield f"DROP TRIGGER IF EXISTS {quoted(f'{resource.name}_foreign_{what}')}"
        yield create(resource)


@contextmanager
def unwatched(connection: sqlite3.Connection, resource: Resource) -> Iterator[None]:
    """Write inside the block without looking for edits by others, in the open transaction.

    Nobody else writes in the meantime; where the block fails, the rollback that must follow
    brings the trigger back.
    """
    connection.execute(f"DROP TRIGGER IF EXISTS {quoted(f'{resource.name}_foreign_edit')}")
    yield
    connection.execute(_on_foreign_edit(resource))


def _columns(connection: sqlite3.Connection, resource: Resource) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA table_info({quoted(resource.name)})")}


def _states_index(resource: Resource) -> str:
    return f"idx_{resource.name}_states"


def _has_index(connection: sqlite3.Connection, name: str) -> bool:
    query = "SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = :name"
    return connection.execute(query, {"name": name}).fetchone() is not None


def _triggers(connection: sqlite3.Connection) -> set[str]:
    """Return the triggers of the file as they were written."""
    return {
        row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'trigger'")
    }


def _create_table(resource: Resource) -> str:
    key, *others = resource.fields
    columns = ",\n  ".join(
        [
            "rowId INTEGER PRIMARY KEY AUTOINCREMENT",
            f"{quoted(key.name)} TEXT NOT NULL UNIQUE",
            *(f"{quoted(field.name)} {_COLUMN_TYPES[field.type]}" for field in others),
            "sourceHash BLOB",
            "contentHash BLOB",
            "createdAt INTEGER NOT NULL",
            "updatedAt INTEGER NOT NULL",
            "missingRuns INTEGER NOT NULL DEFAULT 0",
            "deletedAt INTEGER",
        ]
    )
    return f"CREATE TABLE IF NOT EXISTS {quoted(resource.name)} (\n  {columns}\n) STRICT"


def _refuses_changes(connection: sqlite3.Connection, resource: Resource) -> bool:
    """Return whether the change log was made when there were fewer kinds of change."""
    table = {"name": resource.change_table}
    row = connection.execute("SELECT sql FROM sqlite_schema WHERE name = :name", table).fetchone()
    return row is not None and not all(f"'{kind}'" in row[0] for kind in CHANGE_TYPES)


def _renewed_changes(resource: Resource) -> Iterator[str]:
    """Yield what makes the change log anew: SQLite cannot change a CHECK.

    Its ids are cursors of those who follow it: none changes, and none is used again.
    """
    old, draft = resource.change_table, f"{resource.change_table}_new"
    yield _create_changes(resource, draft)
    yield f"INSERT INTO {quoted(draft)} SELECT * FROM {quoted(old)}"
    yield f"DELETE FROM sqlite_sequence WHERE name = '{draft}'"
    yield (
        f"INSERT INTO sqlite_sequence (name, seq) SELECT '{draft}', seq FROM sqlite_sequence "
        f"WHERE name = '{old}'"
    )
    yield f"DROP TABLE {quoted(old)}"
    yield f"ALTER TABLE {quoted(draft)} RENAME TO {quoted(old)}"


def _create_changes(resource: Resource, table: str | None = None) -> str:
    kinds = ", ".join(f"'{kind}'" for kind in CHANGE_TYPES)
    return (
        f"CREATE TABLE IF NOT EXISTS {quoted(table or resource.change_table)} (\n"
        "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
        f"  {quoted(resource.change_key)} TEXT NOT NULL,\n"
        "  sessionId TEXT NOT NULL,\n"
        "  changeType TEXT NOT NULL "
        f"CHECK (changeType IN ({kinds})),\n"
        "  field TEXT,\n"
        "  oldValue ANY,\n"
        "  newValue ANY,\n"
        "  changedAt INTEGER NOT NULL,\n"
        "  epoch INTEGER NOT NULL\n"
        ") STRICT"
    )


def _create_search(resource: Resource) -> Iterator[str]:
    """Declare the words of a resource, with accents folded and prefixes of 2 and 3 letters.

    The table keeps its own copy of the words: to forget a row by number alone it must.
    """
    if not resource.searched:
        return
    tokenizer = "tokenize = \"unicode61 remove_diacritics 2\", prefix = '2 3'"
    yield (
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {quoted(resource.search_table)} "
        f"USING fts5({_comma(resource.searched)}, {tokenizer})"
    )
    # No more than these: each one is paid for by every row that a sync writes.
    for name in filter(None, (resource.group, resource.name_field)):
        index, expression = quoted(f"idx_{resource.name}_{name}"), sort_expression(resource, name)
        yield f"CREATE INDEX IF NOT EXISTS {index} ON {quoted(resource.name)}({expression})"


def sort_expression(resource: Resource, name: str) -> str:
    """Return what records are sorted by: never NULL, which no page would end behind."""
    column = quoted(name)
    return column if name in {resource.key.name, "updatedAt"} else f"IFNULL({column}, '')"


def _on_foreign_edit(resource: Resource) -> str:
    """Forget the fingerprints of a row that somebody else edits, and what was counted.

    Whoever has the catalogue as it was learns that it is another one.

    The next run then reads everything, compares the row field by field, puts it right
    and counts anew. In place of the content hash comes what no other edit leaves, and is
    too short for a hash: so a run that has compared the row tells whether it was edited
    since.
    """
    table = quoted(resource.name)
    watched = _comma(field.name for field in resource.fields)
    return (
        f"CREATE TRIGGER {quoted(f'{resource.name}_foreign_edit')} "
        f"AFTER UPDATE OF {watched} ON {table}\n"
        "WHEN NEW.contentHash IS OLD.contentHash\n"
        f"BEGIN\n  UPDATE {table} SET sourceHash = NULL, contentHash = randomblob(8) "
        f"WHERE rowId = NEW.rowId;\n  {_forget_state(resource)}\nEND"
    )


def _on_foreign_delete(resource: Resource) -> str:
    """Read everything next time: no run takes a row away for good."""
    return (
        f"CREATE TRIGGER {quoted(f'{resource.name}_foreign_delete')} "
        f"AFTER DELETE ON {quoted(resource.name)}\n"
        f"BEGIN\n  {_forget_state(resource)}\nEND"
    )


def _forget_state(resource: Resource) -> str:
    """Return what forgets it, and counts the edit as a revision of the catalogue."""
    return (
        "UPDATE catalogue_state SET coverage = NULL, validator = NULL, revision = revision + 1 "
        f"WHERE resource = '{resource.name}';"
    )


# None on INSERT: it would make a first load nearly twice as long.
_FOREIGN = {"edit": _on_foreign_edit, "delete": _on_foreign_delete}


def _comma(names: Sequence[str] | Iterator[str]) -> str:
    return ", ".join(quoted(name) for name in names)
