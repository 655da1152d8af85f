"""The catalogue over HTTP: lists, search, one record, its history, the feed, CSV."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from support import FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from web_support import Api

PRODUCTS_URL = "/api/products"
FIELDS = (
    "id",
    "name",
    "description",
    "productGroupId",
    "multipleQty",
    "minQty",
    "orderable",
    "stopped",
)


@pytest.fixture
def source() -> FakeSource:
    """Return a source that delivers what this API shows."""
    source = FakeSource()
    source.fields = FIELDS
    return source


def sync(world: World, records: Sequence[dict[str, object]]) -> None:
    """Bring the catalogue and its words in step with ``records``."""
    world.source.records = records
    assert world.run().outcome == "completed"
    world.index.catch_up()


def found(api: Api, query: str) -> list[str]:
    """Return the ids of a list, whatever its pages."""
    ids: list[str] = []
    path = f"{PRODUCTS_URL}?{query}"
    while path:
        page = api.call("GET", path, Role.VIEWER)
        assert page.status_code == 200, page.text
        ids += [one["id"] for one in page.json["products"]]
        following = page.json["next"]
        path = f"{PRODUCTS_URL}?{query}&cursor={following}" if following else ""
    return ids


def test_record_is_shown_as_declared(api: Api) -> None:
    """Every declared field is there, typed; what the source does not deliver is null."""
    sync(api.world, [record(1, orderable=True, multipleQty="2.50", description="Fresa")])

    shown = api.call("GET", f"{PRODUCTS_URL}/000001K2", Role.VIEWER).json

    assert (shown["id"], shown["name"], shown["description"]) == (
        "000001K2",
        "H1.104.023",
        "Fresa",
    )
    assert (shown["orderable"], shown["stopped"], shown["multipleQty"]) == (True, False, "2.5")
    assert shown["purchasePrice"] is None
    assert shown["deletedAt"] is None
    assert not {"sourceHash", "contentHash", "missingRuns", "rowId"} & set(shown)


@pytest.mark.parametrize(
    "key",
    ["A/B", "/A", "A/", "A//B", "syncopated", "x" * 1000, "../A", "A?b#c%2F", "A\\B", "Ä/β"],
)
def test_a_key_is_any_text(api: Api, key: str) -> None:
    """What is its own record's, and not another one's, whatever characters it is made of."""
    others = ["A", "B", "A/B/C", "changesA"]
    sync(api.world, [{**record(1), "id": one, "name": one} for one in (key, *others)])

    url = f"{PRODUCTS_URL}/{quote(key, safe='')}"

    assert api.call("GET", url, Role.VIEWER).json["name"] == key
    changes = api.call("GET", f"{url}/changes", Role.VIEWER).json["changes"]
    assert [one["productId"] for one in changes] == [key]


@pytest.mark.parametrize("path", ["nothing", "%00", "nothing/changes", "no/thing", "sync/nothing"])
def test_unknown_record_is_not_found(api: Api, path: str) -> None:
    """There never was such a product."""
    answer = api.call("GET", f"{PRODUCTS_URL}/{path}", Role.VIEWER)

    assert answer.status_code == 404
    assert answer.json["code"] == "not_found"


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("id", [1, 2, 3, 4, 5, 6, 7]),
        ("-id", [7, 6, 5, 4, 3, 2, 1]),
        ("name", [4, 6, 3, 1, 5, 2, 7]),  # 4 and 6 have none, 2 and 7 share one
        ("-name", [7, 2, 5, 1, 3, 6, 4]),
        ("updatedAt", [1, 2, 3, 4, 5, 6, 7]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 3, 50])
def test_every_order_shows_each_record_once(
    api: Api, sort: str, expected: list[int], limit: int
) -> None:
    """Page by page, in any order and size, nothing is skipped and nothing comes twice."""
    names = {1: "c", 2: "à 100%", 3: "b.c/d&e", 4: None, 5: "d", 6: None, 7: "à 100%"}
    sync(api.world, [record(number, name=name) for number, name in names.items()])

    ids = found(api, f"sort={sort}&limit={limit}")

    assert ids == [f"{number:06d}K2" for number in expected]


@pytest.mark.parametrize("sort", ["name", "-name"])
def test_long_values_that_begin_alike_keep_their_order(api: Api, sort: str) -> None:
    """A value that is too long for a cursor is not cut: no page repeats or skips a record."""
    names = {1: "a", 2: "x" * 200 + "b", 3: "x" * 200 + "a", 4: "y", 5: "x" * 300, 6: "x" * 200}
    sync(api.world, [record(number, name=name) for number, name in names.items()])
    order = sorted(names, key=lambda number: names[number], reverse=sort == "-name")

    assert found(api, f"sort={sort}&limit=1") == [f"{number:06d}K2" for number in order]


def test_list_is_narrowed(api: Api) -> None:
    """By group, by the time of the last change, and without what has gone."""
    groups = {1: "10", 2: "10", 3: "20"}
    before = [record(number, productGroupId=group) for number, group in groups.items()]
    sync(api.world, [*before, *catalogue_of(60)[10:]])
    sync(api.world, [*before[1:], *catalogue_of(60)[10:]])
    changed = [record(2, productGroupId="10", minQty=9), before[2]]
    sync(api.world, [*changed, *catalogue_of(60)[10:]])
    since = api.call("GET", f"{PRODUCTS_URL}/000002K2").json["updatedAt"]

    assert found(api, "group=10") == ["000002K2"]
    assert found(api, "group=10&includeDeleted=true") == ["000001K2", "000002K2"]
    assert found(api, f"updatedSince={since}&includeDeleted=true") == ["000001K2", "000002K2"]
    assert found(api, "group=none") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("000002", ["000002K2"]),
        ("h129fsq.104", ["000001K2"]),
        ("H129FSQ 023", ["000001K2"]),
        ("179.204. 1", ["000002K2"]),
        ("179.204.1", ["000002K2"]),
        ("tungsteno fres", ["000001K2"]),
        ("qualità", ["000003K2"]),
        ("QUALITA", ["000003K2"]),
        ("fresa nothing", []),
        ('"', []),
        ("* OR id:", []),
        ("NEAR(", []),
        ("...", []),
        ("000002\0nothing", []),
        ("\0 000002", ["000002K2"]),
    ],
)
def test_words_are_found(api: Api, words: str, expected: list[str]) -> None:
    """Beginnings, any case, accents folded, irregular spaces; no operator comes through."""
    sync(
        api.world,
        [
            record(1, name="H129FSQ.104.023", description="Fresa in carburo di tungsteno"),
            record(2, name="179.204. 1"),
            record(3, description="Prima qualità"),
        ],
    )

    answer = api.call("GET", PRODUCTS_URL, Role.VIEWER, query_string={"q": words})

    assert [one["id"] for one in answer.json["products"]] == expected


def test_search_follows_the_catalogue(api: Api) -> None:
    """A product is found by its new words and not by its old ones; a deleted one if asked."""
    many = catalogue_of(30)
    sync(api.world, [*many, record(99, description="vecchio")])
    sync(api.world, [*many, record(99, description="nuovo")])
    after_change = found(api, "q=vecchio"), found(api, "q=nuovo")
    sync(api.world, many)
    sync(api.world, many)

    assert after_change == ([], ["000099K2"])
    assert found(api, "q=nuovo") == []
    assert found(api, "q=nuovo&includeDeleted=true") == ["000099K2"]
    assert len(found(api, "q=H&limit=7")) == 30


def test_history_of_a_record(api: Api) -> None:
    """What happened, the newest first, page by page."""
    for quantity in (1, 2, 3):
        sync(api.world, [record(1, minQty=quantity)])
    path = f"{PRODUCTS_URL}/000001K2/changes"

    first = api.call("GET", f"{path}?limit=2", Role.VIEWER).json
    second = api.call("GET", f"{path}?limit=2&before={first['next']}", Role.VIEWER).json

    shown = [
        (one["changeType"], one["field"], one["oldValue"], one["newValue"])
        for one in [*first["changes"], *second["changes"]]
    ]
    assert shown == [
        ("updated", "minQty", "2", "3"),
        ("updated", "minQty", "1", "2"),
        ("created", None, None, None),
    ]
    assert second["next"] is None


def follow(api: Api, copy: dict[str, Any], since: int, limit: int) -> int:
    """Bring a copy up to date as a consumer does; return where to go on."""
    while True:
        page = api.call("GET", f"{PRODUCTS_URL}/changes?since={since}&limit={limit}").json
        for one in page["products"]:
            copy[one["id"]] = one
        since = page["next"]
        if page["isLast"]:
            return since


def test_feed_gives_an_identical_copy(api: Api) -> None:
    """Created, updated, deleted and restored: who follows has what the catalogue has."""
    many, since = catalogue_of(40), 0
    copy: dict[str, Any] = {}
    for records in (
        [*many, record(99)],
        [*many[1:], record(1, minQty=8), record(99)],
        many,
        many,
        [*many, record(99)],
    ):
        sync(api.world, records)
        since = follow(api, copy, since, limit=7)

    shown = api.call("GET", f"{PRODUCTS_URL}?includeDeleted=true&limit=500").json["products"]
    assert copy == {one["id"]: one for one in shown}
    assert follow(api, copy, since, limit=7) == since


def test_deleted_record_is_a_tombstone(api: Api) -> None:
    """The feed tells that a product has gone, and when."""
    many = catalogue_of(40)
    sync(api.world, [*many, record(99)])
    sync(api.world, many)
    since = follow(api, {}, 0, 500)
    sync(api.world, many)

    page = api.call("GET", f"{PRODUCTS_URL}/changes?since={since}").json

    assert [(one["productId"], one["changeType"]) for one in page["changes"]] == [
        ("000099K2", "deleted")
    ]
    assert page["products"][0]["deletedAt"] is not None


def test_cursor_that_the_log_does_not_hold_is_told(api: Api) -> None:
    """Ahead of the log, as after a restored copy, or behind its beginning: 404, begin anew."""
    sync(api.world, catalogue_of(5))
    ids = api.world.change_ids()
    ahead = api.call("GET", f"{PRODUCTS_URL}/changes?since={ids[-1] + 1}", Role.VIEWER)
    with api.world.database.transaction() as connection:
        connection.execute("DELETE FROM product_changes WHERE id <= ?", (ids[2],))
    behind = [
        api.call("GET", f"{PRODUCTS_URL}/changes?since={since}", Role.VIEWER).status_code
        for since in (0, ids[1], ids[2])
    ]

    assert (ahead.status_code, ahead.json["code"]) == (404, "not_found")
    assert "begin anew" in ahead.json["detail"]
    assert behind == [404, 404, 200]


def test_export_is_safe_to_open(api: Api) -> None:
    """All active products with a header row; what looks like a formula is marked as text."""
    sync(
        api.world,
        [
            record(1, description="=cmd|' /C calc'!A0", minQty=-1),
            record(2, description='à, "b"\nc'),
            record(3, description="@x"),
        ],
    )

    answer = api.call("GET", f"{PRODUCTS_URL}.csv", Role.VIEWER)
    rows = list(csv.DictReader(io.StringIO(answer.data.decode("utf-8"))))

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "products.csv" in answer.headers["Content-Disposition"]
    assert [row["description"] for row in rows] == [
        "'=cmd|' /C calc'!A0",
        'à, "b"\nc',
        "'@x",
    ]
    assert (rows[0]["minQty"], rows[0]["id"]) == ("-1", "000001K2")


@pytest.mark.parametrize(
    "path", ["", "?q=H1", "/000001K2", "/000001K2/changes", "/changes", ".csv"]
)
def test_unchanged_catalogue_is_not_sent_again(api: Api, path: str) -> None:
    """Who shows the tag gets 304 until a run has changed something, and only then."""
    sync(api.world, catalogue_of(20))
    url = f"{PRODUCTS_URL}{path}"
    first = api.call("GET", url)
    first.get_data()  # an export streams
    known = {"If-None-Match": first.headers["ETag"]}
    again = api.call("GET", url, headers=known)
    sync(api.world, catalogue_of(20))
    after_empty_run = api.call("GET", url, headers=known)
    sync(api.world, [record(1, minQty=5), *catalogue_of(20)[1:]])
    changed = api.call("GET", url, headers=known)

    assert (again.status_code, again.data) == (304, b"")
    assert after_empty_run.status_code == 304
    assert (changed.status_code, bool(changed.data)) == (200, True)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?limit=0", "limit"),
        ("?limit=501", "limit"),
        ("?sort=stopped", "sort"),
        ("?cursor=x", "cursor"),
        ("?cursor=" + "9" * 10_000, "cursor"),
        ("?updatedSince=-1", "updatedSince"),
        ("?q=" + "x" * 201, "q"),
        ("?includeDeleted=perhaps", "includeDeleted"),
        ("/changes?since=-1", "since"),
        ("/changes?since=" + "9" * 10_000, "since"),
        ("/000001K2/changes?before=0", "before"),
        ("/variants?quantity=5", "name"),
        ("/variants?name=x&quantity=0", "quantity"),
    ],
    ids=lambda text: text[:24],
)
def test_wrong_question_names_the_field(api: Api, query: str, field: str) -> None:
    """Everything from outside is bounded."""
    answer = api.call("GET", f"{PRODUCTS_URL}{query}", Role.VIEWER)

    assert (answer.status_code, answer.json["field"]) == (400, field)
