"""What holds for every page: it is light, accessible in both themes, and fits a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_support import DESKTOP, PATIENCE_S, PHONE, Site, watched_page
from support import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def pages(site: Site) -> dict[str, str]:
    """Return all pages, also those of a run that failed and of one that was held."""
    # Before the first sync a filtered list would be taken as it is.
    wait_for(lambda: '"completed"' in site.instance.call("history", "--json")[1], PATIENCE_S)
    faults: dict[str, dict[str, int]] = {"status": {"status": 404}, "filtered": {"rows": 419}}
    for name, options in faults.items():
        site.erp.faults.switch_on(name, **options)
        site.instance.call("sync")
        site.erp.faults.clear()
    found = site.pages()
    assert {"run", "plan", "product"} <= set(found.values())
    return found


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_every_page_is_accessible_and_fits(
    site: Site, browser: Browser, pages: dict[str, str], colours: str, viewport: dict[str, int]
) -> None:
    """No violation of WCAG A and AA, nothing on the console, nothing to scroll sideways."""
    with watched_page(browser, site.url, color_scheme=colours, viewport=viewport) as watched:
        watched.log_in("admin")

        found = []
        for path, name in pages.items():
            watched.go(path)
            found += [f"{name}: {one}" for one in watched.violations()]
            width = watched.page.evaluate("document.documentElement.scrollWidth")
            found += [f"{name}: {width} wide"] if width > viewport["width"] else []
        assert found == []


def test_every_page_is_light(site: Site, browser: Browser, pages: dict[str, str]) -> None:
    """All answers of a cold load together are at most 150 kB over the wire."""
    with watched_page(browser, site.url) as watched:
        watched.log_in("admin")

        weights = {name: watched.weigh(path).size_bytes for path, name in pages.items()}

    assert {name: one for name, one in weights.items() if one > MOST_BYTES} == {}
