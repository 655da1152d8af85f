"""Lists by the last change: complete in every page size, and read from an index alone."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from integration.test_web_catalogue import FIELDS, found
from support import FakeSource, SteppedClock, World, record
from web_support import Api

from archibald_sync.domain.reading import RecordQuery
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.storage.catalogue_reader import SqliteCatalogueReader
from archibald_sync.storage.connection import Database
from archibald_sync.storage.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COUNT = 60
# Of another number of digits each: compared as texts they would be in another order.
MOMENTS = (99_999_999_999, 999_999_999_999, 1_000_000_000_000, 10_000_000_000_000)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a catalogue of three groups, changed at four moments; some of it is deleted."""
    world = _changed_world(tmp_path)
    yield world
    world.close()


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Return an API over such a catalogue, in which nothing changes."""
    world = _changed_world(tmp_path_factory.mktemp("still"))
    yield Api(world)
    world.close()


def _changed_world(folder: Path) -> World:
    source = FakeSource()
    source.fields = FIELDS
    world = World(folder, source, clock=SteppedClock())
    quantities: dict[int, int] = dict.fromkeys(range(1, COUNT + 1), 1)
    for step, moment in enumerate(MOMENTS):
        quantities.update(dict.fromkeys(range(7 * step, COUNT, 11), step + 2) if step else {})
        _sync(world, moment, quantities)
    for gone in (3, 14, 40):
        del quantities[gone]
    _sync(world, MOMENTS[-1], quantities)
    _sync(world, MOMENTS[-1] + 1, quantities)
    return world


def _sync(world: World, moment: int, quantities: Mapping[int, int]) -> None:
    assert isinstance(world.clock, SteppedClock)
    world.clock.wall = moment
    world.source.records = [
        record(number, productGroupId=str(number % 3), minQty=quantity)
        for number, quantity in quantities.items()
        if number
    ]
    assert world.run().outcome == "completed"


@pytest.mark.parametrize("sort", ["updatedAt", "-updatedAt"])
@pytest.mark.parametrize("limit", [3, COUNT - 3, 500])
@pytest.mark.parametrize("group", [None, "1", "none"])
@pytest.mark.parametrize("since", [None, MOMENTS[2]])
@pytest.mark.parametrize("with_deleted", [False, True])
def test_each_record_comes_once_in_its_place(
    still: Api, sort: str, limit: int, group: str | None, since: int | None, *, with_deleted: bool
) -> None:
    """Newest or oldest first, narrowed or not: what fits, in order, over any pages."""
    query = f"sort={sort}&limit={limit}&includeDeleted={str(with_deleted).lower()}"
    query += f"&group={group}" if group else ""
    query += f"&updatedSince={since}" if since else ""

    ids = found(still, query)

    fitting = [
        row
        for row in still.world.database.rows("SELECT * FROM products")
        if (group is None or row["productGroupId"] == group)
        and (since is None or row["updatedAt"] >= since)
        and (with_deleted or row["deletedAt"] is None)
    ]
    fitting.sort(key=lambda row: (row["updatedAt"], row["rowId"]), reverse=sort.startswith("-"))
    assert ids == [row["id"] for row in fitting]


def test_there_is_something_to_put_in_order(world: World) -> None:
    """The catalogue above has several moments, several records of each, and deleted ones."""
    rows = world.database.rows(
        "SELECT updatedAt, COUNT(*) AS many, COUNT(deletedAt) AS gone FROM products GROUP BY 1"
    )

    assert len(rows) == len(MOMENTS) + 1
    assert all(row["many"] > 1 for row in rows)
    assert [row["gone"] for row in rows if row["gone"]] == [3]


def test_page_goes_on_where_it_was_while_a_sync_writes(world: World) -> None:
    """What changes meanwhile goes to the front; what was not shown yet and stays is not lost."""
    api = Api(world)
    url = "/api/products?sort=-updatedAt&includeDeleted=true&limit=20"
    first = api.call("GET", url).json
    shown = [one["id"] for one in first["products"]]
    _sync(world, MOMENTS[-1] + 2, {number: 9 if number < 10 else 1 for number in range(1, 61)})
    changed = {
        row["id"]
        for row in world.database.rows(
            "SELECT id FROM products WHERE updatedAt = :at", {"at": MOMENTS[-1] + 2}
        )
    }

    rest: list[str] = []
    following = first["next"]
    while following:
        page = api.call("GET", f"{url}&cursor={following}").json
        rest += [one["id"] for one in page["products"]]
        following = page["next"]

    everything = {row["id"] for row in world.database.rows("SELECT id FROM products")}
    assert len(set(rest)) == len(rest)
    assert not set(rest) & set(shown)
    assert everything - set(shown) - changed <= set(rest)


_ASKED: list[dict[str, Any]] = [
    {"is_descending": down, "with_deleted": deleted, "updated_since": since, "after": after}
    for down, deleted, since, after in product(
        (True, False), (True, False), (None, 5), (None, ("5", 5))
    )
]


@pytest.mark.parametrize("asked", _ASKED, ids=str)
def test_rows_are_read_for_the_page_alone(world: World, asked: dict[str, Any]) -> None:
    """The order comes out of an index; whole rows are looked up by number, a page of them."""
    statements: list[str] = []
    connection = world.database.connection()

    connection.set_trace_callback(statements.append)
    world.reading.records(RecordQuery(sort="updatedAt", **asked))
    connection.set_trace_callback(None)

    (statement,) = (one for one in statements if "ORDER BY" in one)
    plan = [row["detail"] for row in world.database.rows(f"EXPLAIN QUERY PLAN {statement}")]
    assert [one for one in plan if one.startswith("SCAN products")] == [
        "SCAN products USING COVERING INDEX idx_products_states"
    ]
    assert "SEARCH products USING INTEGER PRIMARY KEY (rowid=?)" in plan


def test_index_of_an_earlier_version_is_replaced(tmp_path: Path) -> None:
    """A file of the newest schema gets the index that lists need, and loses the one it had."""
    database = Database(tmp_path / "old.sqlite3")
    migrate(database, "main", [PRODUCTS])
    query = "SELECT name FROM sqlite_schema WHERE name LIKE 'idx_products_%' ORDER BY name"
    newest = [row[0] for row in database.rows(query)]
    with database.transaction() as connection:
        connection.execute("DROP INDEX idx_products_states")
        connection.execute(
            "CREATE INDEX idx_products_fingerprints ON products"
            "(rowId, sourceHash, contentHash, deletedAt, missingRuns)"
        )

    migrate(database, "main", [PRODUCTS])

    assert [row[0] for row in database.rows(query)] == newest
    assert "idx_products_states" in newest
    assert SqliteCatalogueReader(database, PRODUCTS).records(RecordQuery(sort="updatedAt")) == []
    database.close()
