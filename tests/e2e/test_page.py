"""The pages in a real browser, over the real service: what people see and click works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_support import PHONE, Site, Watched, watched_page
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ACCESS_COOKIE = "__Host-access"


def test_the_first_sync_arrives_live(watched: Watched) -> None:
    """Whoever logs in is brought to the overview, which shows the sync without a reload."""
    watched.log_in("operator")

    page = watched.page
    expect(page.locator("#state[data-state=idle]")).to_be_visible()
    assert page.url.endswith("/products/overview")
    expect(page.locator("#active")).to_have_text("4,540")
    page.hover("[data-chart=runs] .u-over", position={"x": 20, "y": 60})
    expect(page.locator("[data-chart=runs] .tip")).to_contain_text("completed")
    expect(page.locator("#runs-words")).to_contain_text("completed")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_the_overview_is_accessible(site: Site, browser: Browser, colours: str) -> None:
    """On a phone, in both themes: no violation of WCAG A and AA, nothing to scroll sideways."""
    with watched_page(browser, site.url, color_scheme=colours, viewport=PHONE) as watched:
        watched.go("/login")
        assert watched.violations() == []
        watched.log_in("admin")

        assert watched.violations() == []
        width = watched.page.evaluate("document.documentElement.scrollWidth")
        assert width == PHONE["width"]


def test_acts_reach_the_scheduler(site: Site, watched: Watched) -> None:
    """Stop asks first and stops, start with another interval starts; the page shows both."""
    watched.log_in("operator")
    page = watched.page

    watched.confirm("#act-stop")
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


def test_a_click_before_the_script_has_come_leads_nowhere(watched: Watched) -> None:
    """Buttons are those of the script: until it listens, they do nothing at all."""
    watched.log_in("operator")
    page = watched.page
    page.route("**/acts*.js", lambda route: route.abort())
    with page.expect_console_message():  # of the browser: it misses the script
        page.reload()
    before = page.url
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.method))

    # Forced: a run that is at work leaves the button as it is until the script comes.
    page.click("#act-run", force=True)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    assert page.url == before
    assert "POST" not in requests
    watched.forgive_outage()


def test_an_expired_login_goes_on_where_one_was(watched: Watched) -> None:
    """With the access token gone the login is renewed by itself; without any the page asks."""
    watched.log_in("viewer")
    watched.page.context.clear_cookies(name=ACCESS_COOKIE)

    watched.go("/products/overview?from=here")
    watched.arrive()
    assert watched.page.url.endswith("/products/overview?from=here")

    watched.context.clear_cookies()
    watched.page.evaluate("dispatchEvent(new Event('online'))")
    watched.page.wait_for_url("**/login?next=**")
    watched.fill_login("viewer")
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

    expect(watched.page.locator("html")).to_have_attribute("lang", "it")
    expect(watched.page.locator("#controls-title")).to_have_text("Comandi")


def test_a_lost_connection_is_told_and_heals(watched: Watched) -> None:
    """While the service cannot be reached the page says since when, and recovers by itself."""
    watched.log_in("viewer")
    note = "#connection"

    watched.context.set_offline(offline=True)
    watched.page.wait_for_selector(note, timeout=40_000)
    assert "Connection lost" in str(watched.page.text_content(note))
    watched.context.set_offline(offline=False)

    watched.page.wait_for_selector(note, state="hidden", timeout=40_000)
    watched.forgive_outage()
