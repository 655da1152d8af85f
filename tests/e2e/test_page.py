"""The pages in a real browser, over the real service: what people see and click works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_support import (
    PAGES,
    PHONE,
    Site,
    Watched,
    running_browser,
    running_site,
    watched_page,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

ACCESS_COOKIE = "__Host-access"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the running service."""
    with running_site(tmp_path_factory.mktemp("site")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a running browser."""
    with running_browser() as running:
        yield running


@pytest.fixture
def watched(site: Site, browser: Browser) -> Iterator[Watched]:
    """Return a page without a login, which must do nothing wrong."""
    with watched_page(browser, site.url) as page:
        yield page


def test_the_first_sync_arrives_live(watched: Watched) -> None:
    """Whoever logs in is brought to the overview, which shows the sync without a reload."""
    watched.log_in("operator")

    page = watched.page
    page.wait_for_selector("#state[data-state=idle]", timeout=30_000)
    assert page.url.endswith("/products/overview")
    page.wait_for_selector("#active:text-is('4,540')")
    page.wait_for_selector("[data-chart=runs] canvas")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_pages_are_accessible(site: Site, browser: Browser, colours: str) -> None:
    """On a phone, in both themes: no violation of WCAG A and AA, nothing to scroll sideways."""
    with watched_page(browser, site.url, color_scheme=colours, viewport=PHONE) as watched:
        watched.go("/login")
        assert watched.violations() == []
        watched.log_in("admin")

        for path in PAGES:
            watched.go(path)
            assert watched.violations() == [], path
            width = watched.page.evaluate("document.documentElement.scrollWidth")
            assert width == PHONE["width"], path


def test_acts_reach_the_scheduler(site: Site, watched: Watched) -> None:
    """Stop asks first and stops, start with another interval starts; the page shows both."""
    watched.log_in("operator")
    page = watched.page

    page.click("#act-stop")
    page.click("#confirm-yes")
    page.wait_for_selector("#state[data-state=stopped]")
    assert page.get_attribute("#act-stop", "aria-disabled") == "true"
    assert page.text_content("#reason") == "Stopped by operator."

    page.fill("#interval", "15")
    page.click("#act-start")
    page.wait_for_selector("#act-stop:not([aria-disabled])")
    assert page.text_content("#answers") == "Syncing every 15 minutes."
    assert '"intervalMinutes": 15' in site.instance.call("status", "--json")[1]


def test_what_is_declined_is_not_done(site: Site, watched: Watched) -> None:
    """Whoever says no to the question has stopped nothing."""
    watched.log_in("operator")

    watched.page.click("#act-stop")
    watched.page.keyboard.press("Escape")

    watched.page.wait_for_selector("#confirm", state="hidden")
    assert '"autoSync": "started"' in site.instance.call("status", "--json")[1]


def test_viewers_see_why_they_may_not_act(watched: Watched) -> None:
    """A viewer sees every control, disabled, with the reason; a click only tells it."""
    watched.log_in("viewer")
    page = watched.page

    # Not a click that waits until it is enabled: it never will be.
    page.dispatch_event("#act-run", "click")

    reason = "Only for the role operator or above."
    assert page.get_attribute("#act-run", "title") == reason
    page.wait_for_selector(f"#answers :text('{reason}')")


def test_an_expired_login_goes_on_where_one_was(watched: Watched) -> None:
    """With the access token gone the login is renewed by itself; without any it asks."""
    watched.log_in("viewer")
    watched.page.context.clear_cookies(name=ACCESS_COOKIE)

    watched.go("/products/overview?from=here")
    watched.page.wait_for_selector("#logout")
    assert watched.page.url.endswith("/products/overview?from=here")

    watched.page.context.clear_cookies()
    watched.log_in("viewer", "/products/overview?from=here")
    assert watched.page.url.endswith("/products/overview?from=here")


def test_logging_out_ends_the_login(watched: Watched) -> None:
    """After the logout every page asks for the password."""
    watched.log_in("viewer")

    watched.page.click("#logout")
    watched.page.wait_for_selector("#username")
    watched.go("/products/overview")

    assert "/login?next=" in watched.page.url


def test_the_language_can_be_switched(watched: Watched) -> None:
    """The switch keeps the page, and the choice holds for the next one."""
    watched.log_in("viewer")

    watched.page.click(".languages a[lang=it]")

    assert watched.page.get_attribute("html", "lang") == "it"
    assert watched.page.text_content("#controls-title") == "Comandi"


def test_a_lost_connection_is_told_and_heals(watched: Watched) -> None:
    """While the service cannot be reached the page says since when, and recovers by itself."""
    watched.log_in("viewer")
    note = "#connection"

    watched.context.set_offline(offline=True)
    watched.page.wait_for_selector(note, timeout=40_000)
    assert "Connection lost" in str(watched.page.text_content(note))
    watched.context.set_offline(offline=False)

    watched.page.wait_for_selector(note, state="hidden", timeout=40_000)
    watched.faults.clear()  # the browser reports the requests that found nobody


def test_many_tabs_renew_one_login(site: Site, browser: Browser) -> None:
    """Tabs that all find their login expired show no refresh token twice: all stay logged in."""
    with watched_page(browser, site.url) as watched:
        watched.log_in("viewer")
        context = watched.context
        tabs = [context.new_page() for _ in range(4)]
        for tab in tabs:
            tab.goto(f"{site.url}/products/overview")
        context.clear_cookies(name=ACCESS_COOKIE)

        for tab in tabs:
            tab.evaluate("dispatchEvent(new Event('online'))")

        for tab in tabs:
            tab.wait_for_load_state("networkidle")
            tab.goto(f"{site.url}/products/overview")
            tab.wait_for_selector("#logout")
