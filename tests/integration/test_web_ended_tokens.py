"""A token that was good a moment ago: it ends at once, whatever is remembered of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import time_machine
from access_support import bearer, claims_of, logged_in, signed
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.web import claims

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support import World

    End = Callable[[Api, Mapping[str, str]], object]


@pytest.fixture
def api(world: World) -> Api:
    """Return an API with an admin who stays."""
    api = Api(world)
    api.user(Role.ADMIN)
    return api


def _log_out(api: Api, header: Mapping[str, str]) -> None:
    assert api.client.post("/api/auth/logout", headers=header).status_code == 204


def _change_password(api: Api, header: Mapping[str, str]) -> None:
    body = {"oldPassword": "correct horse battery", "newPassword": "another long password"}
    assert api.client.post("/api/auth/password", json=body, headers=header).status_code == 204


ENDS: dict[str, End] = {
    "logout": _log_out,
    "own-password": _change_password,
    "password": lambda api, _header: api.accounts.reset_password("maria"),
    "disabled": lambda api, _header: api.accounts.disable_user("maria"),
    "role": lambda api, _header: api.accounts.set_role("maria", Role.VIEWER),
}


def _status(api: Api, header: Mapping[str, str], path: str = f"{SYNC}/metrics") -> int:
    status: int = api.client.get(path, headers=header).status_code
    return status


@pytest.mark.parametrize("end", ENDS)
def test_a_token_in_use_ends_at_once(api: Api, end: str) -> None:
    """The request after the end is refused, though the one before was answered."""
    header = bearer(logged_in(api, Role.OPERATOR)["accessToken"])
    before = [_status(api, header) for _ in range(3)]

    ENDS[end](api, header)

    assert before == [200] * 3
    assert _status(api, header) == 401


def test_a_token_in_use_expires(api: Api) -> None:
    """When its time is over it is over, though its signature was verified a second ago."""
    now = int(time.time())
    token = signed(claims_of(api.user(Role.VIEWER), exp=now + 30))
    header = bearer(token)

    with time_machine.travel(now, tick=False) as clock:
        accepted = _status(api, header)
        clock.shift(29)
        still = _status(api, header)
        clock.shift(1)
        expired = _status(api, header)

    assert claims.REMEMBERED_S > 30
    assert (accepted, still, expired) == (200, 200, 401)


def test_a_remembered_cookie_needs_its_csrf_token_each_time(api: Api) -> None:
    """What a GET was let in with does not let a POST in."""
    access = logged_in(api, Role.OPERATOR)["accessToken"]
    cookie = {"Cookie": f"__Host-access={access}"}

    client = api.app.test_client(use_cookies=False)  # which sends the header as it is
    shown: list[dict[str, str]] = [
        {},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "None"},
        {"X-CSRF-Token": "\xfc"},
    ]

    assert client.get(f"{SYNC}/metrics", headers=cookie).status_code == 200
    for csrf in shown:
        answer = client.post(f"{SYNC}/stop", headers={**cookie, **csrf})
        assert answer.status_code == 403


def test_a_refresh_token_opens_nothing_however_often(api: Api) -> None:
    """Only an access token is remembered as one."""
    header = bearer(logged_in(api, Role.ADMIN)["refreshToken"])

    assert [_status(api, header) for _ in range(3)] == [401] * 3
