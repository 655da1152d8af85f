"""Values that go back and forth: counted, sampled, logged, and never in the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from support import FakeSource, World, catalogue_of, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

FULL = catalogue_of(60)


def ran(world: World, source: FakeSource, name: str, **others: Any) -> Mapping[str, Any]:  # noqa: ANN401  # values of fields
    """Run with ``name`` for the first product; return the summary of the run."""
    source.records = [record(1, name=name, **others), *FULL[1:]]
    world.run()
    summary: Mapping[str, Any] = world.runs()[-1]["summary"]
    return summary


def test_value_that_goes_back_is_flagged(
    world: World, source: FakeSource, caplog: pytest.LogCaptureFixture
) -> None:
    """A, B, A over three runs is an oscillation; A, B, C is none, nor is another field."""
    ran(world, source, "A")
    assert ran(world, source, "B", minQty=2)["counts"]["oscillating"] == 0

    back = ran(world, source, " A ", minQty=3)
    forth = ran(world, source, "B", minQty=3)

    assert back["counts"]["oscillating"] == 1
    sample = {"id": "000001K2", "field": "name", "value": " A ", "between": "B"}
    assert back["oscillating"] == [sample]
    assert forth["counts"]["oscillating"] == 1
    messages = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert messages == ["Values change back and forth: 1"] * 2
    assert world.products()["000001K2"]["name"] == "B"


def test_run_in_between_ends_the_oscillation(world: World, source: FakeSource) -> None:
    """Only consecutive runs count: a value that stayed for a run was no accident."""
    for name in ("A", "B", "B"):
        ran(world, source, name)

    assert ran(world, source, "A")["counts"]["oscillating"] == 0


def test_samples_are_bounded(world: World, source: FakeSource) -> None:
    """Many oscillations leave twenty samples and the right count."""
    for name in ("A", "B", "A"):
        source.records = [record(n, name=name) for n in range(1, 61)]
        world.run()

    summary = world.runs()[-1]["summary"]
    assert (summary["counts"]["oscillating"], len(summary["oscillating"])) == (60, 20)
