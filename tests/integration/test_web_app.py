"""The API as a whole: permissions, document, health, errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from web_support import PROBLEM_KEYS, SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.errors import (
    InvalidInputError,
    StorageBusyError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
)
from archibald_sync.services.monitoring import MonitoringService
from archibald_sync.web.problems import PROBLEM_TYPE
from archibald_sync.web.security import declared_permission

if TYPE_CHECKING:
    from support import World


def _routes(api: Api) -> list[tuple[str, str, str]]:
    """Return (method, path, endpoint) of every route."""
    return [
        (method, rule.rule, rule.endpoint)
        for rule in api.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def test_every_route_declares_who_may_use_it(api: Api) -> None:
    """No route of ours works without a declared permission, and the public ones are known."""
    permissions = {
        (method, path): declared_permission(api.app.view_functions[endpoint])
        for method, path, endpoint in _routes(api)
        if endpoint != "static"  # Flask's own: refused, as the next test shows
    }

    assert None not in permissions.values()
    assert {route for route, permission in permissions.items() if permission == "public"} == {
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/api/openapi.json"),
        ("GET", "/api/docs/"),
        ("GET", "/api/docs/files/<path:filename>"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/refresh"),
        ("GET", "/login"),
        ("GET", "/language/<code>"),
        ("GET", "/assets/<version>/<path:name>"),
    }


def test_route_without_declaration_is_refused_to_everybody(api: Api) -> None:
    """A forgotten permission locks a route instead of opening it."""
    api.app.add_url_rule("/forgotten", view_func=lambda: "secret")

    answers = [api.call("GET", path, Role.ADMIN) for path in ("/forgotten", "/static/anything.txt")]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json["code"] == "forbidden"


@pytest.mark.parametrize("role", [None, *Role])
def test_each_route_admits_the_declared_roles_only(api: Api, role: Role | None) -> None:
    """No token is 401, a role that does not suffice 403, on every single route."""
    for method, path, endpoint in _routes(api):
        needed = declared_permission(api.app.view_functions[endpoint])
        if needed in (None, "public"):
            continue
        url = re.sub("<[^>]+>", "x", path)

        answer = api.call(method, url, role)

        if role is None and endpoint.startswith("pages"):
            assert answer.status_code == 303, (method, path)
        elif role is None:
            assert answer.status_code == 401, (method, path)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        elif role.includes(Role(str(needed))):
            assert answer.status_code not in {401, 403}, (method, path)
        else:
            assert answer.status_code == 403, (method, path)
            assert str(needed) in answer.text


def test_document_describes_every_route(api: Api) -> None:
    """The OpenAPI document has every method of every route, with its permission."""
    document = api.client.get("/api/openapi.json").json

    assert document["openapi"].startswith("3.1")
    for method, path, endpoint in _routes(api):
        if endpoint in {"static", "api-docs.openapi_json", "docs.static", "docs.page"}:
            continue
        if endpoint.startswith(("pages", "assets")):
            continue  # for people, and no part of the API
        operation = document["paths"][re.sub("<(?:.*?:)?(.*?)>", r"{\1}", path)][method.lower()]
        needed = declared_permission(api.app.view_functions[endpoint])
        schemes = {name for one in operation["security"] for name in one}
        assert ("bearerAuth" in schemes) is (needed != "public")
        assert schemes <= set(document["components"]["securitySchemes"])
        assert operation["summary"]
        # A refresh is public, but a cookie without its CSRF token is forbidden.
        is_refusing = needed != "public" or endpoint == "auth.refresh"
        assert ("403" in operation["responses"]) is is_refusing


def test_process_is_alive_whatever_else_happens(api: Api) -> None:
    """/livez asks nothing but the process."""
    api.world.database.close()
    api.world.database.path.unlink()

    answer = api.client.get("/livez")

    assert (answer.status_code, answer.json) == (200, {"status": "alive"})


def test_service_without_owner_is_not_ready(api: Api) -> None:
    """/readyz is 503 while nobody drives the sync, and says so."""
    answer = api.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json["status"] == "unavailable"
    assert answer.json["reasons"] == ["products: no_owner"]


def test_service_with_owner_is_ready(world: World) -> None:
    """/readyz is 200 once somebody drives the sync."""
    answer = Api.with_owner(world).client.get("/readyz")

    assert answer.status_code == 200
    assert answer.json["resources"]["products"]["isReady"] is True
    assert answer.json["reasons"] == []


def test_service_without_database_is_not_ready(api: Api) -> None:
    """/readyz is 503 without a usable database, and names no path."""
    api.world.database.close()
    api.world.database.path.unlink()

    answer = api.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json["reasons"] == ["products: storage_failed"]
    assert "sqlite" not in answer.text


def test_service_that_lets_nobody_in_is_not_ready(world: World) -> None:
    """/readyz is 503 without the database of logins and keys, and says which it is."""
    api = Api.with_owner(world)
    world.access_database.close()
    world.access_database.path.unlink()

    answer = api.client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json["reasons"] == ["access: storage_failed"]


def test_reads_without_database_ask_to_come_back(api: Api) -> None:
    """A missing database is 503 with Retry-After, and names no path."""
    token = api.token(api.user(Role.VIEWER))
    api.world.database.close()
    api.world.database.path.unlink()

    answer = api.client.get(f"{SYNC}/metrics", headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "sqlite" not in answer.text


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageBusyError("/secret/path is busy"), "storage_busy"),
        (StorageFullError("/secret/path is full"), "storage_full"),
        (StorageCorruptError("/secret/path is damaged"), "storage_corrupt"),
        (StorageError("/secret/path is gone"), "storage_failed"),
    ],
)
def test_storage_in_trouble_asks_to_come_back(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: StorageError, code: str
) -> None:
    """Every trouble with the database is 503 with Retry-After, without its text."""
    _fail_with(error, monkeypatch)

    answer = api.call("GET", f"{SYNC}/metrics")

    assert answer.status_code == 503
    assert answer.json["code"] == code
    assert int(answer.headers["Retry-After"]) > 0
    assert "/secret/path" not in answer.text


def test_unforeseen_error_tells_nothing_outside_and_everything_inside(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 has a fixed text; the log has the traceback, under the same request id."""
    _fail_with(RuntimeError("the secret is 42"), monkeypatch)

    answer = api.call("GET", f"{SYNC}/metrics?token=abc")

    assert answer.status_code == 500
    assert answer.mimetype == PROBLEM_TYPE
    assert "secret" not in answer.text
    record = next(one for one in caplog.records if one.exc_info)
    assert "the secret is 42" in str(record.exc_info)
    fields: dict[str, object] = record.__dict__["fields"]
    assert fields["requestId"] == answer.json["requestId"]
    assert "token=abc" not in caplog.text


def test_wrong_input_found_by_a_service_names_its_field(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What only a service can judge is 400 too."""
    _fail_with(InvalidInputError("colour", "expected red"), monkeypatch)

    answer = api.call("GET", f"{SYNC}/metrics")

    assert answer.status_code == 400
    assert answer.json["field"] == "colour"
    assert answer.json["detail"] == "colour: expected red"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", f"{SYNC}/", 404, "not_found"),
        ("DELETE", "/livez", 405, "method_not_allowed"),
        ("OPTIONS", f"{SYNC}/start", 405, "method_not_allowed"),
    ],
)
def test_errors_of_http_are_problems_too(
    api: Api, method: str, path: str, status: int, code: str
) -> None:
    """Whatever Flask answers by itself has our shape as well."""
    answer = api.call(method, path)

    assert answer.status_code == status
    assert answer.mimetype == PROBLEM_TYPE
    assert set(answer.json) == PROBLEM_KEYS
    assert answer.json["code"] == code
    assert answer.json["type"] == "about:blank"
    assert answer.json["error"] == answer.json["detail"]
    assert ("Allow" in answer.headers) is (status == 405)


def test_request_id_of_the_client_comes_back(api: Api) -> None:
    """A short token is kept, in the header and in the problem."""
    answer = api.client.get("/nowhere", headers={"X-Request-ID": "req-1.a_B"})

    assert answer.headers["X-Request-ID"] == "req-1.a_B"
    assert answer.json["requestId"] == "req-1.a_B"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "é"])
def test_request_id_that_is_no_token_is_replaced(api: Api, given: str) -> None:
    """Anything else from outside is not repeated."""
    answer = api.client.get("/livez", headers={"X-Request-ID": given})

    assert answer.headers["X-Request-ID"] != given
    assert len(answer.headers["X-Request-ID"]) == 32


@pytest.mark.parametrize("path", ["/livez", "/nowhere", "/api/openapi.json", f"{SYNC}/metrics"])
def test_every_answer_is_guarded(api: Api, path: str) -> None:
    """No answer is cached, sniffed or framed, and none sets a cookie."""
    answer = api.client.get(path)

    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers


def test_head_asks_for_the_same_permission(api: Api) -> None:
    """HEAD is GET without a body, not a way around the token."""
    assert api.call("HEAD", f"{SYNC}/status", None).status_code == 401
    assert api.call("HEAD", f"{SYNC}/status", Role.VIEWER).status_code == 200


def test_application_reads_and_writes_json_strictly(api: Api) -> None:
    """The application's own JSON is orjson's: compact, and without NaN."""
    with api.app.app_context():
        assert api.app.json.dumps({"a": [1, "é"]}, indent=2) == '{"a":[1,"é"]}'
        assert api.app.json.loads('{"a": 1}') == {"a": 1}
        with pytest.raises(ValueError, match="JSON"):
            api.app.json.loads("NaN")


def _fail_with(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the metrics fail with ``error``."""

    def fail(_self: MonitoringService, _limit: int) -> None:
        raise error

    monkeypatch.setattr(MonitoringService, "overview", fail)
