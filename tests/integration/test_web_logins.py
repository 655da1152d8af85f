"""Logins that go on, and how they end: refresh, logout, cookies, passwords, disabling."""

from __future__ import annotations

from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import pytest
from access_support import PASSWORD, bearer, claims_of, logged_in, login, signed
from support import ShiftedClock, World
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.services.tokens import LOGIN_TTL_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from support import FakeSource

OTHER_PASSWORD = "staple battery horse"
UNSAFE = f"{SYNC}/stop"


@pytest.fixture
def api(world: World) -> Api:
    """Return an API whose resource nobody owns."""
    return Api(world, answer_wait_s=0.01)


def _status(api: Api, token: str) -> int:
    """Return the status of a harmless request with an access token."""
    status: int = api.client.get("/api/auth/me", headers=bearer(token)).status_code
    return status


def _refresh(api: Api, token: str) -> Any:  # noqa: ANN401  # a test answer
    return api.client.post("/api/auth/refresh", json={"refreshToken": token})


def _cookies(answer: Any) -> dict[str, Any]:  # noqa: ANN401  # a test answer and its cookies
    """Return the cookies that an answer sets, by name."""
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.getlist("Set-Cookie"):
        found.load(line)
    return dict(found)


def test_refresh_token_gives_the_next_pair(api: Api) -> None:
    """A login goes on from pair to pair, without a password."""
    pair = logged_in(api, Role.OPERATOR)

    for _ in range(3):
        answer = _refresh(api, pair["refreshToken"])
        assert answer.status_code == 200
        assert answer.json["user"] == {"name": "maria", "role": "operator"}
        assert answer.json["refreshToken"] != pair["refreshToken"]
        pair = answer.json

    assert _status(api, pair["accessToken"]) == 200


def test_reused_refresh_token_ends_the_whole_login(api: Api) -> None:
    """Whoever shows a used one is a thief, or the owner after one: neither goes on."""
    first = logged_in(api)
    second = _refresh(api, first["refreshToken"]).json
    other_login = login(api, "maria").json

    reused = _refresh(api, first["refreshToken"])

    assert (reused.status_code, reused.json["code"]) == (401, "unauthorized")
    assert "used before" in reused.json["detail"]
    assert _refresh(api, second["refreshToken"]).status_code == 401
    assert _status(api, first["accessToken"]) == 401
    assert _status(api, second["accessToken"]) == 401
    assert _status(api, other_login["accessToken"]) == 200


def test_logout_ends_the_login_at_once(api: Api) -> None:
    """Neither an access token nor a refresh token of the login counts afterwards."""
    first = logged_in(api)
    second = _refresh(api, first["refreshToken"]).json

    answer = api.client.post("/api/auth/logout", headers=bearer(second["accessToken"]))

    assert (answer.status_code, answer.data) == (204, b"")
    assert _status(api, first["accessToken"]) == 401
    assert _status(api, second["accessToken"]) == 401
    assert _refresh(api, second["refreshToken"]).status_code == 401


def test_logout_ends_a_token_of_the_command_line(api: Api) -> None:
    """A token that belongs to no login ends by itself, and no other with it."""
    user = api.user(Role.VIEWER)
    one, other = api.token(user), api.token(user)

    api.client.post("/api/auth/logout", headers=bearer(one))

    assert _status(api, one) == 401
    assert _status(api, other) == 200


@pytest.mark.parametrize(
    "change",
    [
        lambda api: api.accounts.disable_user("maria"),
        lambda api: (api.accounts.disable_user("maria"), api.accounts.enable_user("maria")),
        lambda api: api.accounts.set_role("maria", Role.OPERATOR),
        lambda api: api.accounts.reset_password("maria", OTHER_PASSWORD),
    ],
    ids=["disabled", "disabled-and-enabled", "role", "password"],
)
def test_change_of_a_user_ends_all_its_tokens(api: Api, change: Callable[[Api], object]) -> None:
    """No token outlives what it was given for, whatever kind it is."""
    pair = logged_in(api)
    loose = api.token(api.accounts.user("maria"))

    change(api)

    assert _status(api, pair["accessToken"]) == 401
    assert _status(api, loose) == 401
    assert _refresh(api, pair["refreshToken"]).status_code == 401


def test_same_role_and_state_change_nothing(api: Api) -> None:
    """What is already so ends no token."""
    pair = logged_in(api)

    api.accounts.set_role("maria", Role.VIEWER)
    api.accounts.enable_user("maria")

    assert _status(api, pair["accessToken"]) == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "access"])
def test_refresh_needs_a_refresh_token(api: Api, token: str) -> None:
    """Anything else is 401, also an access token."""
    pair = logged_in(api)

    answer = _refresh(api, pair["accessToken"] if token == "access" else token)

    assert answer.status_code == 401
    assert _refresh(api, pair["refreshToken"]).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [{"fam": None}, {"fam": "unknown"}, {"jti": None}, {"exp": None}, {"gen": 7}, {"iat": None}],
    ids=str,
)
def test_refresh_token_must_be_complete(api: Api, changes: dict[str, Any]) -> None:
    """Signed by us is not enough for a refresh token either."""
    user = api.user(Role.VIEWER)
    claims = claims_of(user, **{"type": "refresh", "fam": "unknown", **changes})

    assert _refresh(api, signed(claims)).status_code == 401


def test_refresh_without_a_token_says_so(api: Api) -> None:
    """Neither a body nor a cookie is 401."""
    answer = api.client.post("/api/auth/refresh")

    assert (answer.status_code, answer.json["detail"]) == (401, "a refresh token is needed")


@pytest.fixture
def later(tmp_path: Path, source: FakeSource) -> Iterator[tuple[Api, ShiftedClock]]:
    """Return an API whose clock can be set forward."""
    clock = ShiftedClock()
    world = World(tmp_path, source, clock=clock)
    yield Api(world), clock
    world.close()


def test_login_does_not_go_on_for_ever(later: tuple[Api, ShiftedClock]) -> None:
    """After thirty days of refreshing a password is needed again."""
    api, clock = later
    pair = logged_in(api)
    pair = _refresh(api, pair["refreshToken"]).json

    clock.shift_ms = (LOGIN_TTL_S + 60) * 1000

    assert _refresh(api, pair["refreshToken"]).status_code == 401
    assert _status(api, pair["accessToken"]) == 401


def test_cookie_login_hides_the_tokens(api: Api) -> None:
    """Cookies are bound to the host, to HTTPS and to our own pages; the answer has no token."""
    api.accounts.add_user("maria", Role.OPERATOR, PASSWORD)

    answer = login(api, "maria", cookie=True)

    cookies = _cookies(answer)
    assert set(cookies) == {"__Host-access", "__Host-refresh", "__Host-csrf"}
    for name, cookie in cookies.items():
        assert cookie["secure"], name
        assert cookie["samesite"] == "Strict"
        assert cookie["path"] == "/"
        assert not cookie["domain"]
        assert bool(cookie["httponly"]) is (name != "__Host-csrf")
    assert answer.json["tokenType"] == "Cookie"
    assert answer.json["csrfToken"] == cookies["__Host-csrf"].value
    assert cookies["__Host-access"].value not in answer.text
    assert cookies["__Host-refresh"].value not in answer.text


def _cookie_header(answer: Any) -> dict[str, str]:  # noqa: ANN401  # a test answer
    pairs = [f"{name}={cookie.value}" for name, cookie in _cookies(answer).items()]
    return {"Cookie": "; ".join(pairs)}


@pytest.fixture
def page(api: Api) -> tuple[Mapping[str, str], str]:
    """Return the cookies of an operator's login, and their CSRF token."""
    api.accounts.add_user("maria", Role.OPERATOR, PASSWORD)
    answer = login(api, "maria", cookie=True)
    api.client.delete_cookie("__Host-access")
    return _cookie_header(answer), answer.json["csrfToken"]


def _fresh(api: Api) -> Any:  # noqa: ANN401  # a test client
    """Return a client that keeps no cookies of its own."""
    return api.app.test_client(use_cookies=False)


def test_cookie_alone_only_reads(api: Api, page: tuple[Mapping[str, str], str]) -> None:
    """A foreign page can make a browser send the cookies, but not the CSRF token."""
    cookies, csrf = page
    client = _fresh(api)

    assert client.get("/api/auth/me", headers=cookies).json["name"] == "maria"
    for wrong in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": csrf + "x"}, {"X-CSRF-Token": "é"}):
        for path in (UNSAFE, "/api/auth/logout", "/api/auth/refresh"):
            answer = client.post(path, headers={**cookies, **wrong})
            assert answer.status_code == 403, (path, wrong)
            assert "X-CSRF-Token" in answer.json["detail"]
    assert client.post(UNSAFE, headers={**cookies, "X-CSRF-Token": csrf}).status_code == 200


def test_cookie_login_refreshes_by_cookie(api: Api, page: tuple[Mapping[str, str], str]) -> None:
    """A refresh gives new cookies and a new CSRF token, and the old refresh cookie is used up."""
    cookies, csrf = page
    client = _fresh(api)

    answer = client.post("/api/auth/refresh", headers={**cookies, "X-CSRF-Token": csrf})

    assert answer.status_code == 200
    assert set(_cookies(answer)) == {"__Host-access", "__Host-refresh", "__Host-csrf"}
    assert "refreshToken" not in answer.json
    new = {**_cookie_header(answer), "X-CSRF-Token": answer.json["csrfToken"]}
    assert client.post(UNSAFE, headers=new).status_code == 200
    again = client.post("/api/auth/refresh", headers={**cookies, "X-CSRF-Token": csrf})
    assert again.status_code == 401


def test_logout_takes_the_cookies_away(api: Api, page: tuple[Mapping[str, str], str]) -> None:
    """The browser forgets them, and so do we."""
    cookies, csrf = page
    client = _fresh(api)

    answer = client.post("/api/auth/logout", headers={**cookies, "X-CSRF-Token": csrf})

    assert answer.status_code == 204
    gone = _cookies(answer)
    assert set(gone) == {"__Host-access", "__Host-refresh", "__Host-csrf"}
    assert all(one.value == "" and one["expires"] and one["secure"] for one in gone.values())
    assert client.get("/api/auth/me", headers=cookies).status_code == 401


def test_own_password_needs_the_old_one(api: Api) -> None:
    """A stolen token is not enough to take an account over."""
    pair = logged_in(api)
    header = bearer(pair["accessToken"])
    body = {"oldPassword": "not the password", "newPassword": OTHER_PASSWORD}

    answer = api.client.post("/api/auth/password", headers=header, json=body)

    assert (answer.status_code, answer.json["field"]) == (400, "oldPassword")
    assert _status(api, pair["accessToken"]) == 200
    assert login(api, "maria").status_code == 200


def test_changed_password_ends_every_token(api: Api) -> None:
    """After the change only the new password lets one in."""
    pair = logged_in(api)
    body = {"oldPassword": PASSWORD, "newPassword": OTHER_PASSWORD}

    answer = api.client.post("/api/auth/password", headers=bearer(pair["accessToken"]), json=body)

    assert answer.status_code == 204
    assert _status(api, pair["accessToken"]) == 401
    assert _refresh(api, pair["refreshToken"]).status_code == 401
    assert login(api, "maria").status_code == 401
    assert login(api, "maria", OTHER_PASSWORD).status_code == 200


@pytest.mark.parametrize("new", ["short", "x" * 257])
def test_new_password_must_fit(api: Api, new: str) -> None:
    """A password that is too short or too long is 400 and named, and changes nothing."""
    pair = logged_in(api)
    body = {"oldPassword": PASSWORD, "newPassword": new}

    answer = api.client.post("/api/auth/password", headers=bearer(pair["accessToken"]), json=body)

    assert (answer.status_code, answer.json["field"]) == (400, "newPassword")
    assert _status(api, pair["accessToken"]) == 200


def test_guessing_the_old_password_is_slowed_down(api: Api) -> None:
    """The way over one's own password is no way around the throttle."""
    header = bearer(logged_in(api)["accessToken"])
    body = {"oldPassword": "not the password", "newPassword": OTHER_PASSWORD}

    answers = [api.client.post("/api/auth/password", headers=header, json=body) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [400] * 5 + [429]
    assert int(answers[-1].headers["Retry-After"]) >= 1
