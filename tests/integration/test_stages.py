"""How long each stage of a session took, however the session ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import FakeSource, World, catalogue_of

from archibald_sync.domain.models import RunRequest, Stage, Trigger
from archibald_sync.errors import (
    PermanentSourceError,
    Preempted,
    RunCancelled,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.services.stages import StageTimes

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.domain.ports import Control


def _complete(world: World, source: FakeSource) -> None:
    source.records = catalogue_of(3)
    world.run()


def _fail(world: World, source: FakeSource) -> None:
    source.failures = [PermanentSourceError("no such list")]
    world.run()


def _hold(world: World, _source: FakeSource) -> None:
    world.run()


def _cancel(world: World, source: FakeSource) -> None:
    def stop(control: Control) -> None:
        assert isinstance(control, RunControl)
        control.stop(RunCancelled("requested", "cancelled by ada"))

    source.pause = stop
    world.run()


def _shut_down(world: World, source: FakeSource) -> None:
    def stop(control: Control) -> None:
        assert isinstance(control, RunControl)
        control.stop(RunCancelled("shutdown", "the service shut down"))

    source.pause = stop
    world.run()


def _dry(world: World, source: FakeSource) -> None:
    source.records = catalogue_of(3)
    world.run(request=RunRequest(Trigger.MANUAL, is_dry_run=True))


def _short_cut(world: World, source: FakeSource) -> None:
    source.records, source.validator = catalogue_of(3), "v1"
    world.run()
    world.run()


def _roll_back(world: World, source: FakeSource) -> None:
    _complete(world, source)
    undone = world.sessions()[-1]["id"]
    world.run(request=RunRequest(Trigger.ROLLBACK, rolls_back=undone))


@pytest.mark.parametrize(
    ("case", "status", "stages"),
    [
        (_complete, "completed", ["download", "plan", "apply"]),
        (_fail, "failed", ["download"]),
        (_hold, "held", ["download", "plan", "apply"]),
        (_cancel, "cancelled", ["download"]),
        (_shut_down, "interrupted", ["download"]),
        (_short_cut, "completed", ["download"]),
        (_roll_back, "completed", ["apply"]),
    ],
)
def test_every_session_says_how_long_its_stages_took(
    world: World,
    source: FakeSource,
    case: Callable[[World, FakeSource], None],
    status: str,
    stages: list[str],
) -> None:
    """However it ended, a session has the milliseconds of each stage that it came to."""
    case(world, source)

    session = world.sessions()[-1]
    took = session["completedAt"] - session["startedAt"]
    assert (session["status"], list(session["stageMs"])) == (status, stages)
    assert all(isinstance(one, int) and one >= 0 for one in session["stageMs"].values())
    # Each is rounded by itself.
    assert sum(session["stageMs"].values()) <= took + len(stages) + 1


def test_dry_run_has_its_stages(world: World, source: FakeSource) -> None:
    """A plan that is only looked at took its time, too."""
    _dry(world, source)

    (session,) = world.overview.runs(1)[0]["sessions"]
    assert list(session["stageMs"]) == ["download", "plan", "apply"]


def test_each_attempt_has_its_own_times(world: World, source: FakeSource) -> None:
    """The second attempt does not begin with what the first one took."""
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("cut off")]
    world.run()

    first, second = world.sessions()
    assert list(first["stageMs"]) == ["download"]
    assert list(second["stageMs"]) == ["download", "plan", "apply"]


def test_session_that_gave_way_has_its_times(world: World, source: FakeSource) -> None:
    """An order that goes first loses nothing of what is known."""
    source.records = catalogue_of(3)

    def give_way(control: Control) -> None:
        assert isinstance(control, RunControl)
        source.pause = lambda _control: None
        control.preempt(Preempted("an order"))

    source.pause = give_way
    world.run()

    assert [list(one["stageMs"]) for one in world.sessions()] == [
        ["download"],
        ["download", "plan", "apply"],
    ]


def test_source_says_what_it_does(world: World, source: FakeSource) -> None:
    """A login and a parsing are told apart from the download, in the times and on the way."""
    source.records = catalogue_of(120)
    stages = iter([Stage.LOGIN, Stage.DOWNLOAD, Stage.PARSE])
    seen: list[object] = []

    def say(control: Control) -> None:
        running = world.history.running_session()
        assert running is not None
        seen.append(running["stage"])
        control.enter(next(stages))

    source.pause = say
    world.run()

    assert list(world.sessions()[-1]["stageMs"]) == ["download", "login", "parse", "plan", "apply"]
    assert seen[:2] == ["download", "login"]


def test_stage_that_is_entered_again_goes_on() -> None:
    """Two logins of one session count as one stage."""
    moments = iter([0.0, 1.0, 1.5, 4.0])
    times = StageTimes(lambda: next(moments))
    times.enter(Stage.LOGIN)
    times.enter(Stage.DOWNLOAD)
    times.enter(Stage.LOGIN)

    assert times.in_ms() == {"login": 3500, "download": 500}
