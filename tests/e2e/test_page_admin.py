"""The pages for admins, of priority and of one's account, in a real browser."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from browser_support import PASSWORD, Site, Watched, running_site, watched_page
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NEW_PASSWORD = "staple battery horse"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the running service over a small ERP."""
    with running_site(tmp_path_factory.mktemp("admin"), rows=50) as running:
        yield running


def log_in(watched: Watched, name: str, password: str) -> None:
    """Log in with another password than all the others have."""
    watched.go("/login")
    watched.page.fill("#username", name)
    watched.page.fill("#password", password)
    watched.page.click("#log-in")
    watched.arrive()


_REFUSED = re.compile(r"status of 4(00|09)\b")


def forget_refusals(watched: Watched) -> None:
    """Let pass that the browser reports requests that were refused as they should be."""
    watched.faults[:] = [one for one in watched.faults if not _REFUSED.search(one)]


def test_an_added_user_can_log_in(site: Site, browser: Browser, watched: Watched) -> None:
    """What is wrong stands beside its field; then the password is shown once, and works."""
    watched.log_in("admin", "/admin/users")
    page = watched.page

    page.fill("#user-name", "operator")
    page.click("#act-add-user")
    page.wait_for_selector("#user-name-fault:not([hidden])")
    assert page.text_content("#user-name-fault") == "there is a user 'operator' already"
    assert page.get_attribute("#user-name", "aria-invalid") == "true"
    assert watched.violations() == []
    forget_refusals(watched)

    page.fill("#user-name", "anna")
    page.click("#act-add-user")
    page.wait_for_selector("#secret[open]")
    assert watched.violations() == []
    password = page.input_value("#secret-value")
    page.keyboard.press("Escape")
    assert page.is_visible("#secret-value")
    page.click("#secret-close")
    page.wait_for_selector("#users :text('anna')")
    # The browser tells of a closed dialog a moment later.
    wait_for(lambda: page.input_value("#secret-value") == "")
    assert password not in page.content()

    with watched_page(browser, site.url) as another:
        log_in(another, "anna", password)
        assert another.page.text_content(".who b") == "anna"


def test_a_revoked_key_no_longer_counts(site: Site, watched: Watched) -> None:
    """The secret is copied from the dialog and works, until the key is revoked."""
    watched.log_in("admin", "/admin/keys")
    watched.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = watched.page
    status = "secret => fetch('/api/auth/me', {headers: {'X-Api-Key': secret}}).then(a => a.status)"

    page.fill("#key-name", "orders")
    page.select_option("#key-role", "operator")
    page.click("#act-add-key")
    page.wait_for_selector("#secret[open]")
    page.click("#secret-copy")
    page.wait_for_selector("#secret-copied:text('Copied.')")
    secret = page.evaluate("navigator.clipboard.readText()")
    page.click("#secret-close")
    assert secret.startswith("ask_")
    assert page.evaluate(status, secret) == 200

    page.wait_for_selector("#keys :text('orders')")
    page.click("[id^=act-revoke-]")
    page.click("#confirm-yes")
    page.wait_for_selector("#ended-keys")
    assert page.query_selector("[id^=act-revoke-]") is None
    assert page.evaluate(status, secret) == 401
    watched.faults.clear()  # the browser reports the request that was refused


def test_a_lease_of_a_real_order_is_released(site: Site, watched: Watched) -> None:
    """A lease appears by itself, and is gone for its order, too, when an admin releases it."""
    watched.log_in("admin", "/priority")
    page = watched.page
    page.wait_for_selector("#who-first:text('Nobody goes first')")

    waiting = "import sys; sys.stdin.read()"
    hold = ("priority", "hold", "--owner", "orders", "--reason", "order 4711", "--")
    arguments = (*hold, sys.executable, "-c", waiting)
    with site.instance.process(*arguments, stdin=subprocess.PIPE) as order:
        try:
            page.wait_for_selector("#who-first:text('1 order goes first')")
            assert "order 4711" in str(page.text_content(".lease"))
            assert re.search(r"in \d:\d\d", str(page.text_content(".lease")))
            page.click("[id^=act-release-]")
            page.click("#confirm-yes")
            page.wait_for_selector("#who-first:text('Nobody goes first')")
            wait_for(lambda: site.instance.call("priority", "list", "--json")[1].strip() == "[]")
        finally:
            order.communicate("", timeout=30)


@pytest.mark.parametrize("name", ["viewer", "operator"])
def test_only_admins_see_admin(watched: Watched, name: str) -> None:
    """Nobody else has the entry in the navigation, and the page itself refuses."""
    watched.log_in(name, "/admin/users")

    assert watched.page.text_content("h1") == "You may not do that"
    assert watched.page.query_selector(".places a[href^='/admin']") is None
    watched.faults.clear()  # the browser reports the page that was refused


def test_the_log_is_narrowed_by_day(watched: Watched) -> None:
    """Days are those of the viewer: today has the login just made, before today has none."""
    watched.log_in("admin", "/admin/audit")
    page = watched.page
    today = page.evaluate("new Intl.DateTimeFormat('sv').format(new Date())")

    page.fill("#filter-since", today)
    page.fill("#filter-until", today)
    page.select_option("#filter-action", "auth.login")
    with page.expect_navigation():
        page.click("#filter")
    page.wait_for_selector("#entries :text('Login')")
    assert page.input_value("#filter-since") == page.input_value("#filter-until") == today
    assert "actor=" not in page.url

    page.fill("#filter-since", "")
    page.fill("#filter-until", "2020-01-01")
    with page.expect_navigation():
        page.click("#filter")
    page.wait_for_selector(".empty")


def test_another_password_ends_all_logins(site: Site, browser: Browser, watched: Watched) -> None:
    """It must be typed twice the same; then every login is over, and only the new one counts."""
    site.instance.call(
        "user", "add", "otto", "--role", "viewer", "--password-stdin", stdin=PASSWORD
    )
    watched.log_in("otto")
    page = watched.page
    page.click(".who")
    with watched_page(browser, site.url) as another:
        another.log_in("otto", "/account")

        page.fill("#old-password", PASSWORD)
        page.fill("#new-password", NEW_PASSWORD)
        page.fill("#new-password-again", "something else")
        page.click("#act-password")
        assert "not the same" in str(page.text_content("#new-password-again-fault"))
        page.fill("#new-password-again", NEW_PASSWORD)
        page.click("#act-password")
        page.click("#confirm-yes")
        page.wait_for_selector("#log-in")
        assert "Your password has been changed." in str(page.text_content("main"))

        another.go("/account")
        another.page.wait_for_selector("#log-in")
        another.faults.clear()  # the browser reports that the login was not renewed
    log_in(watched, "otto", NEW_PASSWORD)
