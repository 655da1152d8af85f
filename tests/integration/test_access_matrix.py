"""Every route against everything that somebody may show: exactly the declared answer."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from access_support import (
    FOREIGN,
    FOREIGN_SECRET,
    Route,
    bearer,
    claims_of,
    foreign_claims,
    key_of,
    logged_in,
    routes,
    signed,
)
from web_support import SECRET, SYNC, Api

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from support import World

    Show = Callable[[Api], Mapping[str, str]]


@pytest.fixture
def api(world: World) -> Api:
    """Return an API that also believes a neighbour, and whose resource nobody owns."""
    return Api(world, settings=FOREIGN, answer_wait_s=0.01)


@pytest.fixture(scope="module")
def shut(shared_world: World) -> Api:
    """Return such an API for those whom it lets in nowhere: nothing changes in it."""
    return Api(shared_world, settings=FOREIGN, answer_wait_s=0.01)


def _token(**changes: object) -> Show:
    """Show a token of an admin that is good but for ``changes``."""
    return lambda api: bearer(signed(claims_of(api.user(Role.ADMIN), **changes)))


def _foreign(role: str | None, **changes: object) -> Show:
    """Show a token of the neighbour with ``role``, that is good but for ``changes``."""
    return lambda _api: bearer(signed(foreign_claims(role=role, **changes), FOREIGN_SECRET))


def _alg_none(api: Api) -> Mapping[str, str]:
    return bearer(signed(claims_of(api.user(Role.ADMIN)), "", "none"))


def _foreign_alg_none(_api: Api) -> Mapping[str, str]:
    return bearer(signed(foreign_claims(role="boss"), "", "none"))


def _foreign_key(api: Api) -> Mapping[str, str]:
    return bearer(signed(claims_of(api.user(Role.ADMIN)), "somebody else's secret, long enough"))


def _neighbours_key_for_ours(api: Api) -> Mapping[str, str]:
    return bearer(signed(claims_of(api.user(Role.ADMIN)), FOREIGN_SECRET))


def _our_key_for_neighbours(_api: Api) -> Mapping[str, str]:
    return bearer(signed(foreign_claims(role="boss"), SECRET))


def _disabled_user(api: Api) -> Mapping[str, str]:
    user = api.user(Role.OPERATOR)
    token = api.token(user)
    api.accounts.disable_user(user.name)
    return bearer(token)


def _demoted_user(api: Api) -> Mapping[str, str]:
    api.user(Role.ADMIN)
    user = api.user(Role.ADMIN)
    token = api.token(user)
    api.accounts.set_role(user.name, Role.VIEWER)
    return bearer(token)


def _logged_in(api: Api) -> Mapping[str, Any]:
    return logged_in(api, Role.ADMIN, f"admin-{secrets.token_hex(4)}")


def _ended_login(api: Api) -> Mapping[str, str]:
    header = bearer(_logged_in(api)["accessToken"])
    assert api.client.post("/api/auth/logout", headers=header).status_code == 204
    return header


def _refresh_token(api: Api) -> Mapping[str, str]:
    return bearer(_logged_in(api)["refreshToken"])


def _revoked_key(api: Api) -> Mapping[str, str]:
    key_id, secret = key_of(api, Role.ADMIN)
    api.access.keys.revoke(key_id)
    return {"X-Api-Key": secret}


def _key_of_disabled_user(api: Api) -> Mapping[str, str]:
    api.user(Role.ADMIN)
    owner = api.user(Role.ADMIN)
    _, secret = key_of(api, Role.ADMIN, owner)
    api.accounts.disable_user(owner.name)
    return {"X-Api-Key": secret}


def _access_cookie_as_text(api: Api) -> Mapping[str, str]:
    return {"Cookie": f"access_token_cookie={api.token(api.user(Role.ADMIN))}"}


def _refresh_cookie_for_access(api: Api) -> Mapping[str, str]:
    refresh = _logged_in(api)["refreshToken"]
    return {"Cookie": f"__Host-access={refresh}", "X-CSRF-Token": "x"}


NOBODY: dict[str, Show] = {
    "no-token": lambda _api: {},
    "expired": _token(exp=int(time.time()) - 1),
    "foreign-key": _foreign_key,
    "neighbours-key": _neighbours_key_for_ours,
    "alg-none": _alg_none,
    "missing-exp": _token(exp=None),
    "missing-jti": _token(jti=None),
    "wrong-audience": _token(aud="somebody-else"),
    "wrong-issuer": _token(iss="somebody-else"),
    "earlier-generation": _token(gen=-1),
    "disabled-user": _disabled_user,
    "demoted-user": _demoted_user,
    "ended-login": _ended_login,
    "refresh-token": _refresh_token,
    "revoked-key": _revoked_key,
    "key-of-disabled-user": _key_of_disabled_user,
    "unknown-key": lambda _api: {"X-Api-Key": "ask_" + "x" * 43},
    "empty-key": lambda _api: {"X-Api-Key": ""},
    "other-cookie": _access_cookie_as_text,
    "refresh-cookie": _refresh_cookie_for_access,
    "foreign-expired": _foreign("boss", exp=int(time.time()) - 60),
    "foreign-missing-exp": _foreign("boss", exp=None),
    "foreign-missing-iat": _foreign("boss", iat=None),
    "foreign-missing-jti": _foreign("boss", jti=None),
    "foreign-missing-sub": _foreign("boss", sub=None),
    "foreign-wrong-audience": _foreign("boss", aud="somebody-else"),
    "foreign-alg-none": _foreign_alg_none,
    "foreign-signed-by-us": _our_key_for_neighbours,
}


def _token_of(role: Role) -> Show:
    return lambda api: bearer(api.token(api.user(role)))


def _key_of(role: Role) -> Show:
    return lambda api: {"X-Api-Key": key_of(api, role)[1]}


SOMEBODY: dict[str, tuple[Role | None, bool, Show]] = {
    **{f"{role}-token": (role, True, _token_of(role)) for role in Role},
    **{f"{role}-key": (role, False, _key_of(role)) for role in Role},
    "key-as-bearer": (Role.VIEWER, False, lambda api: bearer(key_of(api, Role.VIEWER)[1])),
    "foreign-sales": (Role.VIEWER, False, _foreign("sales")),
    "foreign-office": (Role.OPERATOR, False, _foreign("office")),
    "foreign-boss": (Role.ADMIN, False, _foreign("boss")),
    "foreign-unmapped": (None, False, _foreign("admin")),
    "foreign-without-role": (None, False, _foreign(None)),
}


# What a view answers to somebody who is let in and sends no body, where that is neither 200
# nor, for a path that names something, 404.
ANSWERED: dict[tuple[str, str], set[int]] = {
    ("GET", "/api/products/variants"): {400},
    ("GET", f"{SYNC}/runs/{{run_id}}/plan"): {400},
    ("POST", f"{SYNC}/run"): {503},  # nobody owns the resource
    ("POST", SYNC): {503},
    ("POST", "/api/priority/leases"): {400},
    ("POST", "/api/users"): {400},
    ("POST", "/api/keys"): {400},
    ("POST", "/api/auth/password"): {400},
    ("POST", "/api/auth/logout"): {204},
    ("DELETE", "/api/keys/{key_id}"): {204, 404},  # there may be such a key by then
}


def _answered(route: Route) -> set[int]:
    """Return what the view of a route answers to somebody who is let in."""
    return ANSWERED.get((route.method, route.rule), {404} if "{" in route.rule else {200})


def _ask(api: Api, route: Route, headers: Mapping[str, str]) -> Any:  # noqa: ANN401  # a test answer
    # A client that keeps cookies would send none of ours.
    client = api.app.test_client(use_cookies=False)
    answer = client.open(route.path, method=route.method, headers=headers)
    if answer.is_streamed:
        answer.close()  # it may be one that does not end by itself
    return answer


def _declared(api: Api) -> dict[tuple[str, str], set[int]]:
    """Return which statuses the document declares for each route."""
    document = api.client.get("/api/openapi.json").json
    return {
        (method.upper(), path): {int(status) for status in operation["responses"]}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


def test_declarations_are_not_too_generous(shut: Api) -> None:
    """What concerns access is for admins, what changes something at least for operators."""
    for route in routes(shut):
        if route.permission == "public" or route.rule.startswith("/api/auth/"):
            continue
        least = Role.VIEWER if route.method == "GET" else Role.OPERATOR
        if route.rule.startswith(("/api/users", "/api/keys", "/api/audit", "/admin")):
            least = Role.ADMIN

        assert Role(str(route.permission)).includes(least), route


@pytest.mark.parametrize("shown", NOBODY)
def test_nobody_gets_in(shut: Api, shown: str) -> None:
    """On every route that is not public the answer is 401, whatever the way to have no right."""
    headers = NOBODY[shown](shut)

    answers = {
        (route.method, route.rule): _ask(shut, route, headers)
        for route in routes(shut)
        if route.permission != "public" and not route.is_page
    }

    assert len(answers) > 15
    assert {route: answer.status_code for route, answer in answers.items()} == dict.fromkeys(
        answers, 401
    )
    assert {answer.headers["WWW-Authenticate"] for answer in answers.values()} == {"Bearer"}
    assert {answer.json["code"] for answer in answers.values()} == {"unauthorized"}


@pytest.mark.parametrize("shown", NOBODY)
def test_nobody_sees_a_page(shut: Api, shown: str) -> None:
    """Whoever has no right is sent from every page to the login, and back to that page."""
    headers = NOBODY[shown](shut)
    pages = [one for one in routes(shut) if one.is_page and one.permission != "public"]
    assert len(pages) >= 3

    for page in pages:
        answer = shut.client.open(f"{page.path}?a=b", method=page.method, headers=headers)

        assert page.method == "GET", "pages act through the API"
        assert answer.status_code == 303, page
        target = urlsplit(answer.headers["Location"])
        assert (target.netloc, target.path) == ("", "/login")
        assert parse_qs(target.query) == {"next": [f"{page.path}?a=b"]}


@pytest.mark.parametrize("shown", SOMEBODY)
def test_somebody_sees_the_pages_of_the_role(api: Api, shown: str) -> None:
    """A page is shown, or says that it may not be, or that there is no such thing."""
    role, is_person, show = SOMEBODY[shown]

    for page in routes(api):
        if page.permission == "public" or not page.is_page:
            continue
        answer = _ask(api, page, show(api))

        assert answer.mimetype == "text/html", page
        may = role is not None and role.includes(Role(str(page.permission)))
        allowed = {200, 303, 404} if may and (is_person or not page.is_for_persons) else {403}
        assert answer.status_code in allowed, (page, answer.text)


@pytest.mark.parametrize("shown", SOMEBODY)
def test_somebody_gets_what_the_role_permits(api: Api, shown: str) -> None:
    """403 where the role does not suffice or no machine may, else what the view answers."""
    role, is_person, show = SOMEBODY[shown]
    declared = _declared(api)

    for route in routes(api):
        if route.permission == "public" or route.is_page:
            continue
        # A new caller each time: one of the routes is the logout.
        answer = _ask(api, route, show(api))

        may = role is not None and role.includes(Role(str(route.permission)))
        if may and (is_person or not route.is_for_persons):
            assert answer.status_code in _answered(route), (route, answer.text)
            assert answer.status_code in declared[route.method, route.rule], route
            assert answer.status_code != 503 or answer.json["code"] == "no_owner"
        else:
            assert answer.status_code == 403, (route, answer.text)
            assert answer.json["code"] == "forbidden"


@pytest.mark.parametrize("shown", NOBODY)
def test_public_routes_answer_the_same_to_all(shut: Api, shown: str) -> None:
    """What needs no token is not changed by one, and answers as declared."""
    headers = NOBODY[shown](shut)
    declared = _declared(shut)
    public = [route for route in routes(shut) if route.permission == "public"]
    assert public

    for route in public:
        answer = _ask(shut, route, headers)

        assert answer.status_code == _ask(shut, route, {}).status_code, route
        # Pages for people are in no document: there, or not.
        expected = declared.get((route.method, route.rule), {200, 404})
        assert answer.status_code in expected, route
        assert answer.status_code != 403, route


def test_query_string_proves_nothing(shut: Api) -> None:
    """Neither a token nor a key counts where logs and histories keep it."""
    token = shut.token(shut.user(Role.ADMIN))
    _, secret = key_of(shut, Role.ADMIN)
    query = f"?jwt={token}&access_token={token}&token={token}&api_key={secret}&X-Api-Key={secret}"

    for route in routes(shut):
        if route.permission != "public":
            answer = shut.client.open(route.path + query, method=route.method)
            assert answer.status_code == (303 if route.is_page else 401), route
