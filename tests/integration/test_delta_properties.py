"""For any two extracts: applying the plan gives exactly the second, and the counts add up."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import FIELDS, FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import RunOutcome
from archibald_sync.domain.normalise import fold

KEYS = st.integers(1, 30).map(lambda number: f"{number:06d}K2")
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
RECORDS = st.fixed_dictionaries(
    {
        "id": KEYS,
        "name": TEXTS,
        "minQty": st.none() | st.integers(-10, 10_000),
        "stopped": st.none() | st.booleans(),
    }
)
EXTRACTS = st.lists(RECORDS, min_size=1, max_size=40, unique_by=lambda one: one["id"])
LOOSE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def as_stored(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return what counts of ``records``: text with its spaces folded, decimals as text."""

    def stored(name: str, value: Any) -> Any:  # noqa: ANN401  # values of any type
        if value is None or name == "id":
            return value
        if name == "name":
            return fold(value)
        return int(value) if name == "stopped" else str(value)

    return {one["id"]: {name: stored(name, one[name]) for name in FIELDS} for one in records}


def mirrored(world: World, source: FakeSource, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Run over ``records``; return the run's session."""
    source.records = records
    end = world.run()
    assert end.outcome is RunOutcome.COMPLETED, end
    return dict(world.sessions()[-1])


@LOOSE
@given(first=EXTRACTS, second=EXTRACTS, page_size=st.integers(1, 12))
def test_applied_plan_gives_the_second_extract(
    first: list[dict[str, Any]], second: list[dict[str, Any]], page_size: int
) -> None:
    """Rows of the second extract are exactly what is active, but for those missed once."""
    source = FakeSource(page_size)
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), source)
        try:
            mirrored(world, source, first)
            before = as_stored(first)
            session = mirrored(world, source, second)
            wanted = as_stored(second)
            missed = {key: row for key, row in before.items() if key not in wanted}

            assert folded(world) == wanted | missed
            changed = sum(before[key] != wanted[key] for key in before.keys() & wanted.keys())
            assert session["itemsCreated"] == len(wanted.keys() - before.keys())
            assert session["itemsUpdated"] == changed
            assert session["itemsMissing"] == len(missed)
            assert session["itemsUnchanged"] == len(before.keys() & wanted.keys()) - changed

            again = mirrored(world, source, second)
            assert folded(world) == wanted
            assert (again["itemsCreated"], again["itemsUpdated"]) == (0, 0)
            assert again["itemsDeleted"] == len(missed)

            back = mirrored(world, source, second + [r for r in first if r["id"] in missed])
            assert back["itemsRestored"] == len(missed)
            assert folded(world) == wanted | missed
            assert recorded(world) == set(world.products())
        finally:
            world.close()


def test_hundred_syncs_leave_the_columns_of_other_feeds(world: World, source: FakeSource) -> None:
    """Prices and VAT that another feed keeps are as they were, whatever becomes of the rows."""
    full = catalogue_of(60)
    source.records = full
    world.run()
    with world.database.transaction() as connection:
        connection.execute("UPDATE products SET vatGroup = rowId % 5, purchasePrice = rowId")
    query = "SELECT id, vatGroup, purchasePrice FROM products ORDER BY rowId"
    before = [tuple(row) for row in world.database.rows(query)]

    for number in range(100):
        # Each run changes some rows, misses some, and gets back what it deleted.
        missed = (number // 3) % 4
        changed = [record(n, name=f"name {number}") for n in range(50, 61)]
        source.records = [*full[missed:49], *changed]
        assert world.run().outcome is RunOutcome.COMPLETED, number

    assert [tuple(row) for row in world.database.rows(query)] == before
    kinds = {change[1] for change in world.changes()}
    assert kinds == {"created", "updated", "deleted", "restored"}


def folded(world: World) -> dict[str, dict[str, Any]]:
    """Return the active products as they are compared: spaces folded."""
    return {key: {**row, "name": fold(row["name"])} for key, row in world.products().items()}


def recorded(world: World) -> set[str]:
    """Return the ids that the change log alone says are active."""
    active: set[str] = set()
    for key, change, field, old, new in world.changes():
        if change in {"created", "restored", "renamed"}:
            active.add(key)
        elif change == "deleted":
            active.discard(key)
        else:
            assert old != new
            assert field in FIELDS
    return active
