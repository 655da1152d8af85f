"""The audit log grows by what somebody did: strangers cannot fill it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from access_support import PASSWORD, bearer, logged_in, login
from web_support import SYNC, Api

from archibald_sync.domain.access import Act, AuditFilter
from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from support import World


@pytest.fixture
def api(world: World) -> Api:
    """Return an API whose resource nobody owns."""
    return Api(world, answer_wait_s=0.01)


def _acts(api: Api) -> list[Act]:
    """Return the acts in the log, the newest first."""
    return [entry.act for entry in api.access.audit.page(AuditFilter(), 1000)]


@pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/refresh"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"x": 1}}, 400),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"{" * 70_000, "content_type": "application/json"}, 413),
        ({"data": b"x", "content_type": "text/plain"}, 415),
    ],
    ids=["fields", "json", "too-large", "type"],
)
def test_what_is_no_login_is_no_act(api: Api, path: str, sent: dict[str, Any], status: int) -> None:
    """Nobody proved to have sent it, and it tried nothing: there is nothing to write down."""
    answers = [api.client.post(path, **sent) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [status] * 3
    assert _acts(api) == []


def test_what_a_known_caller_gets_wrong_is_written_down_each_time(api: Api) -> None:
    """An act that failed is one of somebody who can be asked about it."""
    user = api.user(Role.OPERATOR)
    header = bearer(api.token(user))

    for _ in range(3):
        api.client.post(f"{SYNC}/start", headers=header, json={"intervalMinutes": 0})

    assert [(act.actor, act.outcome) for act in _acts(api)] == [(user.name, "failed")] * 3


@pytest.mark.parametrize(
    ("first", "second", "rows"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", 1),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", 2),
        ("10.0.0.1", "10.0.0.1", 1),
        ("10.0.0.1", "10.0.0.2", 2),
    ],
)
def test_refusals_of_one_customer_are_folded(api: Api, first: str, second: str, rows: int) -> None:
    """Who has 2^64 addresses fills no disk, and nobody hides behind another's refusal."""
    for address in (first, second):
        origin = {"REMOTE_ADDR": address}
        answer = api.client.get("/api/products", headers=bearer("x"), environ_base=origin)
        assert answer.status_code == 401

    assert [act.address for act in _acts(api)] == [second, first][-rows:]


def test_each_wrong_password_stands_there(api: Api) -> None:
    """Guessing is an act, also where no two guesses come from one address."""
    logged_in(api)
    for _ in range(4):
        assert login(api, "maria", PASSWORD + "!").status_code == 401

    assert [act.outcome for act in _acts(api)] == ["refused"] * 4 + ["done"]


SECRET_KEY = "ask_" + "s3cret" * 7


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/api/keys/{}"),
        ("PATCH", "/api/users/{}"),
        ("POST", "/api/users/{}/password"),
        ("PUT", "/api/priority/leases/{}"),
        ("DELETE", "/api/priority/leases/{}"),
        ("POST", f"{SYNC}/runs/{{}}/approve"),
    ],
)
@pytest.mark.parametrize("role", [Role.ADMIN, Role.VIEWER, None])
def test_a_secret_in_the_wrong_place_is_not_kept(
    api: Api, method: str, path: str, role: Role | None
) -> None:
    """Who mistakes a key for its id finds no more of it in the log than every list shows."""
    token = api.token(api.user(Role.ADMIN))
    for secret in (SECRET_KEY, f"%20{SECRET_KEY}", token):
        answer = api.call(method, path.format(secret), role, json={"isDisabled": True})
        assert answer.status_code >= 400

    rows = api.world.access_database.rows("SELECT * FROM audit_log")
    kept = str([tuple(row) for row in rows])
    assert len(rows) == (3 if role else 0)
    assert "s3crets3cret" not in kept
    assert token.split(".")[1] not in kept


def test_a_name_that_nobody_has_is_not_kept(api: Api) -> None:
    """It may be a password; a number is none, and tells which key was asked for."""
    for path in ("/api/users/my-secret-password/password", "/api/keys/4711"):
        method = "DELETE" if "keys" in path else "POST"
        assert api.call(method, path, Role.ADMIN).status_code == 404

    assert [act.target for act in _acts(api)] == ["4711", None]


def test_the_mark_of_a_key_is_shown(api: Api) -> None:
    """It tells which key is to be revoked: its beginning, as in the list of keys."""
    api.call("DELETE", f"/api/keys/{SECRET_KEY}", Role.ADMIN)

    assert [act.target for act in _acts(api)] == [f"{SECRET_KEY[:10]}…"]


def test_refusals_that_differ_do_not_hide_each_other(api: Api) -> None:
    """Another target, or another kind of proof from the same place, is another refusal."""
    viewer = bearer(api.token(api.user(Role.VIEWER)))
    for name in ("olga", "anna", "olga"):
        path = f"/api/users/{name}"
        assert api.client.patch(path, headers=viewer, json={}).status_code == 403
    for headers in (bearer("x"), {"X-Api-Key": "ask_x"}, bearer("ask_y")):
        assert api.client.get(f"{SYNC}/status", headers=headers).status_code == 401

    told = [(act.action, act.target, act.detail) for act in _acts(api)[::-1]]

    assert told == [
        ("users.change", "olga", None),
        ("users.change", "anna", None),
        ("authenticate", "products.status", {"shown": "token"}),
        ("authenticate", "products.status", {"shown": "key"}),
    ]


def test_a_caller_that_is_refused_everywhere_fills_no_disk(api: Api) -> None:
    """So many refusals of one action a minute are enough, whatever they were about."""
    viewer = bearer(api.token(api.user(Role.VIEWER)))

    for number in range(50):
        path = f"/api/users/u{number}"
        assert api.client.patch(path, headers=viewer, json={}).status_code == 403

    assert len(_acts(api)) == 30
