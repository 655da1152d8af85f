"""The audit log: every act and refusal, by whom, and no way to change it."""

from __future__ import annotations

import csv
import io
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
from access_support import FOREIGN, PASSWORD, bearer, key_of, logged_in, login, routes
from support import ShiftedClock, World
from web_support import SYNC, Api

from archibald_sync.domain.access import Act, AuditFilter, AuditOutcome
from archibald_sync.domain.models import Role
from archibald_sync.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import FakeSource

READS = {"GET", "HEAD"}
RUN = {SYNC, f"{SYNC}/run"}  # two routes, one act


@pytest.fixture
def api(world: World) -> Api:
    """Return an API whose resource nobody owns."""
    return Api(world, answer_wait_s=0.01)


def _acts(api: Api, **wanted: Any) -> list[Act]:  # noqa: ANN401  # any filter
    """Return the acts in the log, the newest first."""
    return [entry.act for entry in api.access.audit.page(AuditFilter(**wanted), 1000)]


def _entries(api: Api, query: str = "") -> Any:  # noqa: ANN401  # JSON
    answer = api.call("GET", f"/api/audit{query}", Role.ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.mark.parametrize("kind", ["token", "key"])
def test_every_act_of_every_route_is_written_down(api: Api, kind: str) -> None:
    """No route that changes something can forget it, not even one of tomorrow."""
    for route in routes(api):
        if route.method in READS or route.permission == "public":
            continue
        user = api.user(Role.ADMIN)
        headers = bearer(api.token(user))
        if kind == "key":
            headers = {"X-Api-Key": key_of(api, Role.ADMIN, user)[1]}
        before = len(_acts(api))

        answer = api.client.open(route.path, method=route.method, headers=headers)

        acts = _acts(api)
        assert len(acts) == before + 1, route
        act = acts[0]
        assert act.action == ("products.run" if route.rule in RUN else route.endpoint)
        assert act.actor == (user.name if kind == "token" else f"key:key-of-{user.name}")
        assert act.kind == ("user" if kind == "token" else "key")
        assert act.address == "127.0.0.1"
        assert act.request_id == answer.headers["X-Request-ID"]
        if answer.status_code in {401, 403, 429}:
            assert act.outcome is AuditOutcome.REFUSED
        else:
            is_done = answer.status_code < 400
            assert act.outcome is (AuditOutcome.DONE if is_done else AuditOutcome.FAILED)


def test_reading_is_no_act(api: Api) -> None:
    """Looking leaves no trace, else the log would hold nothing else."""
    for route in routes(api):
        if route.method in READS:
            api.call(route.method, route.path, Role.ADMIN).close()

    assert _acts(api) == []


def test_logins_are_written_down(api: Api) -> None:
    """Who logged in, and whose password somebody got wrong; a name that nobody has is not kept."""
    logged_in(api)
    login(api, "MARIA", "wrong")
    login(api, "my secret password", "wrong")

    acts = [(act.outcome, act.actor, act.target) for act in _acts(api, action="auth.login")]

    assert acts == [
        ("refused", None, None),
        ("refused", None, "maria"),
        ("done", "maria", None),
    ]


def test_what_was_changed_is_told(api: Api) -> None:
    """An entry says whom and what it was about, and no password."""
    admin = api.user(Role.ADMIN)
    header = bearer(api.token(admin))
    new = {"name": "anna", "role": "viewer", "password": PASSWORD}
    api.client.post("/api/users", headers=header, json=new)
    api.client.patch("/api/users/anna", headers=header, json={"role": "operator"})
    api.client.post("/api/users/anna/password", headers=header, json={"password": PASSWORD})
    key = {"name": "orders", "role": "viewer"}
    made = api.client.post("/api/keys", headers=header, json=key).json["key"]
    api.client.delete(f"/api/keys/{made['id']}", headers=header)
    api.client.post(f"{SYNC}/start", headers=header, json={"intervalMinutes": 7})
    lease = {"owner": "orders", "reason": "order 7"}
    taken = api.client.post("/api/priority/leases", headers=header, json=lease).json["id"]

    acts = [(act.action, act.target, act.detail) for act in _acts(api, actor=admin.name)]

    assert acts[::-1] == [
        ("users.add", "anna", {"role": "viewer"}),
        ("users.change", "anna", {"role": "operator"}),
        ("users.reset_password", "anna", None),
        ("keys.add", "orders", {"role": "viewer", "expiresInDays": None, "prefix": made["prefix"]}),
        ("keys.revoke", "orders", {"prefix": made["prefix"]}),
        ("products.start", None, {"intervalMinutes": 7}),
        ("priority.take", taken, {"owner": "orders", "reason": "order 7"}),
    ]


def test_reuse_of_a_refresh_token_is_written_down(api: Api) -> None:
    """A theft leaves a trace with the name of the account."""
    pair = logged_in(api)
    body = {"refreshToken": pair["refreshToken"]}
    for _ in range(2):
        api.client.post("/api/auth/refresh", json=body)

    newest = _acts(api, action="auth.refresh")[0]

    assert (newest.outcome, newest.actor, newest.detail) == (
        "refused",
        "maria",
        {"reason": "reused"},
    )


@pytest.fixture
def later(tmp_path: Path, source: FakeSource) -> Iterator[tuple[Api, ShiftedClock]]:
    """Return an API whose clock can be set forward."""
    clock = ShiftedClock()
    world = World(tmp_path, source, clock=clock)
    yield Api(world), clock
    world.close()


def test_the_same_refusal_counts_once_a_minute(later: tuple[Api, ShiftedClock]) -> None:
    """A client that knocks all day fills no disk, and each one is still seen."""
    api, clock = later
    viewer = api.user(Role.VIEWER)
    header = bearer(api.token(viewer, ttl_s=600))

    def knock() -> None:
        for _ in range(20):
            assert api.client.post(f"{SYNC}/stop", headers=header).status_code == 403
            assert api.client.get("/api/users", headers=header).status_code == 403
            assert api.client.get("/api/users", headers=bearer("x")).status_code == 401
            assert api.client.get("/api/users").status_code == 401

    def seen() -> list[tuple[str, str | None, str | None]]:
        return sorted((act.action, act.actor or "", act.target) for act in _acts(api))

    knock()
    once = [
        ("authenticate", "", "users.show_all"),
        ("products.stop", viewer.name, None),
        ("users.show_all", viewer.name, None),
    ]
    assert seen() == once
    clock.shift_ms = 61_000
    knock()
    assert seen() == sorted(once * 2)


def test_waiting_logins_count_once_a_minute(api: Api) -> None:
    """Each wrong password stands there, not each one that nobody looked at."""
    for _ in range(20):
        login(api, "nobody", "wrong")

    outcomes = [act.detail for act in _acts(api, action="auth.login")]

    assert outcomes.count({"reason": "unauthorized"}) == 5
    assert outcomes.count({"reason": "too_many_logins"}) == 1


def test_log_cannot_be_changed(api: Api) -> None:
    """The database refuses to change, delete or replace an entry, also by hand."""
    login(api, "nobody", "wrong")
    before = _acts(api)
    path = api.world.access_database.path
    statements = [
        "UPDATE audit_log SET actor = 'somebody else'",
        "UPDATE audit_log SET id = id + 1",
        "DELETE FROM audit_log",
        "INSERT OR REPLACE INTO audit_log (id, at, action, outcome) VALUES (1, 0, 'x', 'done')",
        "REPLACE INTO audit_log (id, at, action, outcome) VALUES (1, 0, 'x', 'done')",
    ]

    for statement in statements:
        connection = sqlite3.connect(path)
        with pytest.raises(sqlite3.IntegrityError, match="can only grow"):
            connection.execute(statement)
        connection.close()

    assert _acts(api) == before


def test_pages_hold_every_entry_once(api: Api) -> None:
    """Page after page leads through the whole log, though it grows meanwhile."""
    for number in range(25):
        api.access.audit.record(Act(f"act-{number}", AuditOutcome.DONE))
    seen, query = [], "?limit=10"

    while query:
        page = _entries(api, query)
        seen += [entry["action"] for entry in page["entries"]]
        api.access.audit.record(Act("meanwhile", AuditOutcome.DONE))
        query = page["next"] and f"?limit=10&before={page['next']}"

    assert seen == [f"act-{number}" for number in range(24, -1, -1)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?actor=ada", ["two", "one"]),
        ("?action=two", ["two"]),
        ("?target=t", ["three"]),
        ("?outcome=failed", ["three"]),
        ("?actor=ada&outcome=done", ["two", "one"]),
        ("?actor=nobody", []),
        ("?since=0", ["three", "two", "one"]),
        ("?until=0", []),
        ("?since=9007199254740991", []),
        ("?before=2", ["one"]),
    ],
)
def test_filters_narrow(api: Api, query: str, expected: list[str]) -> None:
    """Only entries that agree with every filter are shown."""
    api.access.audit.record(Act("one", AuditOutcome.DONE, "ada"))
    api.access.audit.record(Act("two", AuditOutcome.DONE, "ada"))
    api.access.audit.record(Act("three", AuditOutcome.FAILED, "bob", target="t"))

    assert [entry["action"] for entry in _entries(api, query)["entries"]] == expected


def test_logins_that_go_on_can_be_left_out(api: Api) -> None:
    """Without renewals a refused one is still there, and by default all are."""
    pair = logged_in(api)
    for _ in range(2):  # the second time it is refused
        api.client.post("/api/auth/refresh", json={"refreshToken": pair["refreshToken"]})

    def shown(query: str) -> list[tuple[str, str]]:
        found = _entries(api, query)["entries"]
        return [(one["action"], one["outcome"]) for one in found]

    began, went_on, refused = [
        ("auth.login", "done"),
        ("auth.refresh", "done"),
        ("auth.refresh", "refused"),
    ]
    assert shown("") == shown("?renewals=true") == [refused, went_on, began]
    assert shown("?renewals=false") == [refused, began]
    exported = api.call("GET", "/api/audit.csv?renewals=false", Role.ADMIN).text
    assert exported.count("auth.refresh") == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?limit=x", "limit"),
        ("?before=x", "before"),
        ("?outcome=maybe", "outcome"),
        ("?renewals=maybe", "renewals"),
        ("?since=-1", "since"),
        ("?until=1e3", "until"),
        ("?since=9007199254740992", "since"),
        ("?since=" + "9" * 10_000, "since"),
    ],
    ids=lambda text: text[:20],
)
def test_wrong_filter_is_named(api: Api, query: str, field: str) -> None:
    """What does not fit is 400."""
    for path in ("/api/audit", "/api/audit.csv"):
        answer = api.call("GET", path + query, Role.ADMIN)
        if path.endswith(".csv") and field in {"limit", "before"}:
            continue  # the export has no pages
        assert (answer.status_code, answer.json["field"]) == (400, field)


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "  =cmd|' /C calc'!A0",
        '=HYPERLINK("http://evil")',
    ],
)
def test_export_holds_no_formula(api: Api, text: str) -> None:
    """No cell makes a spreadsheet compute, wherever the text came from."""
    api.access.audit.record(
        Act("act", AuditOutcome.DONE, text, target=text, detail={text: text}, request_id=text)
    )

    answer = api.call("GET", "/api/audit.csv", Role.ADMIN)

    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert len(rows) == 1
    for column in ("actor", "target", "detail", "requestId"):
        assert rows[0][column].startswith("'"), column
    assert rows[0]["actor"].replace("'", "") == text.replace("'", "")


def test_export_has_every_entry_and_is_streamed(api: Api) -> None:
    """The file is made line by line, in the order of the log, whatever its length."""
    for number in range(1201):
        api.access.audit.record(Act(f"act-{number}", AuditOutcome.DONE, "ada, the 1st"))

    answer = api.call("GET", "/api/audit.csv?actor=ada,%20the%201st", Role.ADMIN)

    assert answer.is_streamed
    assert answer.mimetype == "text/csv"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["action"] for row in rows] == [f"act-{number}" for number in range(1200, -1, -1)]
    assert set(rows[0]) == set(_entries(api)["entries"][0])


def test_act_counts_although_the_log_cannot_be_written(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """What was done cannot be taken back: the answer is true, and the log of lines has it."""
    user = api.user(Role.OPERATOR)
    token = api.token(user)
    api.world.access_database.connection().execute("PRAGMA query_only = ON")

    answer = api.client.post(f"{SYNC}/stop", headers=bearer(token))

    assert answer.status_code == 200
    line = next(one for one in caplog.records if "audit log" in one.getMessage())
    assert line.__dict__["fields"]["actor"] == user.name
    assert line.__dict__["fields"]["action"] == "products.stop"
    api.world.access_database.connection().execute("PRAGMA query_only = OFF")


def test_only_refusals_are_folded(api: Api) -> None:
    """An act is never left out, however often it is repeated."""
    with pytest.raises(ValueError, match="refusal"):
        api.access.audit.record_refusal(Act("act", AuditOutcome.DONE))


def test_priority_never_waits_for_the_log_of_a_sync(world: World) -> None:
    """While a sync commits, a machine gets in, takes a lease and is written down at once."""
    api = Api(world, settings=FOREIGN)
    _, secret = key_of(api, Role.OPERATOR)
    blocker = sqlite3.connect(world.database.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        headers = {"X-Api-Key": secret}
        answer = api.client.post("/api/priority/leases", headers=headers, json={"owner": "o"})
        with pytest.raises(StorageError), world.database.transaction():
            pass  # the database of the sync is indeed taken
    finally:
        blocker.close()

    assert answer.status_code == 201
    assert _acts(api)[0].action == "priority.take"
