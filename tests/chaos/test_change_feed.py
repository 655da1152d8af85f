"""A consumer that follows the change feed through a hundred syncs, many of them killed."""

from __future__ import annotations

import os
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
from chaos.test_crash_points import Fuse, TracedDatabase, own, trace
from support import FakeSource, World, record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_PRODUCTS = 60
_PAGE = 7


def as_told(records: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return records by their id, as the API tells them: how often one was missing is not told."""
    return {
        one["id"]: {name: value for name, value in one.items() if name != "missingRuns"}
        for one in records
    }


class Consumer:
    """Keeps a copy by the feed alone."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.copy: dict[str, Any] = {}
        self.seen: list[int] = []
        self._since = 0

    def step(self, world: World) -> bool:
        """Take one page; return whether it was the last one for now."""
        page = world.reading.changes_since(self._since, _PAGE)
        self.seen += [change["id"] for change in page.changes]
        self.copy |= as_told(page.records)
        self._since = page.cursor
        return page.is_last


def extract_of(chance: random.Random) -> Sequence[dict[str, object]]:
    """Return most of the products, a few of them changed."""
    present = [number for number in range(_PRODUCTS) if chance.random() > 0.03]
    return [record(number, minQty=chance.choice([1, 1, 1, 2, 3])) for number in present]


def sync_in_a_child(folder: Path, number: int, chance: random.Random) -> int:
    """Begin a sync in a child that may be killed on its way; return its process id."""
    records, fuse = extract_of(chance), Fuse(chance.choice([0, chance.randint(1, 150)]))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            source = FakeSource(page_size=20)
            source.records = records
            world = World(folder, source, open_database=TracedDatabase)
            epoch = own(world, f"process-{number}")
            world.history.interrupt_orphans(epoch, None)
            trace(world, fuse.burn)
            code = 0 if world.run().outcome == "completed" else 1
        finally:
            os._exit(code)
    return child


@pytest.mark.parametrize("syncs", [30, pytest.param(100, marks=pytest.mark.slow)])
def test_feed_never_skips_or_repeats(tmp_path: Path, seed: int, syncs: int) -> None:
    """Read while syncs commit and die, the feed gives each change once and the right copy."""
    chance, consumer = random.Random(seed), Consumer()
    source = FakeSource()
    world = World(tmp_path, source)
    ends = {0: 0, -signal.SIGKILL: 0}

    for number in range(syncs):
        child = sync_in_a_child(tmp_path, number, chance)
        ended = 0
        while not ended:
            consumer.step(world)
            ended, status = os.waitpid(child, os.WNOHANG)
        ends[os.waitstatus_to_exitcode(status)] += 1
    while not consumer.step(world):
        pass

    rows = world.database.rows("SELECT id FROM product_changes ORDER BY id")
    with world.reading.every_record(with_deleted=True) as records:
        shown = as_told(records)
    world.close()
    assert consumer.seen == [row["id"] for row in rows]
    assert consumer.copy == shown
    assert min(ends.values()) > syncs / 10, ends
