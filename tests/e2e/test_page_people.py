"""Who sits before the pages: their login, their role, their language, their keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_support import PASSWORD, PATIENCE_S, Site, Watched, watched_page
from playwright.sync_api import expect
from support import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow

ACCESS_COOKIE = "__Host-access"
ACTS = ["act-run", "act-dry-run", "act-cancel", "act-start", "act-stop"]
WORKING = ["act-run", "act-dry-run", "act-start", "act-stop"]  # on a service at rest
LEFT = 10
RENEW = "dispatchEvent(new Event('online'))"


def _at_rest(watched: Watched, name: str) -> Page:
    """Log in as ``name``, and return the overview of a service at rest."""
    watched.log_in(name)
    expect(watched.page.locator("#state[data-state=idle]")).to_be_visible()
    return watched.page


def _possible(page: Page) -> list[str]:
    """Return the acts that are not disabled."""
    return [one for one in ACTS if page.get_attribute(f"#{one}", "aria-disabled") is None]


def _focused(page: Page) -> str:
    found: str = page.evaluate("document.activeElement.id")
    return found


def _tab_to(page: Page, wanted: str, key: str = "Tab") -> list[str]:
    """Press ``key`` until ``wanted`` has the focus; return the ids on the way."""
    way: list[str] = []
    while _focused(page) != wanted:
        assert len(way) < 100, f"{wanted} is not reached: {way}"
        page.keyboard.press(key)
        way.append(_focused(page))
    return way


@pytest.mark.parametrize(
    ("name", "possible"), [("viewer", []), ("operator", WORKING), ("admin", WORKING)]
)
def test_roles_see_all_and_do_what_they_may(
    watched: Watched, name: str, possible: list[str]
) -> None:
    """Viewers find no act that works, operators all that make sense; each other says why not."""
    page = _at_rest(watched, name)

    assert _possible(page) == possible
    for one in set(ACTS) - set(possible):
        assert page.get_attribute(f"#{one}", "title")
    admin_pages = page.locator(".places a[href^='/admin']").count()
    assert admin_pages == (name == "admin")


def test_a_login_goes_on_in_many_tabs(site: Site, watched: Watched) -> None:
    """Tabs that all find their login expired show no refresh token twice: all stay logged in."""
    watched.log_in("viewer")
    context = watched.context
    tabs = [context.new_page() for _ in range(4)]
    for tab in tabs:
        tab.goto(f"{site.url}/products/overview")
    context.clear_cookies(name=ACCESS_COOKIE)

    for tab in tabs:
        tab.evaluate(RENEW)
    wait_for(lambda: any(one["name"] == ACCESS_COOKIE for one in context.cookies()), PATIENCE_S)

    for tab in tabs:
        assert tab.url == f"{site.url}/products/overview"  # none had to go to the login
        tab.reload()
        expect(tab.locator("#logout")).to_be_visible()


def test_a_page_left_while_it_renews_keeps_the_login(watched: Watched) -> None:
    """The next page waits for the new cookies, and does not show the old refresh token again."""
    watched.log_in("viewer")
    page = watched.page

    for _ in range(LEFT):
        watched.context.clear_cookies(name=ACCESS_COOKIE)
        page.evaluate(f"{RENEW}; setTimeout(() => location.reload(), 5)")
        page.wait_for_event("load")
        watched.arrive()


def test_an_italian_browser_reads_italian(site: Site, browser: Browser) -> None:
    """Words, numbers and answers are Italian for whoever's browser is."""
    with watched_page(browser, site.url, locale="it-IT") as watched:
        page = _at_rest(watched, "operator")

        expect(page.locator("html")).to_have_attribute("lang", "it")
        expect(page.locator("#active")).to_have_text("4.540")
        expect(page.locator("#reason")).to_have_text(
            "L’ultima sincronizzazione è andata bene e la prossima è pianificata."  # noqa: RUF001  # Italian
        )
        page.fill("#interval", "30")
        page.click("#act-start")
        expect(page.locator("#answers")).to_contain_text("30 minuti")


def test_the_keyboard_alone_is_enough(watched: Watched) -> None:
    """From the login to a schedule stopped and started: no pointer, and no focus is lost."""
    page, keys = watched.page, watched.page.keyboard
    watched.go("/login")
    expect(page.locator("#username")).to_be_focused()
    keys.type("operator")
    keys.press("Tab")
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.locator("#state[data-state=idle]")).to_be_visible()

    page.wait_for_load_state("load")
    keys.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    keys.press("Enter")
    way = _tab_to(page, "act-stop")
    assert [one for one in way if one.startswith("act-")] == ACTS

    keys.press("Enter")
    expect(page.locator("#confirm")).to_be_visible()
    assert page.evaluate("document.activeElement.value") == "no"
    keys.press("Escape")
    expect(page.locator("#act-stop")).to_be_focused()

    keys.press("Enter")
    expect(page.locator("#confirm")).to_be_visible()
    _tab_to(page, "confirm-yes")
    keys.press("Enter")
    expect(page.locator("#state[data-state=stopped]")).to_be_visible()
    expect(page.locator("#act-stop")).to_be_focused()
    _tab_to(page, "act-start", "Shift+Tab")
    keys.press("Enter")
    expect(page.locator("#state[data-state=idle]")).to_be_visible()
    expect(page.locator("#act-start")).to_be_focused()
