"""Redirects lead to a path of ours, whatever host a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from web_support import Api

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from support import World

HOSTS = ["evil.example", "evil.example:8443", "evil.example:80@x", "localhost", "[::1]", ""]


@pytest.fixture(scope="module")
def api(shared_world: World) -> Api:
    """Return an API whose resource nobody owns."""
    return Api(shared_world)


def ask(api: Api, host: str, path: str, query: str = "") -> Any:  # noqa: ANN401  # a test answer
    """Ask for ``path`` as it is: the test client itself would read a host out of one."""
    environ = {"HTTP_HOST": host, "SERVER_NAME": "evil.example", "PATH_INFO": path}
    return api.client.get("/", query_string=query, environ_overrides=environ)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize(
    ("path", "query", "meant"),
    [
        ("/api/docs", "", "/api/docs/"),
        ("/api/docs", "a=b&c=%2F%2Fx", "/api/docs/?a=b&c=%2F%2Fx"),
        ("/api//products", "", "/api/products"),
        ("/api//products//x/changes", "limit=2", "/api/products/x/changes?limit=2"),
    ],
)
def test_redirect_names_no_host(api: Api, host: str, path: str, query: str, meant: str) -> None:
    """Whatever host is asked, header and body lead to a path where one already is."""
    answer = ask(api, host, path, query)

    assert (answer.status_code, answer.headers["Location"]) == (308, meant)
    assert "://" not in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "//api/docs",
        "///evil.example//..//api/docs",
        "//evil.example/../api//docs",
        "/\\evil.example//api/docs",
        "//evil.example//",
        "/api/docs//",
        "/assets//evil.example//x",
        "/api/docs/files//evil.example",
    ],
)
def test_path_that_looks_like_a_host_leads_nowhere_else(api: Api, path: str) -> None:
    """What a browser would take for a host is in no Location: one slash, and then our path."""
    answer = ask(api, "evil.example", path)

    location = answer.headers.get("Location", "/")
    assert answer.status_code in {308, 404}
    assert location.startswith("/")
    assert not location.startswith(("//", "/\\"))
    assert "://" not in location


def test_redirect_of_a_request_that_acts_stays_here_too(api: Api) -> None:
    """Also one that a client repeats with its body and its token."""
    answer = api.call(
        "POST",
        "/api//products/sync/stop",
        Role.OPERATOR,
        headers={"Host": "evil.example"},
        json={"cancel": True},
    )

    assert (answer.status_code, answer.headers["Location"]) == (308, "/api/products/sync/stop")
    assert "evil" not in answer.text


def test_redirect_keeps_the_prefix_of_the_service(api: Api) -> None:
    """Behind a server that mounts the service under a path, that path stays."""
    answer = api.client.get("/api/docs", environ_overrides={"SCRIPT_NAME": "/sync"})

    assert answer.headers["Location"] == "/sync/api/docs/"


@pytest.mark.parametrize("path", ["/", "/admin", "/login", "/language/it", "/catalogue"])
def test_pages_lead_nowhere_else(api: Api, path: str) -> None:
    """Logging in, first pages and the choice of a language answer without the host, too."""
    for role in (None, Role.ADMIN):
        answer = api.call("GET", path, role, headers={"Host": "evil.example"})

        assert "evil.example" not in answer.headers.get("Location", "")
        assert "evil.example" not in answer.text


def test_language_leads_to_no_other_host(api: Api) -> None:
    """Where to go afterwards comes from the address, and is a path or nothing."""
    answer = api.client.get("/language/it?next=//evil.example")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_documents_do_not_name_the_host(api: Api) -> None:
    """Neither the description of the API nor its page depends on who asked for it."""
    for path in ("/api/openapi.json", "/api/docs/"):
        plain = api.client.get(path)
        hostile = api.client.get(path, headers={"Host": "evil.example"})

        assert (hostile.status_code, hostile.data) == (200, plain.data)
