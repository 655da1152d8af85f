"""The pages as answers: what browsers may do with them, where they lead, what they say."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import catalogue_of

import archibald_sync.web as package
from archibald_sync.domain.models import Role
from archibald_sync.errors import StorageBusyError, TransientSourceError
from archibald_sync.services.control import RunControl
from archibald_sync.web.pages.layout import is_local
from archibald_sync.web.pages.refusals import POLICY

if TYPE_CHECKING:
    from support import FakeSource
    from web_support import Api

    from archibald_sync.domain.ports import Control

OVERVIEW = "/products/overview"
TEMPLATES = Path(package.__file__).parent / "templates" / "page"


def page(api: Api, path: str = OVERVIEW, role: Role = Role.OPERATOR, **headers: str) -> Any:  # noqa: ANN401  # a test answer
    """Return a page as a new user of ``role`` sees it."""
    return api.call("GET", path, role, headers=headers)


@pytest.mark.parametrize("path", ["/", "/a?b=c", "/products/overview"])
def test_paths_of_ours_are_local(path: str) -> None:
    """What begins with one slash stays here."""
    assert is_local(path)


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "products",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
    ],
)
def test_other_places_are_not_local(path: str | None) -> None:
    """Nothing that any browser takes for another host or for a script is followed."""
    assert not is_local(path)


def test_login_leads_only_to_pages_of_ours(api: Api) -> None:
    """A link to the login cannot send whoever logs in to a stranger."""
    good = api.client.get("/login?next=/products/overview?a=b")
    bad = api.client.get("/login?next=//evil.example")

    assert 'data-next="/products/overview?a=b"' in good.text
    assert 'data-next="/"' in bad.text


@pytest.mark.parametrize("path", ["/login", OVERVIEW, "/products/overview/live"])
def test_pages_forbid_what_is_not_ours(api: Api, path: str) -> None:
    """Every page has the strict policy, is kept by nobody, and has nothing inline."""
    answer = page(api, path)

    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Cache-Control"] == "no-store"
    assert " style=" not in answer.text
    assert "onclick" not in answer.text


def test_the_first_page_is_the_overview(api: Api) -> None:
    """The root leads to the first resource."""
    answer = page(api, "/")

    assert (answer.status_code, answer.headers["Location"]) == (303, OVERVIEW)


def test_files_are_kept_for_ever_under_their_fingerprint(api: Api) -> None:
    """A file may be kept for a year, and there is none under another fingerprint."""
    text = api.client.get("/login").text
    path = text.split('rel="stylesheet" href="')[1].split('"')[0]

    with api.client.get(path) as answer:
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"

    assert api.client.get("/assets/0123456789abcdef/page.css").status_code == 404
    assert api.client.get(f"{path}/../../auth.py").status_code == 404


@pytest.mark.parametrize(
    ("wanted", "cookie", "expected"),
    [
        ("", None, "en"),
        ("it-IT,it;q=0.9,en;q=0.5", None, "it"),
        ("de, fr", None, "en"),
        ("it", "en", "en"),
        ("", "it", "it"),
        ("", "../../etc", "en"),
    ],
)
def test_language_is_that_of_the_switch_else_of_the_browser(
    api: Api, wanted: str, cookie: str | None, expected: str
) -> None:
    """The cookie comes first, then what the browser asks for, then English."""
    if cookie is not None:
        api.client.set_cookie("lang", cookie)

    text = api.client.get("/login", headers={"Accept-Language": wanted}).text

    assert f'<html lang="{expected}"' in text


def test_switch_of_the_language_goes_back(api: Api) -> None:
    """The choice is kept, and one is back on a page of ours."""
    answer = api.client.get("/language/it?next=/products/overview")
    strange = api.client.get("/language/it?next=https://evil.example")

    assert answer.headers["Location"] == OVERVIEW
    assert "lang=it" in answer.headers["Set-Cookie"]
    assert strange.headers["Location"] == "/"
    assert api.client.get("/language/xx").status_code == 404


def test_without_an_owner_nobody_can_act(api: Api) -> None:
    """The page says that nothing drives the schedule, and why no button works."""
    text = page(api).text

    assert "No process drives the schedule. Is the service running?" in text
    assert text.count("so nobody could carry it out.") == 5


def test_a_refusal_is_a_page(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be shown is told in words and with the status of the API."""

    def busy() -> None:
        raise StorageBusyError("SECRET detail")

    monkeypatch.setattr(api.world.monitoring, "status", busy)

    answer = page(api)

    assert (answer.status_code, answer.mimetype) == (503, "text/html")
    assert answer.headers["Retry-After"] == "2"
    assert "the database is busy" in answer.text
    assert "SECRET" not in answer.text


def test_the_last_failure_is_shown_with_its_reason(api: Api, source: FakeSource) -> None:
    """A failed run makes the page say so, with the sentence of the error, escaped."""
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("the ERP said <b>no</b>") for _ in range(3)]
    world = api.world
    world.schedule.begin(30, world.clock.now_ms(), None, world.own())
    world.run()

    text = page(api).text

    assert 'data-state="failing"' in text
    assert '<a id="last-run" class="bad"' in text
    assert "the ERP said &lt;b&gt;no&lt;/b&gt;" in text
    assert "<b>no</b>" not in text


def test_the_charts_say_in_words_what_they_show(api: Api, source: FakeSource) -> None:
    """Counts by outcome and changes a day stand in the page, beside what is drawn."""
    source.records = catalogue_of(3)
    api.world.run()

    text = page(api, "/products/overview/charts").text

    assert '<span class="badge good">1 completed</span>' in text
    assert "100% completed." in text
    assert '<td class="number">3</td>' in text


def test_templates_are_short() -> None:
    """A template of more than 60 lines holds two ideas."""
    lengths = {path.name: len(path.read_text("utf-8").splitlines()) for path in TEMPLATES.iterdir()}

    assert {name for name, length in lengths.items() if length > 60} == set()


@pytest.mark.parametrize("at_first", [(True,), (False, False, True)], ids=["unread", "read"])
def test_the_run_at_work_is_shown(api: Api, source: FakeSource, at_first: tuple[bool, ...]) -> None:
    """While a run works its stage, pages, rows and attempt are on the page, and it can be ended."""
    source.records = catalogue_of(200)
    is_reading, may_go_on = threading.Event(), threading.Event()
    begun = iter(at_first)

    def pause(_control: Control) -> None:
        if next(begun, False):
            is_reading.set()
            may_go_on.wait(20)

    source.pause = pause

    with api.world.running(RunControl()):
        assert is_reading.wait(20)
        text = page(api, "/products/overview/live").text
        may_go_on.set()

    assert 'id="run"' in text
    assert "data-busy" in text
    assert "Reading from the ERP" in text
    assert "1 of 3" in text
    assert 'title="A run is at work already."' in text
    assert 'title="No run is at work."' not in text
