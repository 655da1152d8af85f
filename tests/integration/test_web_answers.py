"""Answers that are written straight from rows are those that their schemas describe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, record
from web_support import SYNC, Api

from archibald_sync.domain.models import Role, SyncMetrics
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.web import catalogue_schemas, sync_schemas
from archibald_sync.web.sync import metrics_body

if TYPE_CHECKING:
    from marshmallow import Schema

PRODUCTS_URL = "/api/products"
_RECORD = catalogue_schemas.record_schema(PRODUCTS)
_CHANGE = catalogue_schemas.change_schema(PRODUCTS)
ANSWERS: dict[str, type[Schema]] = {
    f"{SYNC}/history": sync_schemas.HistorySchema,
    f"{SYNC}/history?limit=1": sync_schemas.HistorySchema,
    PRODUCTS_URL: catalogue_schemas.page_schema(PRODUCTS, _RECORD),
    f"{PRODUCTS_URL}?includeDeleted=true&limit=2": catalogue_schemas.page_schema(PRODUCTS, _RECORD),
    f"{PRODUCTS_URL}?q=H1": catalogue_schemas.page_schema(PRODUCTS, _RECORD),
    f"{PRODUCTS_URL}?q=nothing": catalogue_schemas.page_schema(PRODUCTS, _RECORD),
    f"{PRODUCTS_URL}/000001K2": _RECORD,
    f"{PRODUCTS_URL}/000003K2": _RECORD,
    f"{PRODUCTS_URL}/000002K2/changes": catalogue_schemas.history_schema(PRODUCTS, _CHANGE),
    f"{PRODUCTS_URL}/changes?limit=3": catalogue_schemas.feed_schema(PRODUCTS, _CHANGE, _RECORD),
    f"{PRODUCTS_URL}/changes?limit=500": catalogue_schemas.feed_schema(PRODUCTS, _CHANGE, _RECORD),
    f"{PRODUCTS_URL}/variants?name=H1.104.023&quantity=5": catalogue_schemas.variants_schema(
        PRODUCTS, _RECORD
    ),
}


@pytest.fixture
def source() -> FakeSource:
    """Return a source that delivers values of each type, and leaves some out."""
    source = FakeSource()
    source.fields = (
        "id",
        "name",
        "packageContent",
        "multipleQty",
        "orderable",
        "stopped",
        "createdAtSource",
    )
    return source


def _one(number: int, **changes: object) -> dict[str, object]:
    return record(
        number,
        packageContent=number,
        multipleQty="2.50",
        orderable=number % 2 == 0,
        createdAtSource="2024-01-19T10:00:00",
        **changes,
    )


@pytest.fixture
def api(world: World) -> Api:
    """Return an API over a catalogue with changes, gaps and something deleted."""
    everything = [_one(number) for number in range(1, 60)]
    everything[0] |= {"multipleQty": "5", "orderable": True}
    everything[1] |= {"packageContent": None, "orderable": None, "multipleQty": None}
    changed = [*everything[:1], everything[1] | {"packageContent": 7}, *everything[3:]]
    for records in (everything, changed, changed):
        world.source.records = records
        assert world.run().outcome == "completed"
    world.index.catch_up()
    return Api(world)


def _same(answer: Any, dumped: Any) -> None:  # noqa: ANN401  # JSON
    """Require the same JSON, types and all: to Python 1, 1.0 and true are equal."""
    assert json.dumps(answer, sort_keys=True) == json.dumps(dumped, sort_keys=True)


@pytest.mark.parametrize("path", ANSWERS)
def test_answer_is_what_its_schema_makes_of_it(api: Api, path: str) -> None:
    """Not a key more or less, and no value of another type than the document says."""
    schema = ANSWERS[path]()
    answer = api.call("GET", path, Role.VIEWER)

    assert answer.status_code == 200
    _same(answer.json, schema.dump(answer.json))
    assert list(answer.json) == list(schema.fields)
    for member, field in schema.fields.items():
        for shown in answer.json[member] if isinstance(answer.json[member], list) else ():
            assert list(shown) == list(field.inner.schema.fields), member  # type: ignore[attr-defined]  # a list of nested ones


def test_there_is_something_to_compare(api: Api) -> None:
    """The answers above hold every type, nulls, a tombstone and a choice."""
    shown = [api.call("GET", path, Role.VIEWER).json for path in ANSWERS]
    text = json.dumps(shown)

    assert api.call("GET", f"{PRODUCTS_URL}/000003K2").json["deletedAt"] is not None
    assert api.call("GET", f"{PRODUCTS_URL}/000002K2").json["orderable"] is None
    assert shown[-1]["chosen"]["id"] == "000001K2"
    for value in ("true", "false", '"2.5"', '"2024-01-19T10:00:00"', '"updated"', '"deleted"'):
        assert value in text


@pytest.mark.parametrize(
    "metrics",
    [
        SyncMetrics(0, 0, 0, 0, 0, None, None),
        SyncMetrics(5, 4, 1, 80.0, 55000.0, 1_705_678_900_000, "completed"),
        SyncMetrics(3, 2, 1, 2 / 3 * 100, 0.5, 1, "running"),
        SyncMetrics(1, 1, 0, 100.0, 1e15, 1, "interrupted"),
    ],
)
def test_metrics_are_what_their_schema_makes_of_them(metrics: SyncMetrics) -> None:
    """By hand and by the schema, the plan's metrics are the same JSON."""
    _same(metrics_body(metrics), sync_schemas.MetricsSchema().dump(metrics))


def test_metrics_answer_is_what_its_schema_makes_of_it(api: Api) -> None:
    """Metrics and history in one answer hold what the document says."""
    answer = api.call("GET", f"{SYNC}/metrics", Role.VIEWER).json
    sessions = sync_schemas.SessionSchema(many=True)

    assert list(answer) == ["metrics", "history"]
    assert list(answer["metrics"]) == list(sync_schemas.MetricsSchema().fields)
    assert len(answer["history"]) == 3
    _same(answer["history"], sessions.dump(answer["history"]))
    assert {tuple(one) for one in answer["history"]} == {tuple(sessions.fields)}
