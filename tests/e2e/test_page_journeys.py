"""Whole journeys: page, scheduler and database agree, whatever happens to a run."""

from __future__ import annotations

import os
import signal
import threading
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from browser_support import PATIENCE_S, Site, Watched, running_site, watched_page
from chaos_ledger import Ledger
from chaos_support import FAST_APPLICATION
from playwright.sync_api import expect
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow

MINUTE_S = 0.1  # of the fast site
INTERVAL_S = 30 * MINUTE_S
NEW_INTERVAL_MS = round(15 * MINUTE_S * 1000)


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a service whose minutes last a tenth of a second."""
    environ = {"CHAOS_MINUTE_S": str(MINUTE_S)}
    folder = tmp_path_factory.mktemp("fast")
    with running_site(folder, rows=200, environ=environ, application=FAST_APPLICATION) as running:
        yield running


@pytest.fixture(scope="module")
def unread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a service whose schedule is stopped, and which has never read its ERP."""
    folder = tmp_path_factory.mktemp("unread")
    with running_site(folder, drift=False, environ={"ARCHIBALD_AUTO_SYNC": "off"}) as running:
        yield running


@pytest.fixture
def admin(watched: Watched, site: Site) -> Iterator[Watched]:
    """Return the overview of a service at rest, as the admin sees it."""
    site.erp.faults.clear()
    watched.log_in("admin")
    expect(watched.page.locator("#state[data-state=idle]")).to_be_visible()
    yield watched
    site.erp.faults.clear()


def _ledger(site: Site) -> Ledger:
    return Ledger(site.database)


def _run(watched: Watched) -> None:
    """Begin a run, and return when the page shows it at work."""
    watched.page.click("#act-run")
    expect(watched.page.locator("#run")).to_be_visible()


def _state(watched: Watched, state: str) -> None:
    """Return when the page shows ``state``."""
    expect(watched.page.locator(f"#state[data-state={state}]")).to_be_visible()


def test_a_stopped_schedule_starts_nothing_until_it_is_started(
    fast: Site, browser: Browser
) -> None:
    """After Stop no run begins in three intervals; after Start with 15 runs come every 15."""
    ledger = _ledger(fast)
    with watched_page(browser, fast.url) as watched:
        watched.log_in("operator")
        page = watched.page
        wait_for(lambda: len(ledger.runs("completed")) >= 2, PATIENCE_S)

        watched.confirm("#act-stop")
        _state(watched, "stopped")
        wait_for(lambda: not ledger.runs(None), PATIENCE_S)
        before = len(ledger.runs())
        # Time is what this is about: nothing happens that could be waited for.
        threading.Event().wait(3 * INTERVAL_S)
        assert len(ledger.runs()) == before
        assert ledger.value("SELECT desired FROM scheduler_state") == "stopped"

        page.fill("#interval", "15")
        page.click("#act-start")
        expect(page.locator("#answers")).to_have_text("Syncing every 15 minutes.")
        assert ledger.value("SELECT intervalMinutes FROM scheduler_state") == 15
        wait_for(lambda: len(ledger.runs("completed")) >= before + 4, PATIENCE_S)
        due = [one["dueAt"] for one in ledger.runs("completed")[before + 1 :]]
        assert {one["trigger"] for one in ledger.runs()[before:]} <= {"schedule", "catchUp"}
        steps = [later - earlier for earlier, later in pairwise(due)]
        # One that was missed on a busy machine is left out, not moved.
        assert all(abs(one % NEW_INTERVAL_MS) <= 1 for one in steps), steps


def test_a_run_by_hand_moves_and_completes(unread: Site, browser: Browser) -> None:
    """Rows grow while a run reads; the second reading of its kind says when it should end."""
    unread.erp.faults.switch_on("slow", seconds=2)  # ten pages, four at a time
    with watched_page(browser, unread.url) as watched:
        watched.log_in("operator")
        page = watched.page
        _run(watched)
        seen: list[int] = []

        def has_moved() -> bool:
            value = page.locator("#run progress").get_attribute("value", timeout=PATIENCE_S * 1000)
            seen.append(int(value or 0))
            return len(set(seen)) >= 3

        wait_for(has_moved, PATIENCE_S)
        assert seen == sorted(seen)
        assert page.get_attribute("#act-run", "title") == "A run is at work already."
        _state(watched, "stopped")

        _run(watched)
        expect(page.locator("#eta time")).to_be_visible()
        _state(watched, "stopped")
        expect(page.locator("#last-run")).to_have_text("completed")
        assert [one["outcome"] for one in _ledger(unread).runs()] == ["completed"] * 2


def test_a_failing_erp_is_told_attempt_by_attempt(admin: Watched, site: Site) -> None:
    """Each wait is counted down, the attempts are counted up, and the end says what to do."""
    page = admin.page
    site.erp.faults.switch_on("status", status=503)
    _run(admin)

    for attempt in ("1 of 3", "2 of 3"):
        expect(page.locator("#attempt")).to_have_text(attempt)
        expect(page.locator("#stage time[data-show=countdown]")).to_be_visible()
        expect(page.locator("#run .note")).to_contain_text("503")
    _state(admin, "failing")
    expect(page.locator("#reason")).to_contain_text("503")
    assert len(_ledger(site).sessions("failed")) == 3

    page.click("#see-run")
    expect(page.locator("#todo")).to_be_visible()
    site.erp.faults.clear()
    admin.go("/products/overview")
    page.click("#act-run")
    _state(admin, "idle")


def test_a_held_plan_is_approved_by_an_admin_alone(
    admin: Watched, site: Site, browser: Browser
) -> None:
    """A filtered list is held; viewer and operator see why they cannot approve, an admin can."""
    page = admin.page
    site.erp.faults.switch_on("filtered", rows=419)
    page.click("#act-run")
    _state(admin, "held")
    page.click("#see-plan")
    page.wait_for_url("**/plan")
    for name in ("viewer", "operator"):
        with watched_page(browser, site.url) as other:
            other.log_in(name, page.url.removeprefix(site.url))
            reason = "Only for the role admin or above."
            assert other.page.get_attribute("#act-approve", "title") == reason

    admin.confirm("#act-approve")
    expect(page.locator("#outcome")).to_contain_text("completed")

    approved = _ledger(site).runs()[-1]
    assert (approved["outcome"], approved["requestedBy"]) == ("completed", "admin")
    site.erp.faults.clear()
    admin.go("/products/overview")
    _run_to_rest(admin)


def _run_to_rest(watched: Watched) -> None:
    """Sync once more, so that the next test begins with a whole copy."""
    watched.page.click("#act-run")
    expect(watched.page.locator("#answers")).to_have_text("The run has begun.")
    _state(watched, "idle")


def test_a_dry_run_leads_to_its_plan(admin: Watched, site: Site) -> None:
    """The button leads to the run at work, and that to the plan, of which nothing is written."""
    before = _ledger(site).content()

    admin.page.click("#act-dry-run")
    admin.page.wait_for_url("**/products/history/runs/**")
    admin.page.click("#see-plan")

    expect(admin.page.locator("#verdict-title")).to_contain_text("Plan of a dry run")
    assert _ledger(site).content() == before


def test_an_order_goes_first_and_its_lease_ends_by_itself(admin: Watched, site: Site) -> None:
    """A lease is shown with its owner and reason; released or run out, it is gone."""
    client = site.client()
    lease = {"owner": "orders", "reason": "order 4711", "ttlSeconds": 600}
    taken = client.sure("POST", "/api/priority/leases", lease)
    _state(admin, "paused")
    expect(admin.page.locator("#reason")).to_have_text("orders goes first: order 4711.")
    client.sure("DELETE", f"/api/priority/leases/{taken.body['id']}")
    _state(admin, "idle")

    client.sure("POST", "/api/priority/leases", {**lease, "ttlSeconds": 3})
    _state(admin, "paused")
    _state(admin, "idle")


def test_a_killed_worker_is_told_as_an_interrupted_run(admin: Watched, site: Site) -> None:
    """After kill -9 in mid-run the page recovers and says that the run was interrupted."""
    ledger = _ledger(site)
    site.erp.faults.switch_on("slow", seconds=1)
    _run(admin)
    expect(admin.page.locator("#run progress[value]")).to_be_visible()

    os.kill(ledger.lease()["pid"], signal.SIGKILL)
    wait_for(lambda: ledger.runs("interrupted"), PATIENCE_S)
    site.erp.faults.clear()

    expect(admin.page.locator("#last-run")).to_have_text("interrupted")
    expect(admin.page.locator("#runs-words")).to_contain_text("1 interrupted")
    expect(admin.page.locator("#connection")).to_be_hidden()
    _state(admin, "idle")
    admin.forgive_outage()
    _run_to_rest(admin)


def test_a_service_that_is_away_is_told_and_back(admin: Watched, site: Site) -> None:
    """While the service is down the page says since when; it goes on with the same login."""
    page = admin.page
    site.stop()
    expect(page.locator("#connection")).to_contain_text("Connection lost")
    expect(page.locator("#active")).to_have_text("4,540")

    site.start()
    expect(page.locator("#connection")).to_be_hidden()
    _state(admin, "idle")
    admin.forgive_outage()
    _run_to_rest(admin)
