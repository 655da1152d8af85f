"""Pictures of every page, from the demo: `make screenshots`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from browser_support import (
    DESKTOP,
    PHONE,
    SETTLED_MS,
    Site,
    Watched,
    running_browser,
    running_site,
    watched_page,
)
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping

RUNS = 24  # so that there is something to see in the charts
HELD = 18  # one of them finds a list that is far too short
SIZES = {"desktop": DESKTOP, "phone": PHONE}


def main(target: Path) -> None:
    """Write PAGE-THEME-SIZE.png of each page into ``target``."""
    target.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_site(Path(folder)) as site,
        running_browser() as browser,
    ):
        _fill(site)
        pages = site.pages()
        for theme in ("light", "dark"):
            for size, viewport in SIZES.items():
                with watched_page(
                    browser, site.url, viewport=viewport, color_scheme=theme
                ) as watched:
                    _take(watched, pages, target, f"{theme}-{size}")


def _fill(site: Site) -> None:
    """Make a key, and sync as often as it takes for charts; a few times the ERP fails."""
    site.instance.call("key", "add", "order-app", "--role", "operator", "--days", "365")
    wait_for(lambda: '"completed"' in site.instance.call("history", "--json")[1], 60)
    for number in range(RUNS):
        if number % 8 == 5:  # any that leaves some between
            site.erp.faults.switch_on("status", status=404)
        elif number == HELD:
            site.erp.faults.switch_on("filtered")
        site.instance.call("sync")
        site.erp.faults.clear()


def _take(watched: Watched, pages: Mapping[str, str], target: Path, suffix: str) -> None:
    watched.go("/login")
    watched.page.screenshot(path=target / f"login-{suffix}.png", full_page=True)
    watched.log_in("admin")
    for path, name in pages.items():
        watched.go(path)
        watched.page.wait_for_load_state("load")
        watched.page.wait_for_timeout(SETTLED_MS)
        watched.page.screenshot(path=target / f"{name}-{suffix}.png", full_page=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
