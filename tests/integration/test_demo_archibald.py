"""The demo ERP's own face: a form, hidden fields that come back, sessions that end."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from archibald_sync.demo.archibald_list import COLUMNS, printed
from archibald_sync.demo.archibald_sessions import Sessions
from archibald_sync.demo.catalogue import DemoCatalogue
from archibald_sync.demo.server import DemoErp

if TYPE_CHECKING:
    from collections.abc import Iterator

EXPORT = {"__EVENTTARGET": "Menu$ExportTo", "__EVENTARGUMENT": "Pdf"}
LOGIN, LIST = "/Archibald/Login.aspx", "/Archibald/INVENTTABLE_ListView/"


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a small demo ERP."""
    with DemoErp(rows=30, drift=False) as erp:
        yield erp


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    """Return a browser with cookies that asks for Italian."""
    with requests.Session() as session:
        session.headers["Accept-Language"] = "it-IT"
        yield session


def hidden(page: str) -> dict[str, str]:
    """Return the hidden fields of a page."""
    return dict(re.findall(r'type="hidden" name="([^"]+)" id="[^"]+" value="([^"]*)"', page))


def log_in(
    erp: DemoErp,
    browser: requests.Session,
    password: str = "segreto",  # noqa: S107  # invented
    **more: str,
) -> requests.Response:
    """Fill in the login form and send it."""
    page = browser.get(erp.url(LOGIN), timeout=5)
    typed = {"Logon$UserName_Edit": "agente", "Logon$Password_Edit": password}
    fields = {**hidden(page.text), "Logon$Button": "Accedi", **typed, **more}
    return browser.post(erp.url(LOGIN), data=fields, timeout=5)


def test_list_and_export_need_a_login(erp: DemoErp, browser: requests.Session) -> None:
    """Strangers are led to the login page; after it the list exports itself."""
    assert browser.get(erp.url(LIST), timeout=5).url.startswith(erp.url(LOGIN))

    page = log_in(erp, browser)
    export = browser.post(erp.url(LIST), data={**hidden(page.text), **EXPORT}, timeout=30)

    assert page.url == erp.url(LIST)
    assert export.headers["Content-Type"] == "application/pdf"
    assert export.content.startswith(b"%PDF-")


def test_forms_must_bring_back_their_hidden_fields(erp: DemoErp, browser: requests.Session) -> None:
    """Without the state that the page carried there is neither login nor export."""
    assert log_in(erp, browser, __EVENTVALIDATION="/wEdAAstale").status_code == 500
    page = log_in(erp, browser)

    export = browser.post(erp.url(LIST), data=EXPORT, timeout=30)
    other = browser.post(
        erp.url(LIST), data={**hidden(page.text), **EXPORT, "__EVENTARGUMENT": "Xls"}, timeout=5
    )

    assert export.headers["Content-Type"].startswith("text/html")
    assert other.headers["Content-Type"].startswith("text/html")


def test_wrong_password_shows_the_form_again(erp: DemoErp, browser: requests.Session) -> None:
    """A wrong password is answered 200, with the login page."""
    answer = log_in(erp, browser, "sbagliato")

    assert answer.status_code == 200
    assert 'type="password"' in answer.text
    assert erp.archibald.logins == 1


def test_an_ended_session_is_answered_with_the_login_page(
    erp: DemoErp, browser: requests.Session
) -> None:
    """Who had been logged in gets the login page with status 200 in place of the list."""
    log_in(erp, browser)
    erp.archibald.expire()

    answer = browser.get(erp.url(LIST), timeout=5)

    assert (answer.status_code, answer.url) == (200, erp.url(LIST))
    assert 'type="password"' in answer.text


def test_sessions_end_when_nothing_happens() -> None:
    """An idle session ends, and old ones make room for new ones."""
    idle = Sessions(idle_s=-1.0)
    assert not idle.has(idle.begin())

    sessions = Sessions()
    names = [sessions.begin() for _ in range(101)]
    assert [sessions.has(name) for name in (names[0], names[100])] == [False, True]
    assert not sessions.is_logged_in({"ASP.NET_SessionId": names[100]})


def test_exports_are_kept_for_a_revision(erp: DemoErp, browser: requests.Session) -> None:
    """The same products give the same file; changed ones another."""

    def export() -> bytes:
        page = browser.get(erp.url(LIST), timeout=5)
        data = {**hidden(page.text), **EXPORT}
        return browser.post(erp.url(LIST), data=data, timeout=30).content

    log_in(erp, browser)
    first, again = export(), export()
    erp.revise(updated=3)

    assert first == again != export()


def test_without_the_library_there_is_no_pdf(
    erp: DemoErp, browser: requests.Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ERP that cannot make PDF files says what it needs."""
    monkeypatch.setitem(sys.modules, "reportlab.pdfbase.pdfmetrics", None)
    page = log_in(erp, browser)

    answer = browser.post(erp.url(LIST), data={**hidden(page.text), **EXPORT}, timeout=5)

    assert answer.status_code == 501
    assert "archibald-sync[demo]" in answer.text


def test_damaged_cookies_are_no_session(erp: DemoErp) -> None:
    """Cookies that make no sense are those of a stranger."""
    answer = requests.get(
        erp.url(LIST), headers={"Cookie": "a;=;\x01=b"}, timeout=5, allow_redirects=False
    )

    assert answer.status_code == 302


def test_values_are_printed_in_both_languages() -> None:
    """Numbers, dates and truth come out the Italian way, or the English one."""
    product = next(iter(DemoCatalogue(1, 1).products.values()))
    product |= {
        "PURCHPRICEPCS": -1360.65,
        "HIGHESTQTY": 1000.0,
        "CREATEDDATETIME": "2024-01-31T10:00:00",
    }
    by_field = {column.field: column for column in COLUMNS}

    def both(field: str) -> tuple[str, str]:
        column = by_field[field]
        return printed(product, column), printed(product, column, is_english=True)

    assert both("PURCHPRICEPCS") == ("(1.360,65)", "(1,360.65)")
    assert both("HIGHESTQTY") == ("1.000,00", "1,000.00")
    assert both("CREATEDDATETIME") == ("31/01/2024 10:00:00", "01/31/2024 10:00:00")
    assert both("ORDERITEM") == ("Sì", "Yes")
    product |= {"CREATEDDATETIME": "gestern", "NAME": None}
    assert both("CREATEDDATETIME") == ("gestern", "gestern")
    assert both("NAME") == ("", "")
