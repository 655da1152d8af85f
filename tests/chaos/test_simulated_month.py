"""Weeks in seconds: the real driver under a clock that the test moves."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import psutil
import pytest
import time_machine
from chaos.stepping import SimulatedService, SteppingScheduler
from support import catalogue_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import FakeSource

# Rome's rules in the form that needs no database of time zones.
_ROME, _ROME_NAMES = "CET-1CEST,M3.5.0,M10.5.0/3", ("CET", "CEST")
_SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
_AUTUMN = datetime(2026, 10, 25, 1, tzinfo=UTC)
_DAY, _INTERVAL_MS, _HOUR_MS = timedelta(days=1), 1_800_000, 3_600_000


@pytest.fixture
def _in_rome(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give this process a time zone with summer time."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", _ROME)
        time.tzset()
        yield
    time.tzset()


@dataclass(frozen=True)
class Burden:
    """What this process holds."""

    threads: int
    files: int
    memory_mb: float

    @classmethod
    def now(cls) -> Burden:
        """Measure it."""
        gc.collect()  # SQLite's connections are parts of cycles
        process = psutil.Process()
        memory_mb = process.memory_info().rss / 1e6
        return cls(process.num_threads(), process.num_fds(), memory_mb)


def check_days(folder: Path, source: FakeSource, begin: datetime, days: int) -> None:
    """Let ``days`` pass, a new owner each day; check that each slot had its one run."""
    source.records = catalogue_of(3)
    with (
        # A date would bring its own time zone along.
        time_machine.travel(begin.timestamp(), tick=False) as traveller,
        SimulatedService(folder, source, traveller) as service,
    ):
        assert time.tzname == _ROME_NAMES
        burdens = []
        for day in range(1, days + 1):
            service.pass_until(begin + day * _DAY)
            service.replace_owner()
            burdens.append(Burden.now())
        runs = service.world.history.last_runs(2 * days * 48)[::-1]
        sessions = service.world.history.sessions(2 * days * 48)

    assert [run["outcome"] for run in runs] == ["completed"] * days * 48
    assert [session["status"] for session in sessions] == ["completed"] * days * 48
    assert source.extracts == days * 48
    dues = [run["dueAt"] for run in runs]
    assert {later - due for due, later in pairwise(dues)} == {_INTERVAL_MS}
    assert {run["latenessMs"] < 1000 for run in runs} == {True}
    _check_burden(burdens[0], burdens[-1])


def _check_burden(first: Burden, last: Burden) -> None:
    assert last.threads <= first.threads
    # A connection has a few files, opened when its thread first needs it: not one a run.
    assert last.files <= first.files + 8
    assert last.memory_mb < first.memory_mb + 20


@pytest.mark.usefixtures("_in_rome")
@pytest.mark.parametrize("change", [_SPRING, _AUTUMN], ids=["spring", "autumn"])
def test_change_of_summer_time_costs_and_doubles_no_run(
    tmp_path: Path, source: FakeSource, change: datetime
) -> None:
    """Two days around the change have 96 runs, half an hour apart."""
    check_days(tmp_path, source, change - _DAY, days=2)


@pytest.mark.slow
@pytest.mark.usefixtures("_in_rome")
@pytest.mark.parametrize("change", [_SPRING, _AUTUMN], ids=["spring", "autumn"])
def test_thirty_days_have_1440_runs(tmp_path: Path, source: FakeSource, change: datetime) -> None:
    """A month with a change of summer time: every half hour one run, and nothing grows."""
    check_days(tmp_path, source, change - 15 * _DAY, days=30)


@pytest.mark.parametrize("hours", [2, -2, 1, -1])
def test_step_of_the_wall_clock_loses_and_doubles_nothing(
    tmp_path: Path, source: FakeSource, hours: int
) -> None:
    """Before and after a step of hours the runs are half an hour apart in real time."""
    source.records = catalogue_of(3)
    begin, step = datetime(2026, 5, 1, tzinfo=UTC), timedelta(hours=hours)
    with (
        time_machine.travel(begin, tick=False) as traveller,
        SimulatedService(tmp_path, source, traveller) as service,
    ):
        service.pass_until(begin + timedelta(hours=3, minutes=10))
        before, due = service.world.runs(), service.due_at

        service.step_wall_clock(step)

        shifted = due + hours * _HOUR_MS
        wait_for(lambda: service.due_at == shifted)
        service.pass_until(begin + step + timedelta(hours=6, minutes=10))
        runs = service.world.runs()

    assert len(before) == 7
    assert [run["outcome"] for run in runs] == ["completed"] * 13
    assert [run["dueAt"] for run in runs[:7]] == [due - n * _INTERVAL_MS for n in range(7, 0, -1)]
    assert [run["dueAt"] for run in runs[7:]] == [shifted + n * _INTERVAL_MS for n in range(6)]


def test_job_that_uses_up_the_time_of_its_test_fails_it() -> None:
    """What ends a test that hangs is not taken for the failure of a job."""
    scheduler = SteppingScheduler()
    scheduler.start()
    scheduler.add_job(pytest.fail, args=("Timeout",))

    with pytest.raises(pytest.fail.Exception, match="Timeout"):
        scheduler.run_what_is_due()
    scheduler.shutdown()
