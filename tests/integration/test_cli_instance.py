"""`init`, `check`, `user` and `token` on real instances, in this process and as processes."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest
from cli_support import Instance, made_instance, small_erp

from archibald_sync.bootstrap import build_services
from archibald_sync.config import MASK, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Return an instance that is not initialised."""
    with made_instance(tmp_path, monkeypatch) as made:
        yield made


def test_init_makes_everything_once(instance: Instance) -> None:
    """A first init makes all and prints the password; a second one changes nothing."""
    first = instance.call("init")
    secret = instance.folder / "instance" / "jwt_secret_key"
    kept = secret.read_text()
    second = instance.call("init")

    assert (first[0], second[0]) == (0, 0)
    assert "Password of admin, shown only this once: " in first[1]
    assert "Password" not in second[1]
    assert second[1].count("exists already") == 3
    assert secret.read_text() == kept
    assert kept.strip() not in first[1] + second[1]
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert (first[2], second[2]) == ("", "")


def test_the_printed_password_is_the_admins(instance: Instance) -> None:
    """What init prints is what logs in."""
    password = instance.init()

    services = build_services(load_settings())
    user = services.accounts.log_in("admin", password)
    services.storage.close()
    assert (user.name, user.role) == ("admin", "admin")


def test_init_keeps_a_secret_from_the_environment(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that is set is used; no second one is made."""
    monkeypatch.setenv("JWT_SECRET_KEY", "s" * 40)

    result = instance.run("init")

    assert "environment (exists already)" in result.stdout
    assert not (instance.folder / "instance" / "jwt_secret_key").exists()
    assert "s" * 40 not in result.output


def test_init_says_where_it_may_not_write(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that cannot be made is a sentence, not a traceback."""
    (instance.folder / "file").write_text("")
    monkeypatch.setenv("ARCHIBALD_INSTANCE", "file/below")

    code, _, err = instance.call("init")

    assert code != 0
    assert err.startswith("error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments",
    [("status",), ("history",), ("user", "list"), ("sync",), ("start",), ("priority", "list")],
    ids=lambda words: words[0],
)
def test_commands_do_not_make_an_instance_in_passing(
    instance: Instance, arguments: tuple[str, ...]
) -> None:
    """In the wrong folder a command says so, and leaves nothing behind."""
    result = instance.run(*arguments)

    assert result.exit_code == 2
    assert "archibald-sync init" in result.stderr
    assert list(instance.folder.iterdir()) == []


def test_all_wrong_settings_are_listed(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults are told together, with what to write instead."""
    monkeypatch.setenv("ARCHIBALD_AUTO_SYNC", "maybe")
    monkeypatch.setenv("ARCHIBALD_LOG_FORMAT", "xml")

    code, out, err = instance.call("check")

    assert (code, out) == (2, "")
    for key in ("ARCHIBALD_AUTO_SYNC", "ARCHIBALD_LOG_FORMAT", "JWT_SECRET_KEY"):
        assert key in err
    assert "write one of: start, keep, off" in err


def test_check_shows_settings_and_asks_the_erp(instance: Instance) -> None:
    """Every setting is shown with its origin, the secret masked, and the ERP answers."""
    instance.init()
    secret = (instance.folder / "instance" / "jwt_secret_key").read_text().strip()
    with small_erp() as erp:
        instance.read_from(erp.url)

        code, out, err = instance.call("check")

    assert (code, err) == (0, "")
    assert secret not in out
    assert MASK in out
    for key, _, origin in load_settings().described():
        assert any(key in line and origin in line for line in out.splitlines())
    assert any(line.startswith("products: ") for line in out.splitlines())


def test_check_without_a_source(instance: Instance) -> None:
    """A missing source.toml is a wrong setting."""
    instance.init()

    result = instance.run("check")

    assert result.exit_code == 2
    assert "source.toml" in result.stderr


def test_check_with_an_erp_that_is_away(instance: Instance) -> None:
    """An ERP that does not answer is told apart from a wrong setting."""
    instance.init()
    with small_erp() as erp:
        instance.read_from(erp.url)

    result = instance.run("check")

    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "ARCHIBALD_SOURCE" in result.stdout


def test_check_changes_nothing(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before init, check says that there is no database, and makes none."""
    monkeypatch.setenv("JWT_SECRET_KEY", "s" * 40)
    with small_erp() as erp:
        instance.read_from(erp.url)
        result = instance.run("check")

    assert "`archibald-sync init` makes it" in result.stdout
    assert result.exit_code == 0
    assert [one.name for one in (instance.folder / "instance").iterdir()] == ["source.toml"]


def test_users_are_added_listed_and_disabled(instance: Instance) -> None:
    """A generated password is printed once; the list never shows one."""
    instance.init()

    added = instance.run("user", "add", "anna", "--role", "operator")
    listed = json.loads(instance.run("user", "list", "--json").stdout)
    disabled = instance.run("user", "disable", "anna")
    table = instance.run("user", "list").stdout

    assert added.stdout.startswith("Added operator anna.\nPassword of anna, shown only this once: ")
    assert [(one["name"], one["role"], one["isDisabled"]) for one in listed] == [
        ("admin", "admin", False),
        ("anna", "operator", False),
    ]
    assert disabled.stdout == "Disabled anna.\n"
    assert [line.split() for line in table.splitlines()] == [
        ["NAME", "ROLE", "STATE"],
        ["admin", "admin", "enabled"],
        ["anna", "operator", "disabled"],
    ]
    password = added.stdout.rsplit(" ", 1)[-1].strip()
    assert password not in table + json.dumps(listed)


def test_password_from_standard_input(instance: Instance) -> None:
    """A given password is used and not printed."""
    instance.init()

    code, out, err = instance.call(
        "user", "add", "bo", "--role", "viewer", "--password-stdin", stdin="correct horse battery\n"
    )

    assert (code, out, err) == (0, "Added viewer bo.\n", "")
    services = build_services(load_settings())
    assert services.accounts.log_in("bo", "correct horse battery").name == "bo"
    services.storage.close()


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "words"),
    [
        (("add", "admin", "--role", "viewer"), None, 2, "already"),
        (("add", "a b", "--role", "viewer"), None, 2, "name: expected"),
        (("add", "c", "--role", "king"), None, 2, "'king'"),
        (("add", "c", "--role", "viewer", "--password-stdin"), "short\n", 2, "password: expected"),
        (("disable", "nobody"), None, 1, "no user"),
        (("disable", "admin"), None, 5, "last admin"),
    ],
    ids=["taken", "name", "role", "password", "unknown", "last-admin"],
)
def test_users_refused(
    instance: Instance, arguments: tuple[str, ...], stdin: str | None, code: int, words: str
) -> None:
    """What cannot be done is said in a sentence, with the exit code for it."""
    instance.init()

    result = instance.run("user", *arguments, stdin=stdin)

    assert result.exit_code == code
    assert words in result.stderr


def test_token_prints_only_a_token(instance: Instance) -> None:
    """The output can be used as it is, also where no source is set up."""
    instance.init()

    code, out, err = instance.call("token", "--user", "admin", "--ttl", "60")

    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 1
    assert out.count(".") == 2


def test_token_of_nobody(instance: Instance) -> None:
    """Only a user gets a token."""
    instance.init()

    result = instance.run("token", "--user", "nobody")

    assert (result.exit_code, result.stdout) == (1, "")
    assert "user list" in result.stderr


def test_storage_in_trouble_has_its_own_code(instance: Instance) -> None:
    """A damaged database is exit code 6, with what to do."""
    instance.init()
    for path in (instance.folder / "instance").glob("archibald_sync.sqlite3*"):
        path.unlink()
    (instance.folder / "instance" / "archibald_sync.sqlite3").write_bytes(b"no database " * 400)

    result = instance.run("status")

    assert result.exit_code == 6
    assert "damaged" in result.stderr
