"""The pages of priority, of admins and of one's own account, as answers."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from access_support import PASSWORD, bearer, key_of, login
from web_support import Api

from archibald_sync.domain.access import Act, AuditOutcome, CallerKind
from archibald_sync.domain.models import Role, User
from archibald_sync.web.pages import problems

if TYPE_CHECKING:
    from support import World

ADMIN_PAGES = ("/admin/users", "/admin/users/maria", "/admin/keys", "/admin/audit")


@pytest.fixture
def api(world: World) -> Api:
    """Return an application whose resource nobody owns, with a user maria."""
    api = Api(world)
    api.accounts.add_user("maria", Role.VIEWER, PASSWORD)
    return api


def page(api: Api, path: str, user: User | None = None, **headers: str) -> str:
    """Return the text of a page as ``user`` sees it, else a new admin."""
    user = user or api.user(Role.ADMIN)
    answer = api.client.get(path, headers={**bearer(api.token(user)), **headers})
    assert answer.status_code == 200, answer.text
    return unescape(answer.text)


def button(text: str, control: str) -> str:
    """Return the opening tag of the button of a control."""
    found = re.search(rf'<button id="act-{control}"[^>]*>', text)
    assert found, control
    return found[0]


def entries(text: str) -> list[int]:
    """Return the ids of the entries of the audit log that a page shows."""
    return [int(one) for one in re.findall(r'id="entry-(\d+)"', text)]


@pytest.mark.parametrize("path", [*ADMIN_PAGES, "/admin"])
@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_admins_see_the_pages_of_admins(api: Api, role: Role, path: str) -> None:
    """For everybody else they are refused, and not even named in the navigation."""
    answer = api.call("GET", path, role)
    seen = api.call("GET", "/priority", role).text

    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "<table" not in answer.text
    assert 'href="/admin' not in seen
    assert 'href="/admin' in page(api, "/priority")


def test_admin_leads_to_the_users(api: Api) -> None:
    """The entry of the navigation is the first of the pages."""
    answer = api.call("GET", "/admin", Role.ADMIN)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/users")


def test_nobody_first_says_how_to_go_first(api: Api) -> None:
    """Without a lease the page tells how an order app and a command take one."""
    text = page(api, "/priority")

    assert "Nobody goes first" in text
    assert "POST /api/priority/leases" in text
    assert "archibald-sync priority hold --owner orders -- " in text
    assert 'href="/api/docs/"' in text


def test_leases_are_shown_with_who_and_why(api: Api) -> None:
    """Each lease has its owner, reason and instants, escaped; a release asks first."""
    first = api.world.priority.take("orders <1>", "order & 4711", 60)
    second = api.world.priority.take("orders", "", 60)

    answer = api.call("GET", "/priority/live", Role.ADMIN)
    text = unescape(answer.text)

    assert "2 orders go first" in text
    assert "orders &lt;1&gt;" in answer.text
    assert "order &amp; 4711" in answer.text
    assert "No reason was given." in text
    for lease in (first, second):
        assert f'action="/api/priority/leases/{lease.id}"' in text
        assert "aria-disabled" not in button(text, f"release-{lease.id}")
    assert "End the lease of orders?" in text
    assert "long-pause" not in text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
def test_only_admins_release_on_the_page(api: Api, role: Role) -> None:
    """Everybody else sees the button, disabled, with the reason."""
    lease = api.world.priority.take("orders", "", 60)

    text = api.call("GET", "/priority", role).text

    assert 'title="Only for the role admin or above."' in button(text, f"release-{lease.id}")


def test_a_long_pause_is_shown_as_such(api: Api) -> None:
    """After two intervals without a sync the page asks whether that order still works."""
    world = api.world
    world.schedule.begin(1, world.clock.now_ms(), None, world.own())
    world.priority.take("orders", "", 600)
    with world.priority_database.transaction() as connection:
        connection.execute("UPDATE priority_leases SET takenAt = takenAt - 180000")

    assert 'id="long-pause"' in page(api, "/priority/live")


def test_users_are_listed_with_their_last_login(api: Api) -> None:
    """Name, role, whether disabled and when it last logged in."""
    before = page(api, "/admin/users/live")
    login(api, "maria")
    api.accounts.add_user("otto", Role.OPERATOR, PASSWORD)
    api.accounts.disable_user("otto")

    text = page(api, "/admin/users/live")

    maria = re.split(r"<tr id=", text.split(">maria<")[1])[0]
    otto = re.split(r"<tr id=", text.split(">otto<")[1])[0]
    assert "never yet" in before.split(">maria<")[1].split("</tr>")[0]
    assert "never yet" not in maria
    assert "disabled" not in maria
    assert "disabled" in otto


def test_admins_cannot_lock_themselves_out(api: Api) -> None:
    """On one's own page no button takes one's rights away, each says why."""
    admin, other = api.user(Role.ADMIN), api.user(Role.ADMIN)

    own = page(api, f"/admin/users/{admin.name}", admin)
    another = page(api, f"/admin/users/{other.name}", admin)

    for control in ("role", "disable"):
        assert 'aria-disabled="true" title="This is you:' in button(own, control)
        assert "aria-disabled" not in button(another, control)
    assert 'aria-disabled="true" title="This is you:' in button(own, "reset")
    assert "aria-disabled" not in button(another, "reset")


def test_the_last_admin_stays(api: Api) -> None:
    """Whoever is the only enabled admin is shown to be so, also to a neighbour's admin."""
    last, gone = api.user(Role.ADMIN), api.user(Role.ADMIN)
    api.accounts.disable_user(gone.name)

    text = page(api, f"/admin/users/{last.name}", last)
    disabled = page(api, f"/admin/users/{gone.name}", last)

    for control in ("role", "disable"):
        assert 'title="This is the last admin: add another one first."' in button(text, control)
    assert "aria-disabled" not in button(disabled, "enable")
    assert "act-disable" not in disabled


def test_unknown_user_is_told_as_a_page(api: Api) -> None:
    """There is no such user: 404, in the language of the viewer."""
    answer = api.call("GET", "/admin/users/nobody", Role.ADMIN, headers={"Accept-Language": "it"})

    assert (answer.status_code, answer.mimetype) == (404, "text/html")
    assert "nessun utente" in answer.text


def test_keys_are_listed_without_their_secrets(api: Api) -> None:
    """Those in force can be revoked; those that ended stand apart; no secret anywhere."""
    owner = api.user(Role.ADMIN)
    in_force, secret = key_of(api, Role.OPERATOR, owner)
    other = api.user(Role.ADMIN)
    ended, _ = key_of(api, Role.VIEWER, other)
    api.access.keys.revoke(ended)

    text = page(api, "/admin/keys")

    assert secret not in text
    assert secret[:10] in text
    assert f'action="/api/keys/{in_force}"' in text
    assert f'action="/api/keys/{ended}"' not in text
    assert "1 key that has ended" in text
    assert f"Revoke the key key-of-{owner.name}?" in text


def test_a_key_says_what_it_may_really_do(api: Api) -> None:
    """A key whose user is disabled or may less than the key is marked."""
    demoted, disabled = api.user(Role.ADMIN), api.user(Role.ADMIN)
    for owner in (demoted, disabled):
        key_of(api, Role.ADMIN, owner)
    admin = api.user(Role.ADMIN)
    api.accounts.set_role(demoted.name, Role.VIEWER)
    api.accounts.disable_user(disabled.name)

    text = page(api, "/admin/keys/live", admin)

    assert "acts as viewer" in text
    assert "its user is disabled" in text


def test_an_expired_key_has_ended(api: Api) -> None:
    """A key that ran out is not among those in force."""
    owner = api.user(Role.ADMIN)
    key, _ = api.access.keys.add("old", Role.VIEWER, owner, 1)
    with api.world.access_database.transaction() as connection:
        connection.execute("UPDATE api_keys SET expiresAt = createdAt - 1 WHERE id = ?", (key.id,))

    text = page(api, "/admin/keys/live")

    assert "No machine has a key." in text
    assert "ran out" in text


def test_the_log_is_read_page_by_page(api: Api) -> None:
    """Following "Older" shows every entry once, the newest first, and then ends."""
    audit = api.access.audit
    for number in range(7):
        audit.record(Act("users.add", AuditOutcome.DONE, "ada", CallerKind.USER, f"user-{number}"))
    admin = api.user(Role.ADMIN)
    seen: list[int] = []
    path: str | None = "/admin/audit?limit=3"

    while path:
        text = page(api, path, admin)
        seen += entries(text)
        older = re.search(r'id="older" href="([^"]+)"', text)
        path = f"{older[1]}&limit=3" if older else None

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 7
    assert 'id="newest" href="/admin/audit"' in text


def test_the_log_is_narrowed_as_in_the_api(api: Api) -> None:
    """Act, actor, outcome and time narrow, empty fields do not, and the export is the same."""
    audit = api.access.audit
    audit.record(Act("users.add", AuditOutcome.DONE, "ada", CallerKind.USER, "anna"))
    audit.record(Act("keys.add", AuditOutcome.FAILED, "ada", CallerKind.USER, "orders"))
    audit.record(Act("users.add", AuditOutcome.DONE, "bob", CallerKind.USER, "otto"))
    at = api.world.clock.now_ms()
    admin = api.user(Role.ADMIN)

    def shown(query: str) -> int:
        return len(entries(page(api, f"/admin/audit?{query}", admin)))

    assert shown("actor=ada&action=&outcome=&since=") == 2
    assert shown("actor=ada&action=users.add") == 1
    assert shown("outcome=failed") == 1
    assert shown(f"since={at + 60_000}") == 0
    assert shown(f"until={at + 60_000}") == 3
    text = page(api, "/admin/audit?actor=ada&action=users.add", admin)
    exported = 'href="/api/audit.csv?actor=ada&action=users.add&renewals=false"'
    assert f'id="export" {exported}' in text
    assert "Nothing is written down that fits." in page(api, "/admin/audit?actor=nobody", admin)


def test_logins_that_go_on_do_not_hide_the_rest(api: Api) -> None:
    """They are shown only where they are asked for; a token shown twice is shown always."""
    for outcome in (AuditOutcome.DONE, AuditOutcome.REFUSED):
        api.access.audit.record(Act("auth.refresh", outcome, "ada", CallerKind.USER))
    admin = api.user(Role.ADMIN)

    def shown(query: str) -> tuple[int, bool]:
        text = page(api, f"/admin/audit?{query}", admin)
        return len(entries(text)), 'value="true" checked' in text

    assert shown("") == (1, False)
    assert shown("renewals=true") == (2, True)
    assert shown("action=auth.refresh") == (2, True)


@pytest.mark.parametrize("query", ["limit=0", "before=x", "since=yesterday", "outcome=perhaps"])
def test_a_query_that_does_not_fit_is_told(api: Api, query: str) -> None:
    """It is 400 and a page, as in the API, and never an error of ours."""
    answer = api.call("GET", f"/admin/audit?{query}", Role.ADMIN)

    assert (answer.status_code, answer.mimetype) == (400, "text/html")
    assert query.partition("=")[0] in answer.text


def test_what_strangers_wrote_is_escaped(api: Api) -> None:
    """Nothing that stands in the log is taken for markup, whatever it is."""
    act = "<b>act</b>"
    written = Act(
        act, AuditOutcome.REFUSED, None, None, "<i>t</i>", {"<k>": "<v>"}, address="1.2.3.4"
    )
    api.access.audit.record(written)

    text = api.call("GET", "/admin/audit", Role.ADMIN).text

    for markup in ("<b>act", "<i>t", "<k>", "<v>"):
        assert markup not in text
    assert "&lt;b&gt;act&lt;/b&gt;" in text


def test_every_act_of_a_route_has_words(api: Api) -> None:
    """The filter offers each act that a route can be, in words and not as a name of ours."""
    text = page(api, "/admin/audit")

    offered = dict(re.findall(r'<option value="(\w+\.?\w*)"[^>]*>([^<]+)', text))
    assert {"auth.login", "users.add", "keys.revoke", "priority.take", "authenticate"} <= set(
        offered
    )
    assert {name for name, words in offered.items() if "." in name and name == words} == set()


def test_the_account_tells_who_one_is(api: Api) -> None:
    """Name and role, and that another password ends all logins."""
    viewer = api.user(Role.VIEWER)

    text = page(api, "/account", viewer)

    assert viewer.name in text
    assert "All your logins end" in text
    assert 'data-goto="/login?changed=1"' in text
    assert "aria-disabled" not in button(text, "password")
    assert 'href="/account"' in page(api, "/priority", viewer)


def test_a_machine_has_no_password_and_makes_no_key(api: Api) -> None:
    """Whoever is no user with a password here is told so on the button."""
    _, secret = key_of(api, Role.ADMIN)
    seen = {
        path: api.client.get(path, headers={"X-Api-Key": secret}).text
        for path in ("/account", "/admin/keys")
    }

    reason = 'title="Only for users who have logged in with a password."'
    assert reason in button(seen["/account"], "password")
    assert reason in button(seen["/admin/keys"], "add-key")


def test_the_login_says_that_the_password_was_changed(api: Api) -> None:
    """Whoever comes from there is told what has happened."""
    told = "Your password has been changed."

    assert told in api.client.get("/login?changed=1").text
    assert told not in api.client.get("/login").text


def _refused(api: Api, method: str, path: str, body: dict[str, Any] | None = None) -> list[str]:
    """Return what the API finds wrong, sentence by sentence."""
    answer = api.call(method, path, Role.ADMIN, json=body)
    assert answer.status_code >= 400, answer.text
    errors = answer.json.get("errors")
    return (
        [text for texts in errors.values() for text in texts] if errors else [answer.json["detail"]]
    )


def test_what_the_api_finds_wrong_is_told_in_italian(api: Api) -> None:
    """Each sentence that a form of these pages can bring about has a translation that fits."""
    role = {"role": "viewer"}
    key = {**role, "name": "orders"}
    api.call("POST", "/api/keys", Role.ADMIN, json=key)
    found = [
        *_refused(api, "POST", "/api/users", {**role, "name": "a b"}),
        *_refused(api, "POST", "/api/users", {**role, "name": "maria"}),
        *_refused(api, "POST", "/api/users", {**role, "name": "otto", "password": "short"}),
        *_refused(api, "POST", "/api/keys", key),
        *_refused(api, "POST", "/api/keys", {**key, "name": "n", "expiresInDays": 0}),
        *_refused(api, "DELETE", "/api/keys/99"),
        *_refused(api, "DELETE", "/api/priority/leases/none"),
        *_refused(api, "GET", "/api/users/nobody"),
        *_refused(
            api,
            "POST",
            "/api/auth/password",
            {"oldPassword": "wrong", "newPassword": PASSWORD},
        ),
    ]

    with api.app.test_request_context(headers={"Accept-Language": "it"}):
        italian = {text: problems.spoken(text) for text in found}
    with api.app.test_request_context(headers={"Accept-Language": "en"}):
        english = {text: problems.spoken(text) for text in found}

    assert {text for text, spoken in italian.items() if text == spoken} == set()
    assert {text for text, spoken in english.items() if text != spoken} == set()
    assert "'maria'" in next(one for one in italian.values() if "utente 'maria'" in one)
