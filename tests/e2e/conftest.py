"""What the browser tests of a module share: one service and one browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from browser_support import Site, Watched
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the running service."""
    from browser_support import running_site  # noqa: PLC0415  # other tests here need no browser

    # An approval is good for the same plan alone: the ERP stands still.
    with running_site(tmp_path_factory.mktemp("site"), drift=False) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a running browser."""
    from browser_support import running_browser  # noqa: PLC0415  # see above

    with running_browser() as running:
        yield running


@pytest.fixture
def watched(site: Site, browser: Browser) -> Iterator[Watched]:
    """Return a page without a login, which must do nothing wrong."""
    from browser_support import watched_page  # noqa: PLC0415  # see above

    with watched_page(browser, site.url) as page:
        yield page
