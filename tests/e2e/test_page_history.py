"""A held plan from the first sign to its end, in a real browser over the real service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_support import PHONE, Site, running_site, watched_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

WAIT_MS = 30_000


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the running service over a small list, of which most has gone since the first sync."""
    with running_site(tmp_path_factory.mktemp("site"), rows=300, drift=False) as running:
        code, _, err = running.instance.call("sync", "--no-progress")
        assert code == 0, err
        running.erp.revise(1, 1, 1)
        running.erp.faults.switch_on("filtered", rows=40)
        code, _, err = running.instance.call("sync", "--no-progress")
        assert code == 3, err
        yield running


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_runs_and_plans_are_accessible(site: Site, browser: Browser, colours: str) -> None:
    """The list, a run and its plan, on a phone: no violation, nothing sideways."""
    with watched_page(browser, site.url, color_scheme=colours, viewport=PHONE) as watched:
        watched.log_in("viewer", "/products/history?outcome=held")
        page = watched.page
        for way in (None, ".run-link", "#see-plan"):
            if way:
                page.click(way)
                page.wait_for_load_state("load")

            assert watched.violations() == [], page.url
            assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_held_plan_is_approved_and_followed(site: Site, browser: Browser) -> None:
    """The admin looks, is asked, approves, and sees the new run end; the history shows it live."""
    with (
        watched_page(browser, site.url) as looker,
        watched_page(browser, site.url) as watched,
    ):
        looker.log_in("viewer", "/products/history")
        before = looker.page.locator(".run-row").count()
        watched.log_in("admin", "/products/overview")
        page = watched.page
        page.click("#see-plan")
        page.wait_for_url("**/plan")
        held = page.url
        assert "40 rows" in str(page.text_content(".objections"))

        page.click("#act-approve")
        page.click("#confirm-yes")

        page.wait_for_url(lambda url: "/runs/" in url and not url.endswith("/plan"))
        page.wait_for_selector("#outcome [data-outcome=completed]", timeout=WAIT_MS)
        looker.page.wait_for_selector(f".run-row:nth-child({before + 1})", timeout=WAIT_MS)
        page.goto(held)
        assert "Approved by admin" in str(page.text_content("#approved"))
        assert page.locator("#act-approve").count() == 0


def test_dry_run_leads_to_its_plan(site: Site, browser: Browser) -> None:
    """Whoever asks for a dry run is brought to it, and to its plan once there is one."""
    with watched_page(browser, site.url) as watched:
        watched.log_in("operator", "/products/overview")
        page = watched.page

        page.click("#act-dry-run")
        page.wait_for_url("**/history/runs/*")
        page.click("#see-plan", timeout=WAIT_MS)

        page.wait_for_selector("#verdict")
        page.wait_for_load_state("load")
        assert "Nothing was written." in str(page.text_content("#verdict"))
        assert page.locator("#act-approve").count() == 0
