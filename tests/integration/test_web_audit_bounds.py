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
