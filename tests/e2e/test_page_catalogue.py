"""The catalogue and the changes in a real browser, over the real service and the demo ERP."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import pytest
from browser_support import PHONE, Site, Watched, running_site, watched_page
from playwright.sync_api import expect
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

CATALOGUE = "/products/catalogue"
CHANGES = "/products/changes"
COLOURS: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the running service over a small catalogue in which something has changed."""
    with running_site(tmp_path_factory.mktemp("site"), rows=300) as running:
        wait_for(lambda: '"completed"' in running.instance.call("history", "--json")[1], 60)
        running.instance.call("sync")
        wait_for(lambda: is_indexed(running), 60)
        yield running


def is_indexed(site: Site) -> bool:
    """Return whether the words of all products can be searched for."""
    path = site.instance.folder / "instance" / "archibald_sync.sqlite3"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute("SELECT COUNT(*) FROM product_search").fetchone()
    return bool(count >= 300)


@pytest.fixture
def watched(site: Site, browser: Browser) -> Iterator[Watched]:
    """Return a page that a viewer has logged in to, and that must do nothing wrong."""
    with watched_page(browser, site.url) as page:
        page.log_in("viewer", CATALOGUE)
        yield page


def test_search_answers_while_one_types(watched: Watched) -> None:
    """Each pause brings the list, says what was found, and the address goes along: back undoes."""
    page = watched.page
    all_of_them = page.text_content("#found")

    page.locator("#q").press_sequentially("h12")
    page.wait_for_selector("#results mark")
    found = page.text_content("#found")
    assert found != all_of_them
    assert page.url.endswith("/products/catalogue?q=h12")
    assert page.evaluate("document.activeElement.id") == "q"

    page.locator("#q").press_sequentially(" zzzz")
    page.wait_for_selector(".empty")
    assert page.text_content("#found") == "Nothing found."

    page.go_back()
    page.wait_for_function(
        "text => document.querySelector('#found').textContent === text", arg=all_of_them
    )
    assert page.input_value("#q") == ""
    page.go_forward()
    page.wait_for_selector(".empty")
    assert page.input_value("#q") == "h12 zzzz"
    page.reload()
    assert page.input_value("#q") == "h12 zzzz"
    assert page.is_visible(".empty")


def test_search_works_without_the_script(site: Site, browser: Browser) -> None:
    """The form is a plain one: whoever has no script sends it, and sees the same list."""
    with watched_page(browser, site.url) as watched:
        watched.log_in("viewer", CATALOGUE)
        state = watched.context.storage_state()
    with watched_page(browser, site.url, storage_state=state, java_script_enabled=False) as bare:
        bare.go(CATALOGUE)

        bare.page.fill("#q", "h12")
        bare.page.press("#q", "Enter")

        bare.page.wait_for_url("**q=h12**")
        expect(bare.page.locator("#results mark").first).to_be_visible()


def test_the_list_can_be_leafed_through_by_keyboard(watched: Watched) -> None:
    """The next page and a product are reached by keys alone."""
    page = watched.page
    first = page.text_content("tbody tr a")

    page.focus("#next")
    page.keyboard.press("Enter")
    page.wait_for_url("**cursor=**")
    key = page.text_content("tbody tr a")
    assert key != first
    page.focus("tbody tr a")
    page.keyboard.press("Enter")

    page.wait_for_selector("#presence")
    assert page.text_content(".headline .muted") == key


def test_pages_of_one_thing_are_accessible(site: Site, browser: Browser) -> None:
    """In both themes, and where words are long: no violation, nothing to scroll sideways."""
    narrow = {**PHONE, "width": 360}
    with watched_page(browser, site.url, viewport=narrow, locale="it-IT") as watched:
        page = watched.page
        watched.log_in("viewer", f"{CHANGES}?kind=updated")
        record = page.get_attribute(".entries li a", "href")
        session = page.get_attribute("a.session", "href")
        day = str(page.get_attribute("a.session time", "datetime"))[:10]

        of_one = [f"{record}?quantity=3", f"{session}&kind=updated", f"{CHANGES}?day={day}"]
        for path in (*of_one, f"{CATALOGUE}?q=h12"):
            watched.go(path)
            assert page.evaluate("document.documentElement.scrollWidth") == 360, path
            for colours in COLOURS:
                page.emulate_media(color_scheme=colours)
                assert watched.violations() == [], (path, colours)


def test_changes_of_the_days_are_drawn(watched: Watched) -> None:
    """The last days are a chart, and the same as a table that leads to each day."""
    page = watched.page
    watched.go(CHANGES)
    page.wait_for_selector("[data-chart=changes] canvas")

    page.click("#days-table summary")
    page.click("#days-table tbody a >> nth=0")

    page.wait_for_selector("#counts")
    assert "created" in str(page.text_content("#counts"))


def test_times_are_the_viewers(site: Site, browser: Browser) -> None:
    """The clock of the browser counts; the tooltip has UTC."""
    with watched_page(browser, site.url, timezone_id="Pacific/Kiritimati") as watched:
        watched.log_in("viewer", CHANGES)
        time = watched.page.locator(".entries time").first

        told = str(time.get_attribute("title"))
        shown = str(time.text_content())

        assert told.endswith(" UTC")
        # Fourteen hours ahead, so that the hour is never the same.
        assert f"{(int(told[11:13]) + 14) % 24:02d}:{told[14:16]}" in shown
