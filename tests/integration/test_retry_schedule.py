"""The plan's waits: three attempts wait 5 s and 10 s, four all of 5, 10 and 20 s."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import FakeSource, World, catalogue_of

from archibald_sync.domain.models import RunOutcome
from archibald_sync.errors import TransientSourceError
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from pathlib import Path

_DELAYS_S = (5.0, 10.0, 20.0)


class HastyControl(RunControl):
    """A control whose waits are written down rather than waited."""

    def __init__(self) -> None:
        """Begin without a wait."""
        super().__init__()
        self.waits_s: list[float] = []

    def wait(self, timeout_s: float) -> None:
        """Note the wait, and go on."""
        self.waits_s.append(timeout_s)


@pytest.mark.parametrize(
    ("attempts", "waits_s"),
    [(1, []), (2, [5]), (3, [5, 10]), (4, [5, 10, 20]), (6, [5, 10, 20, 20, 20])],
)
def test_waits_are_the_plans(
    tmp_path: Path,
    source: FakeSource,
    caplog: pytest.LogCaptureFixture,
    attempts: int,
    waits_s: list[float],
) -> None:
    """Each number of attempts has its waits; each attempt is a session, all logged."""
    caplog.set_level("INFO")
    world = World(tmp_path, source, delays_s=_DELAYS_S, max_attempts=attempts)
    source.failures = [TransientSourceError("down")] * attempts
    control = HastyControl()

    end = world.run(control)

    assert (end.outcome, end.attempts) == (RunOutcome.FAILED, attempts)
    assert control.waits_s == waits_s
    assert [s["attempt"] for s in world.sessions()] == list(range(1, attempts + 1))
    lines = [
        record.getMessage()
        for record in caplog.records
        if not record.getMessage().startswith("Attempt ")
    ]
    expected = []
    for number in range(1, attempts + 1):
        expected.append(f"Auto-sync failed (attempt {number})")
        if number < attempts:
            wait_ms = int(waits_s[number - 1] * 1000)
            expected.append(f"Retrying in {wait_ms}ms (attempt {number + 1}/{attempts})")
    assert lines == [*expected, "All retry attempts exhausted"]
    world.close()


@pytest.mark.parametrize(("asked_s", "waited_s"), [(2, 5), (30, 30), (9999, 120)])
def test_source_may_ask_for_a_longer_wait(
    tmp_path: Path, source: FakeSource, asked_s: float, waited_s: float
) -> None:
    """Retry-After prolongs a wait, never shortens it, and only up to two minutes."""
    world = World(tmp_path, source, delays_s=_DELAYS_S)
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("busy", retry_after_s=asked_s)]
    control = HastyControl()

    end = world.run(control)

    assert (end.outcome, control.waits_s) == (RunOutcome.COMPLETED, [waited_s])
    world.close()
