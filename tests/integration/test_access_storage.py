"""The stores of access: generations, the last admin, logins that are forgotten, old files."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from importlib import resources
from typing import TYPE_CHECKING

import pytest
from support import SteppedClock

from archibald_sync.clock import SystemClock
from archibald_sync.domain.models import Role, User
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.storage import audit
from archibald_sync.storage.accounts import SqliteAccounts
from archibald_sync.storage.connection import Database
from archibald_sync.storage.migrate import migrate
from archibald_sync.storage.tokens import SqliteTokenFamilies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def main(tmp_path: Path) -> Iterator[Database]:
    """Return a main database."""
    database = Database(tmp_path / "main.sqlite3")
    migrate(database, "main", [PRODUCTS])
    yield database
    database.close()


@pytest.fixture
def access(tmp_path: Path) -> Iterator[Database]:
    """Return a database of access."""
    database = Database(tmp_path / "access.sqlite3")
    migrate(database, "access")
    yield database
    database.close()


def test_numbers_of_steps_may_have_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps run in the order of their numbers, and the last number is the version."""
    steps = {
        10: "INSERT INTO early VALUES (10);\n",
        2: "INSERT INTO early VALUES (2);\n",
        1: "CREATE TABLE early (n INTEGER) STRICT;\n",
    }
    monkeypatch.setattr("archibald_sync.storage.migrate._steps", lambda _family: steps)
    database = Database(tmp_path / "gaps.sqlite3")

    assert migrate(database, "any") == 10
    assert migrate(database, "any") == 10
    assert [row[0] for row in database.rows("SELECT n FROM early ORDER BY rowid")] == [2, 10]
    database.close()


def test_users_of_the_first_version_keep_everything(tmp_path: Path) -> None:
    """A database of before gets generations, and its users begin with 0."""
    database = Database(tmp_path / "old.sqlite3")
    folder = resources.files("archibald_sync.storage.migrations.main")
    with closing(sqlite3.connect(database.path)) as connection:
        connection.executescript(folder.joinpath("0001_create_core.sql").read_text("utf-8"))
        connection.execute(
            "INSERT INTO users (name, passwordHash, role, createdAt) "
            "VALUES ('ada', 'hash', 'admin', 7)"
        )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()

    migrate(database, "main", [PRODUCTS])

    users = SqliteAccounts(database, SystemClock())
    assert users.users() == [User(1, "ada", Role.ADMIN, is_disabled=False, created_at=7)]
    assert users.password_hash(1) == "hash"
    database.close()


def test_logins_of_before_are_last_logins(tmp_path: Path) -> None:
    """A file of before knows the last login of whoever has one that is not forgotten."""
    database = Database(tmp_path / "old.sqlite3")
    folder = resources.files("archibald_sync.storage.migrations.access")
    with closing(sqlite3.connect(database.path)) as connection:
        connection.executescript(folder.joinpath("0001_create_access.sql").read_text("utf-8"))
        connection.executemany(
            "INSERT INTO token_families (id, userId, currentTokenId, createdAt, expiresAt) "
            "VALUES (?, ?, 'one', ?, 99)",
            [("a", 1, 7), ("b", 1, 5), ("c", 2, 6)],
        )
        connection.execute("PRAGMA user_version = 1")
        connection.commit()

    migrate(database, "access")

    assert SqliteTokenFamilies(database, SystemClock()).last_logins() == {1: 7, 2: 6}
    database.close()


def test_last_login_outlives_the_logins(access: Database) -> None:
    """It is the latest of each user, also when the logins themselves have been forgotten."""
    clock = SteppedClock()
    families = SqliteTokenFamilies(access, clock)
    began = clock.wall
    families.begin("ada's", 1, "t", expires_at=began + 1)
    clock.wall += 2 * DAY_MS
    families.begin("bob's", 2, "t", expires_at=clock.wall + 1)
    assert [row["id"] for row in access.rows("SELECT id FROM token_families")] == ["bob's"]
    assert families.last_logins() == {1: began, 2: clock.wall}

    clock.wall += 1
    families.begin("ada's second", 1, "t", expires_at=clock.wall + 1)

    assert families.last_logins() == {1: clock.wall, 2: clock.wall - 1}


def test_every_change_begins_a_generation(main: Database) -> None:
    """Role, password, disabling and enabling raise it; a rehash of the same password does not."""
    users = SqliteAccounts(main, SystemClock())
    users.add_user("root", "hash", Role.ADMIN)
    ada = users.add_user("ada", "hash", Role.ADMIN).id

    def generation() -> int:
        user = users.user_by_id(ada)
        assert user is not None
        return user.token_generation

    seen = [generation()]
    for change in (
        lambda: users.set_role(ada, Role.VIEWER),
        lambda: users.set_password_hash(ada, "other"),
        lambda: users.disable_user(ada),
        lambda: users.enable_user(ada),
        lambda: users.rehash(ada, "other", "new"),
    ):
        change()
        seen.append(generation())

    assert seen == [0, 1, 2, 3, 4, 4]


def test_rehash_does_not_bring_an_old_password_back(main: Database) -> None:
    """A login with the old password, slower than its change, does not undo the change."""
    users = SqliteAccounts(main, SystemClock())
    ada = users.add_user("ada", "old", Role.VIEWER).id
    users.set_password_hash(ada, "changed")

    users.rehash(ada, "old", "old, hashed anew")

    assert users.password_hash(ada) == "changed"


def test_last_admin_stays(main: Database) -> None:
    """Neither a role nor a disabling takes the last enabled admin away."""
    users = SqliteAccounts(main, SystemClock())
    ada, bob = (users.add_user(name, "hash", Role.ADMIN).id for name in ("ada", "bob"))

    assert users.disable_user(bob)
    assert not users.disable_user(ada)
    assert not users.set_role(ada, Role.OPERATOR)
    assert users.set_role(bob, Role.VIEWER)  # a disabled admin is none
    users.enable_user(bob)
    assert users.disable_user(bob)

    assert [(one.name, one.role, one.is_disabled) for one in users.users()] == [
        ("ada", Role.ADMIN, False),
        ("bob", Role.VIEWER, True),
    ]


def test_two_admins_cannot_disable_each_other_at_once(main: Database) -> None:
    """Whoever comes second is told: the rule holds inside the statement."""
    users = SqliteAccounts(main, SystemClock())
    for turn in range(10):
        pair = [users.add_user(f"{name}-{turn}", "hash", Role.ADMIN).id for name in ("a", "b")]
        for one in users.users():
            if one.id not in pair and not one.is_disabled:
                assert users.disable_user(one.id)
        start = threading.Barrier(2)

        def disable(user_id: int, start: threading.Barrier = start) -> None:
            start.wait(30)
            users.disable_user(user_id)
            main.close()

        threads = [threading.Thread(target=disable, args=(user_id,)) for user_id in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert len([one for one in users.users() if not one.is_disabled]) == 1


def test_only_one_of_many_refreshes_wins(access: Database) -> None:
    """A refresh token counts once, however many show it at the same moment."""
    families = SqliteTokenFamilies(access, SystemClock())
    families.begin("login", 1, "first", expires_at=2**53)
    won: list[str] = []
    start = threading.Barrier(8)

    def rotate(name: str) -> None:
        start.wait(30)
        if families.rotate("login", "first", name, expires_at=2**53):
            won.append(name)
        access.close()

    threads = [threading.Thread(target=rotate, args=(f"next-{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert len(won) == 1
    assert families.rotate("login", won[0], "after", expires_at=2**53)


def test_what_has_expired_is_forgotten(access: Database) -> None:
    """Logins and ended tokens do not pile up, and none is forgotten while it may count."""
    clock = SteppedClock()
    families = SqliteTokenFamilies(access, clock)
    families.begin("old", 1, "t", expires_at=clock.wall + 1)
    families.revoke_token("old", clock.wall + 1)
    clock.wall += DAY_MS // 2
    families.begin("newer", 1, "t", expires_at=clock.wall + 1)
    families.revoke_token("newer", clock.wall + 1)
    assert families.began_at("old") is not None
    assert not families.is_live("old", None)

    clock.wall += DAY_MS // 2 + 2
    families.begin("newest", 1, "t", expires_at=clock.wall + 1)
    families.revoke_token("newest", clock.wall + 1)

    logins = access.rows("SELECT id FROM token_families ORDER BY id")
    tokens = access.rows("SELECT tokenId FROM revoked_tokens ORDER BY tokenId")
    assert [row[0] for row in logins] == ["newer", "newest"]
    assert [row[0] for row in tokens] == ["newer", "newest"]


def test_login_is_live_until_it_ends(access: Database) -> None:
    """A token counts while neither it nor its login has been ended; unknown logins do not."""
    families = SqliteTokenFamilies(access, SystemClock())
    families.begin("login", 1, "t", expires_at=2**53)

    assert families.is_live("token", "login")
    assert families.is_live("token", None)
    assert not families.is_live("token", "unknown")
    assert families.revoke_family("login")
    assert not families.revoke_family("login")
    assert not families.is_live("token", "login")
    assert not families.rotate("login", "t", "next", expires_at=2**53)
    assert families.began_at("login") is None


def test_each_page_of_the_log_begins_where_the_last_one_ended(access: Database) -> None:
    """Reading a page costs the same at any depth: the export of a long log is not quadratic."""
    names = ("actor", "action", "target", "outcome", "since", "until")
    parameters = {**dict.fromkeys(names), "beforeId": 5, "limit": 1, "hasRenewals": True}

    plan = access.rows(f"EXPLAIN QUERY PLAN {audit.Q['entries']}", parameters)

    assert "USING INTEGER PRIMARY KEY (rowid<?)" in str([tuple(row) for row in plan])


def test_a_refusal_is_found_at_once_among_those_of_others(access: Database) -> None:
    """A flood from a thousand networks does not make each refusal look at all of them."""
    names = ("action", "network", "since", "actor", "target", "detail", "most")
    parameters = dict.fromkeys(names, "x")

    plan = access.rows(f"EXPLAIN QUERY PLAN {audit.Q['has_recent']}", parameters)

    assert "(action=? AND network=? AND at>?)" in str([tuple(row) for row in plan])


@pytest.mark.parametrize("family", ["main", "access", "priority"])
def test_no_two_steps_have_one_number(family: str) -> None:
    """Two branches that chose the same number would else lose one of the two in silence."""
    folder = resources.files("archibald_sync.storage.migrations").joinpath(family)
    numbers = [entry.name[:4] for entry in folder.iterdir() if entry.name.endswith(".sql")]

    assert len(numbers) == len(set(numbers)) > 0
