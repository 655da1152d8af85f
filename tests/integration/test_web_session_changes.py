"""What one session changed, over HTTP: all of it, nothing else, and cheaply at any age."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, record
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import PermanentSourceError
from archibald_sync.web import catalogue_schemas
from archibald_sync.web.problems import PROBLEM_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

MANY = 50_000
_STEPS_A_TICK = 100


@pytest.fixture
def source() -> FakeSource:
    """Return a source that delivers values of several types."""
    source = FakeSource()
    source.fields = ("id", "name", "minQty", "orderable")
    return source


@pytest.fixture
def api(world: World) -> Api:
    """Return an API over three sessions that wrote, with one that did not between them."""
    first = [record(number, orderable=True) for number in range(1, 4)]
    second = [record(1, name="a", minQty=2, orderable=False), *first[1:], record(4)]
    third = [record(1, name="b", minQty=2, orderable=False), *second[1:]]
    for records in (first, second, second, third):
        sync(world, records)
    return Api(world)


def sync(world: World, records: list[dict[str, object]]) -> None:
    """Bring the catalogue in step with ``records``."""
    world.source.records = records
    assert world.run().outcome == "completed"


def url(session: Mapping[str, Any], query: str = "") -> str:
    """Return where the changes of ``session`` are."""
    return f"{SYNC}/sessions/{session['id']}/changes?{query}"


def written(api: Api, session: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the log holds of ``session``, as it is shown."""
    rows = api.world.database.rows(
        "SELECT * FROM product_changes WHERE sessionId = :id ORDER BY id", {"id": session["id"]}
    )
    return [{name: row[name] for name in row.keys() if name != "epoch"} for row in rows]  # noqa: SIM118  # a sqlite3.Row iterates over its values


@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_each_session_has_its_changes_and_no_others(api: Api, limit: int) -> None:
    """Page by page, in the order of writing, nothing is skipped and nothing comes twice."""
    for session in api.world.sessions():
        seen: list[dict[str, Any]] = []
        after: int | None = None
        while True:
            query = f"limit={limit}" + (f"&after={after}" if after else "")
            page = api.call("GET", url(session, query), Role.VIEWER).json
            seen += page["changes"]
            assert len(page["changes"]) <= limit
            after = page["next"]
            if after is None:
                break

        assert seen == written(api, session)
    assert [len(written(api, one)) for one in api.world.sessions()] == [3, 4, 0, 1]


def test_fields_come_with_their_values(api: Api) -> None:
    """A change says what a field held before and after."""
    changes = api.call("GET", url(api.world.sessions()[1]), Role.VIEWER).json["changes"]

    shown = {
        (one["productId"], one["field"]): (one["oldValue"], one["newValue"]) for one in changes
    }
    assert shown[("000001K2", "name")] == ("H1.104.023", "a")
    assert shown[("000001K2", "orderable")] == (1, 0)
    assert ("000004K2", None) in shown


def test_session_that_wrote_nothing_has_no_changes(api: Api) -> None:
    """Failed or held: an empty page, though others have written since."""
    world = api.world
    world.source.failures = [PermanentSourceError("gone")]
    assert world.run().outcome == "failed"
    failed = world.sessions()[-1]
    world.source.records = []
    assert world.run().outcome == "held"
    held = world.sessions()[-1]
    sync(world, [record(number, name="c") for number in range(1, 5)])

    for session in (failed, held):
        answer = api.call("GET", url(session), Role.VIEWER)

        assert answer.status_code == 200
        assert answer.json == {"changes": [], "next": None}


def test_place_outside_a_session_shows_nothing_of_others(api: Api) -> None:
    """A place before its first change means the first, one behind its last the end."""
    _, session, _, _ = api.world.sessions()

    early = api.call("GET", url(session, "after=1")).json
    late = api.call("GET", url(session, f"after={2**53 - 1}")).json

    assert early["changes"] == written(api, session)
    assert late == {"changes": [], "next": None}


@pytest.mark.parametrize("name", ["nothing", "%00", "'%20OR%201=1--", "x" * 3000])
def test_unknown_session_is_not_found(api: Api, name: str) -> None:
    """There is no such session: a problem, also for who shows a tag."""
    path, known = f"{SYNC}/sessions/{name}/changes", {"If-None-Match": "*"}

    for headers in ({}, known):
        answer = api.call("GET", path, Role.VIEWER, headers=headers)

        assert (answer.status_code, answer.mimetype) == (404, PROBLEM_TYPE)
        assert answer.json["type"] == "/problems/not_found"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=", "limit"),
        ("after=0", "after"),
        ("after=", "after"),
        ("after=x", "after"),
        ("after=-1", "after"),
        ("after=1.5", "after"),
        ("after=" + "9" * 10_000, "after"),
    ],
    ids=lambda text: text[:16],
)
def test_wrong_question_names_the_field(api: Api, query: str, field: str) -> None:
    """Bounds and places from outside are checked."""
    answer = api.call("GET", url(api.world.sessions()[0], query), Role.VIEWER)

    assert (answer.status_code, answer.json["field"]) == (400, field)


def test_what_was_written_stays_unchanged(api: Api) -> None:
    """Who shows the tag gets 304, also after other sessions have written; pages have their own."""
    session = api.world.sessions()[1]
    first, part = (api.call("GET", url(session, query)) for query in ("", "limit=2"))
    known = {"If-None-Match": first.headers["ETag"]}

    sync(api.world, [record(number, name="d") for number in range(1, 5)])
    again = api.call("GET", url(session), headers=known)
    other = api.call("GET", url(session, "limit=2"), headers=known)

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["Cache-Control"] == "private, no-cache"
    assert (other.status_code, other.headers["ETag"]) == (200, part.headers["ETag"])


def test_answer_is_what_its_schema_makes_of_it(api: Api) -> None:
    """Not a key more or less, and no value of another type than the document says."""
    change = catalogue_schemas.change_schema(PRODUCTS)
    schema = catalogue_schemas.session_changes_schema(PRODUCTS, change)()

    body = api.call("GET", url(api.world.sessions()[1], "limit=3"), Role.VIEWER).json

    assert json.dumps(body) == json.dumps(schema.dump(body))
    assert list(body) == list(schema.fields)
    assert {tuple(one) for one in body["changes"]} == {tuple(change().fields)}


def test_a_page_costs_the_same_in_a_long_log(api: Api) -> None:
    """What other sessions wrote before and after is not looked through."""
    *_, session = api.world.sessions()
    with api.world.database.transaction() as connection:
        for first in (1, api.world.change_ids()[-1] + 1):
            connection.execute(
                "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n "
                "WHERE i < :many) INSERT INTO product_changes (id, productId, sessionId, "
                "changeType, changedAt, epoch) SELECT :first + i, 'x', 'other', 'created', 1, 1 "
                "FROM n",
                {"many": MANY, "first": first},
            )
    ticks: list[None] = []
    connection = api.world.database.connection()

    connection.set_progress_handler(lambda: ticks.append(None), _STEPS_A_TICK)
    page = api.call("GET", url(session, "limit=500"), Role.VIEWER).json
    connection.set_progress_handler(None, 0)

    assert [one["newValue"] for one in page["changes"]] == ["b"]
    # Reading the log as a whole would take more than a step for each of its rows.
    assert 0 < len(ticks) * _STEPS_A_TICK < MANY
