"""Slots of the schedule that go by: none is made up for, none vanishes from the history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import FakeSource, SteppedClock, World, catalogue_of

from archibald_sync.domain.models import RunRequest, Trigger
from archibald_sync.errors import PermanentSourceError
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from archibald_sync.domain.ports import Control

MINUTE_MS = 60_000


@pytest.fixture
def clock() -> SteppedClock:
    """Return the clock of the service."""
    return SteppedClock()


@pytest.fixture
def service(tmp_path: Path, source: FakeSource, clock: SteppedClock) -> Iterator[World]:
    """Return a service whose schedule is due now, every 30 minutes."""
    source.records = catalogue_of(10)
    world = World(tmp_path, source, clock=clock)
    world.schedule.begin(30, clock.now_ms(), "ada", world.own())
    yield world
    world.close()


def test_run_within_its_interval_skips_nothing(
    service: World, source: FakeSource, clock: SteppedClock
) -> None:
    """A run that ends before the next slot moves the due time by one interval, and no more."""
    due, source.pause = clock.now_ms(), lasting(clock, 29)

    run_due(service, due)

    assert outcomes(service) == ["completed"]
    assert service.schedule.state().next_due_at == due + 30 * MINUTE_MS


def test_slots_gone_by_during_a_run_are_recorded(
    service: World, source: FakeSource, clock: SteppedClock
) -> None:
    """A run that outlasts its interval leaves one row for all slots that passed meanwhile."""
    due, source.pause = clock.now_ms(), lasting(clock, 65)

    run_due(service, due)

    assert outcomes(service) == ["completed", "skipped"]
    run, skipped = service.runs()
    assert said(skipped) == ("sync_in_progress", due + 60 * MINUTE_MS, "2 slots")
    assert str(run["id"]) in skipped["detail"]
    assert service.schedule.state().next_due_at == due + 90 * MINUTE_MS


def test_slots_before_and_during_a_run_are_told_apart(
    service: World, source: FakeSource, clock: SteppedClock
) -> None:
    """What went by while nobody was there has another reason than what the run outlasted."""
    due = clock.now_ms()
    clock.wall += 100 * MINUTE_MS
    source.pause = lasting(clock, 25)

    run_due(service, due, Trigger.CATCH_UP)

    assert outcomes(service) == ["completed", "skipped", "skipped"]
    assert [said(run) for run in service.runs()[1:]] == [
        ("not_driven", due + 90 * MINUTE_MS, "3 slots"),
        ("sync_in_progress", due + 120 * MINUTE_MS, "1 slot"),
    ]


def test_failed_run_records_the_slots_that_it_outlasted(
    service: World, source: FakeSource, clock: SteppedClock
) -> None:
    """The slots are recorded however the run ended."""
    due, source.pause = clock.now_ms(), lasting(clock, 31)
    source.failures = [PermanentSourceError("no", code="source_gone")]

    run_due(service, due)

    assert outcomes(service) == ["failed", "skipped"]


def test_manual_run_leaves_the_slots_alone(
    service: World, source: FakeSource, clock: SteppedClock
) -> None:
    """A run that somebody asked for serves no slot: what is due stays due."""
    due, source.pause = clock.now_ms(), lasting(clock, 65)

    service.run(request=RunRequest(Trigger.MANUAL, "ada"))

    assert outcomes(service) == ["completed"]
    assert service.schedule.state().next_due_at == due


def lasting(clock: SteppedClock, minutes: int) -> Callable[[Control], None]:
    """Return a pause for a source whose extract has one page: it takes so many minutes."""

    def pause(_control: Control) -> None:
        clock.wall += minutes * MINUTE_MS

    return pause


def run_due(service: World, due: int, trigger: Trigger = Trigger.SCHEDULE) -> None:
    """Run what was due at ``due``."""
    service.run(RunControl(), RunRequest(trigger, due_at=due))


def outcomes(service: World) -> list[str]:
    """Return how the runs ended, the oldest first."""
    return [run["outcome"] for run in service.runs()]


def said(run: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return what a skipped run says: its reason, its slot, and how many slots it stands for."""
    return run["reason"], run["dueAt"], run["detail"].partition(" skipped")[0]
