"""A database of the first schema: what it holds survives, and what is new is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.storage import catalogue_schema, migrate
from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    from pathlib import Path

_OLD_KINDS = ("created", "updated", "deleted", "restored")


@pytest.fixture
def old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Return a database as the first version made it, with rows in it."""
    database = Database(tmp_path / "main.sqlite3")
    with monkeypatch.context() as patch:
        first = {1: migrate._steps("main")[1]}  # noqa: SLF001  # the script as it was shipped
        patch.setattr(migrate, "_steps", lambda _family: first)
        patch.setattr(catalogue_schema, "CHANGE_TYPES", _OLD_KINDS)
        assert migrate.migrate(database, "main", [PRODUCTS]) == 1
    with database.transaction() as connection:
        for key in ("A", "B", "C"):
            connection.execute(
                "INSERT INTO product_changes (productId, sessionId, changeType, changedAt, epoch) "
                "VALUES (?, 's', 'created', 1, 1)",
                (key,),
            )
            connection.execute(
                "INSERT INTO intents (resource, kind, parameters, requestedAt) "
                "VALUES ('products', 'run', '{}', 1)"
            )
        # The newest are pruned: their numbers must not come again.
        connection.execute("DELETE FROM product_changes WHERE id = 3")
        connection.execute("DELETE FROM intents")
        connection.execute("INSERT INTO sync_totals (syncType, lastSuccessAt) VALUES ('x', 7)")
    return database


def test_rows_survive_and_numbers_go_on(old: Database) -> None:
    """Tables that are made anew keep their rows, and use no number twice."""
    migrate.migrate(old, "main", [PRODUCTS])

    rows = old.rows("SELECT id, productId FROM product_changes ORDER BY id")
    assert [tuple(row) for row in rows] == [(1, "A"), (2, "B")]
    with old.transaction() as connection:
        connection.execute(
            "INSERT INTO product_changes (productId, sessionId, changeType, changedAt, epoch) "
            "VALUES ('D', 's', 'renamed', 1, 1)"
        )
        connection.execute(
            "INSERT INTO intents (resource, kind, parameters, requestedAt) "
            "VALUES ('products', 'approve', '{}', 1)"
        )
    changes = old.row("SELECT MAX(id) FROM product_changes")
    intents = old.row("SELECT id FROM intents")
    assert changes is not None
    assert intents is not None
    assert (changes[0], intents[0]) == (4, 4)


def test_last_success_counts_as_the_last_verification(old: Database) -> None:
    """Before there were short-cuts, every success had read everything."""
    migrate.migrate(old, "main", [PRODUCTS])

    row = old.row("SELECT lastVerifiedAt FROM sync_totals WHERE syncType = 'x'")
    assert row is not None
    assert row[0] == 7


def test_old_and_new_databases_are_the_same(old: Database, tmp_path: Path) -> None:
    """Migrated or made anew: tables, indexes and triggers are alike."""
    new = Database(tmp_path / "new.sqlite3")
    migrate.migrate(new, "main", [PRODUCTS])
    migrate.migrate(old, "main", [PRODUCTS])

    query = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"

    def schema(database: Database) -> list[tuple[str, str, str]]:
        return [(row[0], row[1], _plain(row[2])) for row in database.rows(query)]

    assert schema(old) == schema(new)
    old.close()
    new.close()


def test_trigger_of_an_earlier_version_is_made_anew(old: Database) -> None:
    """A file of the newest schema gets the triggers that this version would give it."""
    migrate.migrate(old, "main", [PRODUCTS])
    query = "SELECT sql FROM sqlite_schema WHERE name = 'products_foreign_edit'"
    newest = old.rows(query)
    with old.transaction() as connection:
        connection.execute("DROP TRIGGER products_foreign_edit")
        connection.execute(
            "CREATE TRIGGER products_foreign_edit AFTER UPDATE OF name ON products "
            "BEGIN SELECT 1; END"
        )

    migrate.migrate(old, "main", [PRODUCTS])

    assert [row[0] for row in old.rows(query)] == [row[0] for row in newest]


def test_copy_of_the_old_database_is_kept(old: Database) -> None:
    """Whoever wants to go back finds the file as it was."""
    migrate.migrate(old, "main", [PRODUCTS])

    assert old.path.with_name("main.sqlite3.v0001.bak").exists()
    assert migrate.migrate(old, "main", [PRODUCTS]) == max(migrate._steps("main"))  # noqa: SLF001


def _plain(sql: str | None) -> str:
    return " ".join((sql or "").replace('"', "").replace("IF NOT EXISTS ", "").split())
