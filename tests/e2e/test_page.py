"""The pages in a real browser, over the real service: what people see and click works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from browser_support import Site, Watched, running_browser, running_site, watched_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

PAGES = ("/login", "/products/overview")


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
    assert page.text_content("#active") == "4,540"
