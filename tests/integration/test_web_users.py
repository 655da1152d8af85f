"""Users over HTTP: added, changed, locked out and in again, by admins alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from access_support import PASSWORD, bearer, logged_in, login

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from web_support import Api


def test_added_user_can_log_in(api: Api) -> None:
    """The generated password is told once, and works."""
    body = {"name": "anna", "role": "operator"}

    answer = api.call("POST", "/api/users", Role.ADMIN, json=body)

    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/users/anna"
    user = answer.json["user"]
    assert set(user) == {"name", "role", "isDisabled", "createdAt", "lastLoginAt"}
    assert (user["name"], user["role"], user["isDisabled"]) == ("anna", "operator", False)
    shown = api.call("GET", "/api/users/anna", Role.ADMIN)
    assert shown.json == user
    assert user in api.call("GET", "/api/users", Role.ADMIN).json["users"]
    assert login(api, "anna", answer.json["password"]).json["user"]["role"] == "operator"


def test_last_login_is_told(api: Api) -> None:
    """It is that of the last password that was right, and outlives the login and a change."""
    api.accounts.add_user("maria", Role.VIEWER, PASSWORD)
    admin = bearer(api.token(api.user(Role.ADMIN)))

    def last_login() -> int | None:
        found: int | None = api.client.get("/api/users/maria", headers=admin).json["lastLoginAt"]
        return found

    assert last_login() is None
    login(api, "maria", "wrong")
    assert last_login() is None

    before = api.world.clock.now_ms()
    first = login(api, "maria").json
    began = last_login()
    assert began is not None
    assert before <= began <= api.world.clock.now_ms()

    api.client.post("/api/auth/refresh", json={"refreshToken": first["refreshToken"]})
    changed = api.client.patch("/api/users/maria", headers=admin, json={"role": "operator"})
    assert changed.json["lastLoginAt"] == last_login() == began
    listed = api.client.get("/api/users", headers=admin).json["users"]
    assert [one["lastLoginAt"] for one in listed if one["name"] == "maria"] == [began]


def test_given_password_is_not_repeated(api: Api) -> None:
    """Whoever chose it knows it."""
    body = {"name": "anna", "role": "viewer", "password": PASSWORD}

    answer = api.call("POST", "/api/users", Role.ADMIN, json=body)

    assert answer.status_code == 201
    assert PASSWORD not in answer.text
    assert login(api, "anna").status_code == 200


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x" * 65}, "name"),
        ({"name": None}, "name"),
        ({"role": "root"}, "role"),
        ({"role": None}, "role"),
        ({"password": "short"}, "password"),
        ({"password": 123456789012}, "password"),
        ({"isDisabled": True}, "isDisabled"),
    ],
    ids=str,
)
def test_wrong_user_is_not_added(api: Api, changes: dict[str, object], field: str) -> None:
    """What does not fit is 400 and named."""
    api.accounts.add_user("maria", Role.VIEWER, PASSWORD)
    body = {"name": "anna", "role": "viewer", **changes}

    answer = api.call("POST", "/api/users", Role.ADMIN, json=body)

    assert (answer.status_code, answer.json["field"]) == (400, field)


def test_a_name_is_given_once(api: Api) -> None:
    """A name that somebody has, in whatever case, is 409 and named."""
    api.accounts.add_user("maria", Role.VIEWER, PASSWORD)

    answer = api.call("POST", "/api/users", Role.ADMIN, json={"name": "MARIA", "role": "viewer"})

    assert (answer.status_code, answer.json["code"]) == (409, "name_taken")
    assert answer.json["errors"] == {"name": ["there is a user 'MARIA' already"]}


def test_change_of_role_counts_at_once(api: Api) -> None:
    """A new role ends the tokens of before, and the next login has it."""
    pair = logged_in(api, Role.VIEWER)

    answer = api.call("PATCH", "/api/users/MARIA", Role.ADMIN, json={"role": "operator"})

    assert (answer.status_code, answer.json["role"]) == (200, "operator")
    assert api.client.get("/api/auth/me", headers=bearer(pair["accessToken"])).status_code == 401
    assert login(api, "maria").json["user"]["role"] == "operator"


def test_disabled_user_stays_out_until_enabled(api: Api) -> None:
    """Disabling counts at once, twice is the same as once, and enabling lets in again."""
    pair = logged_in(api)
    admin = bearer(api.token(api.user(Role.ADMIN)))

    for _ in range(2):
        answer = api.client.patch("/api/users/maria", headers=admin, json={"isDisabled": True})
        assert (answer.status_code, answer.json["isDisabled"]) == (200, True)
    assert api.client.get("/api/auth/me", headers=bearer(pair["accessToken"])).status_code == 401
    assert login(api, "maria").status_code == 401

    answer = api.client.patch("/api/users/maria", headers=admin, json={"isDisabled": False})

    assert (answer.status_code, answer.json["isDisabled"]) == (200, False)
    assert login(api, "maria").status_code == 200


@pytest.mark.parametrize("change", [{"isDisabled": True}, {"role": "viewer"}], ids=str)
def test_last_admin_stays(api: Api, change: dict[str, object]) -> None:
    """Nobody locks everybody out, not even themselves."""
    admin = api.user(Role.ADMIN)

    answer = api.client.patch(
        f"/api/users/{admin.name}", headers=bearer(api.token(admin)), json=change
    )

    assert (answer.status_code, answer.json["code"]) == (409, "last_admin")
    assert "last admin" in answer.json["detail"]
    assert api.accounts.user(admin.name) == admin


@pytest.mark.parametrize(
    "change", [{"role": "root"}, {"isDisabled": "yes"}, {"name": "x"}], ids=str
)
def test_wrong_change_changes_nothing(api: Api, change: dict[str, object]) -> None:
    """What does not fit is 400 and named."""
    maria, _ = api.accounts.add_user("maria", Role.VIEWER, PASSWORD)

    answer = api.call("PATCH", "/api/users/maria", Role.ADMIN, json=change)

    assert (answer.status_code, answer.json["field"]) == (400, next(iter(change)))
    assert api.accounts.user("maria") == maria


@pytest.mark.parametrize("given", [None, "staple battery horse"])
def test_reset_password_lets_in_again(api: Api, given: str | None) -> None:
    """A new password ends tokens, is told only where it was generated, and ends a wait."""
    pair = logged_in(api)
    for _ in range(5):
        login(api, "maria", "wrong")
    assert login(api, "maria").status_code == 429

    body = {} if given is None else {"password": given}
    answer = api.call("POST", "/api/users/maria/password", Role.ADMIN, json=body)

    assert answer.status_code == 200
    assert set(answer.json) == ({"password"} if given is None else set())
    assert api.client.get("/api/auth/me", headers=bearer(pair["accessToken"])).status_code == 401
    assert login(api, "maria").status_code == 401
    assert login(api, "maria", given or answer.json["password"]).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("PATCH", ""), ("POST", "/password")],
)
def test_unknown_user_is_not_found(api: Api, method: str, path: str) -> None:
    """There is nothing to show or change."""
    answer = api.call(method, f"/api/users/nobody{path}", Role.ADMIN, json={})

    assert answer.status_code == 404
