"""Logging in, and every token that must not be accepted."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from web_support import SECRET, SYNC, Api

from archibald_sync.domain.models import Role

PASSWORD = "correct horse battery"

# Not reckoned from now: the names of the tests must be the same in every process.
_LONG_AGO, _FAR_AHEAD = 1_000_000_000, 4_000_000_000


def _claims(api: Api, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the claims of a good token, with ``changes``; None leaves a claim out."""
    now = int(time.time())
    user = api.user(Role.ADMIN)
    good = {
        "sub": str(user.id),
        "gen": user.token_generation,
        "iat": now,
        "exp": now + 60,
        "jti": "one",
        "iss": "archibald-sync",
        "aud": "archibald-sync",
        "type": "access",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def _signed(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, secret, algorithm=algorithm)


def _answer(api: Api, authorization: str) -> int:
    """Return the status of a harmless request with this header."""
    headers = {"Authorization": authorization}
    status: int = api.client.get(f"{SYNC}/metrics", headers=headers).status_code
    return status


def test_login_gives_a_token_that_works(api: Api) -> None:
    """Name and password become a token for a quarter of an hour."""
    api.accounts.add_user("maria", Role.OPERATOR, PASSWORD)
    before = int(time.time())

    answer = api.client.post("/api/auth/login", json={"username": "maria", "password": PASSWORD})

    assert answer.status_code == 200
    assert set(answer.json) == {
        "accessToken",
        "refreshToken",
        "tokenType",
        "expiresAt",
        "refreshExpiresAt",
        "user",
    }
    assert answer.json["tokenType"] == "Bearer"
    assert answer.json["user"] == {"name": "maria", "role": "operator"}
    assert 0 <= answer.json["expiresAt"] / 1000 - before - 900 <= 60
    assert 0 <= answer.json["refreshExpiresAt"] / 1000 - before - 43_200 <= 60
    headers = {"Authorization": f"Bearer {answer.json['accessToken']}"}
    me = api.client.get("/api/auth/me", headers=headers)
    assert (me.status_code, me.json) == (200, {"name": "maria", "role": "operator"})


def test_refused_login_does_not_say_why(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Wrong password, unknown name and disabled user get the same answer, and no name is logged."""
    api.accounts.add_user("maria", Role.OPERATOR, PASSWORD)
    api.accounts.add_user("former", Role.VIEWER, PASSWORD)
    api.accounts.disable_user("former")
    attempts = [("maria", "wrong"), ("nobody", PASSWORD), ("former", PASSWORD), ("maria", "")]

    answers = [
        api.client.post("/api/auth/login", json={"username": name, "password": password})
        for name, password in attempts
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.json["detail"] for answer in answers}) == 1
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"
    assert not any(name in caplog.text for name in ("maria", "nobody", "former", PASSWORD))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "username"),
        ({"username": "maria"}, "password"),
        ({"username": 1, "password": "x"}, "username"),
        ({"username": "maria", "password": None}, "password"),
        ({"username": "maria", "password": "x", "role": "admin"}, "role"),
        (["maria"], "body"),
    ],
)
def test_incomplete_login_names_the_field(api: Api, body: object, field: str) -> None:
    """A login of the wrong shape is 400, not 401."""
    answer = api.client.post("/api/auth/login", json=body)

    assert answer.status_code == 400
    assert answer.json["field"] == field


def test_an_answer_is_no_longer_than_what_was_asked(api: Api) -> None:
    """Of thousands of wrong fields the first few are told, with the beginnings of their names."""
    body = {f"{number}{'x' * 500}": 1 for number in range(100)}

    answer = api.client.post("/api/auth/login", json=body)

    assert answer.status_code == 400
    assert len(answer.json["errors"]) == 20
    assert max(map(len, answer.json["errors"])) == 100


def test_good_token_is_accepted(api: Api) -> None:
    """The claims that the tests below change are right as they are."""
    assert _answer(api, f"Bearer {_signed(_claims(api))}") == 200
    assert _answer(api, f"bearer {_signed(_claims(api))}") == 200  # RFC 9110: any case


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": 0},
        {"exp": _LONG_AGO},
        {"iat": None},
        {"iat": 0},
        {"iat": _FAR_AHEAD},
        {"jti": None},
        {"jti": ""},
        {"iss": None},
        {"iss": "somebody-else"},
        {"aud": None},
        {"aud": "somebody-else"},
        {"sub": None},
        {"sub": "admin"},
        {"sub": "-1"},
        {"sub": "9" * 18},
        {"sub": "9" * 40},
        {"sub": "²"},
        {"type": "refresh"},
        {"gen": None},
        {"gen": 1},
        {"gen": -1},
        {"gen": "0"},
        {"gen": False},
        {"fam": "a login that never was"},
    ],
    ids=str,
)
def test_token_with_a_wrong_claim_is_refused(api: Api, changes: dict[str, Any]) -> None:
    """Signed by us is not enough: every claim must be there and right."""
    assert _answer(api, f"Bearer {_signed(_claims(api, **changes))}") == 401


def test_token_of_a_foreign_key_is_refused(api: Api) -> None:
    """Whoever does not know our secret signs nothing for us."""
    token = _signed(_claims(api), secret="another secret that is long enough for it")

    assert _answer(api, f"Bearer {token}") == 401


def test_token_without_signature_is_refused(api: Api) -> None:
    """The algorithm is ours to choose: neither none nor another one of the family."""
    claims = _claims(api)
    long_secret = SECRET * 2

    assert _answer(api, f"Bearer {jwt.encode(claims, '', algorithm='none')}") == 401
    assert _answer(api, f"Bearer {_signed(claims, long_secret, 'HS512')}") == 401


def _nested_header() -> str:
    """Return a token whose header nests deeper than a parser recurses."""
    header = base64.urlsafe_b64encode(b"[" * 5000 + b"]" * 5000).rstrip(b"=").decode()
    return f"Bearer {header}.e30.e30"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer a.b.c",
        "Bearer é.é.é",
        "Bearer one two",
        "Basic YWRtaW46YWRtaW4=",
        "Bearer " + base64.urlsafe_b64encode(json.dumps({"alg": 1}).encode()).decode() + ".e30.",
        _nested_header(),
    ],
    ids=lambda text: text[:20],
)
def test_garbage_is_no_token(api: Api, authorization: str) -> None:
    """Any text in place of a token is 401, never an error of ours."""
    assert _answer(api, authorization) == 401


def test_token_counts_in_the_header_only(api: Api) -> None:
    """Neither a query string nor a cookie carries a token."""
    token = _signed(_claims(api))
    api.client.set_cookie("access_token_cookie", token)

    assert api.client.get(f"{SYNC}/metrics?jwt={token}").status_code == 401


def test_disabled_user_is_out_at_once(api: Api) -> None:
    """A token outlives neither its user nor the user's role."""
    user = api.user(Role.VIEWER)
    header = f"Bearer {api.token(user)}"
    assert _answer(api, header) == 200

    api.users.disable_user(user.id)

    assert _answer(api, header) == 401


def test_expired_token_of_ours_is_refused(api: Api) -> None:
    """A token ends when it says."""
    assert _answer(api, f"Bearer {api.token(api.user(Role.ADMIN), ttl_s=-1)}") == 401
