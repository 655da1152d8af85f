"""`user`, `key` and `token`: what an operator does without the API, and the record of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from archibald_sync.bootstrap import build_services
from archibald_sync.config import load_settings
from archibald_sync.domain.access import Act, AuditFilter
from archibald_sync.errors import AuthError, LoginThrottledError

if TYPE_CHECKING:
    from cli_support import Instance

PASSWORD = "correct horse battery"


def _done(instance: Instance, *arguments: str, stdin: str | None = None) -> str:
    """Run a command that must succeed; return its output."""
    result = instance.run(*arguments, stdin=stdin)
    assert result.exit_code == 0, result.output
    return result.stdout


def _secret(output: str) -> str:
    """Return the last word of the last line."""
    return output.strip().rsplit(" ", 1)[1]


def _ask(question: Any) -> Any:  # noqa: ANN401  # whatever the services answer
    services = build_services(load_settings())
    try:
        return question(services)
    finally:
        services.storage.close()


def _user(instance: Instance, name: str) -> dict[str, Any]:
    users = json.loads(_done(instance, "user", "list", "--json"))
    found: dict[str, Any] = next(one for one in users if one["name"] == name)
    return found


def _acts() -> list[Act]:
    """Return the audit log, the oldest first."""
    page = _ask(lambda services: services.access.audit.page(AuditFilter(), 1000))
    return [entry.act for entry in page][::-1]


def test_user_changes(instance: Instance) -> None:
    """Role, disabling and enabling do what they say."""
    _done(instance, "user", "add", "anna", "--role", "viewer")

    assert _done(instance, "user", "role", "anna", "operator") == "anna is operator.\n"
    assert _user(instance, "anna")["role"] == "operator"
    assert _done(instance, "user", "disable", "anna") == "Disabled anna.\n"
    assert _user(instance, "anna")["isDisabled"] is True
    assert _done(instance, "user", "enable", "anna") == "Enabled anna.\n"
    assert _user(instance, "anna")["isDisabled"] is False


def test_forgotten_password_is_replaced(instance: Instance) -> None:
    """A new password works, the old one does not, and a wait for failures is over."""

    def login(password: str) -> Any:  # noqa: ANN401  # a user
        return _ask(lambda services: services.access.logins.log_in("admin", password, None))

    for _ in range(5):
        with pytest.raises(AuthError):
            login("wrong")
    with pytest.raises(LoginThrottledError):
        login("wrong")

    generated = _secret(_done(instance, "user", "password", "admin"))
    assert login(generated).name == "admin"
    given = _done(instance, "user", "password", "admin", "--password-stdin", stdin=PASSWORD + "\n")
    assert given == "Changed the password of admin.\n"
    assert login(PASSWORD).name == "admin"
    with pytest.raises(AuthError):
        login(generated)


def test_key_is_made_listed_and_revoked(instance: Instance) -> None:
    """The secret is shown once and works until it is revoked."""
    _done(instance, "user", "add", "machine", "--role", "operator")
    options = ("--role", "viewer", "--user", "machine", "--days", "7")
    secret = _secret(_done(instance, "key", "add", "orders", *options))

    def caller() -> Any:  # noqa: ANN401  # a caller
        return _ask(lambda services: services.access.keys.caller(secret))

    assert (caller().name, caller().role) == ("key:orders", "viewer")
    table = _done(instance, "key", "list")
    assert "orders" in table
    assert "machine" in table
    assert secret[11:] not in table
    listed = json.loads(_done(instance, "key", "list", "--json"))[0]
    assert secret.startswith(listed["prefix"])
    assert listed["expiresAt"] - listed["createdAt"] == 7 * 24 * 3600 * 1000
    assert listed["lastUsedAt"] is not None

    assert _done(instance, "key", "revoke", "ORDERS") == "Revoked ORDERS.\n"

    assert caller() is None
    assert json.loads(_done(instance, "key", "list", "--json"))[0]["revokedAt"] is not None


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("user", "role", "nobody", "viewer"), 1, "no user"),
        (("user", "role", "admin", "viewer"), 5, "last admin"),
        (("user", "password", "nobody"), 1, "no user"),
        (("user", "enable", "nobody"), 1, "no user"),
        (("key", "add", "k", "--role", "viewer", "--user", "nobody"), 1, "no enabled user"),
        (("key", "add", "a b", "--role", "viewer"), 2, "name: expected"),
        (("key", "add", "k", "--role", "viewer", "--days", "0"), 2, "--days"),
        (("key", "revoke", "nothing"), 1, "no key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_what_cannot_be_done_is_said(
    instance: Instance, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """A sentence, and the exit code for it."""
    result = instance.run(*arguments)

    assert result.exit_code == code
    assert words in result.stderr


def test_key_is_not_worth_more_than_its_user(instance: Instance) -> None:
    """A viewer's machine is no admin."""
    _done(instance, "user", "add", "anna", "--role", "viewer")

    result = instance.run("key", "add", "k", "--role", "admin", "--user", "anna")

    assert result.exit_code == 2
    assert "at most viewer" in result.stderr


def test_every_act_is_written_down(instance: Instance) -> None:
    """The audit log has who did what on the command line, also what failed, and no secret."""
    _done(instance, "user", "add", "anna", "--role", "viewer")
    _done(instance, "user", "role", "anna", "operator")
    _done(instance, "user", "password", "anna", "--password-stdin", stdin=PASSWORD + "\n")
    _done(instance, "user", "disable", "anna")
    _done(instance, "user", "enable", "anna")
    _done(instance, "key", "add", "orders", "--role", "viewer")
    _done(instance, "key", "revoke", "orders")
    _done(instance, "token", "--user", "anna", "--ttl", "60")
    _done(instance, "priority", "hold", "--owner", "o", "--reason", "r", "--", "true")
    instance.run("user", "disable", "nobody")
    for command in ("start", "stop"):
        assert instance.run(command).exit_code == 5  # nobody applies it yet

    acts = _acts()

    assert {act.kind for act in acts} == {"cli"}
    assert all((act.actor or "").startswith("cli") for act in acts)
    assert [(act.action, act.target, act.outcome) for act in acts if act.target != "lease"] == [
        ("users.add", "admin", "done"),
        ("users.add", "anna", "done"),
        ("users.change", "anna", "done"),
        ("users.reset_password", "anna", "done"),
        ("users.change", "anna", "done"),
        ("users.change", "anna", "done"),
        ("keys.add", "orders", "done"),
        ("keys.revoke", "orders", "done"),
        ("token", "anna", "done"),
        ("priority.take", acts[9].target, "done"),
        ("users.change", "nobody", "failed"),
        ("products.start", None, "done"),
        ("products.stop", None, "done"),
    ]
    assert acts[9].detail == {"owner": "o", "reason": "r"}
    assert acts[10].detail == {"isDisabled": True, "code": "not_found"}
    assert PASSWORD not in str(acts)
