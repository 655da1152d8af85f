"""A run is told to end from any thread, and notices at once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from support import LateControl

from archibald_sync.domain.policy import SessionLimits
from archibald_sync.errors import DeadlineExceeded, Preempted, RunCancelled
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Callable

CANCELLED = RunCancelled("requested", "cancelled")


def test_stop_raises_at_the_next_checkpoint_and_closes_once() -> None:
    """A stop closes what the work is blocked on, and the first reason counts."""
    control, closed = RunControl(), []

    with control.closing(lambda: closed.append(1)):
        control.stop(CANCELLED)
        control.stop(RunCancelled("shutdown", "too late"))

    assert closed == [1]
    with pytest.raises(RunCancelled, match="cancelled"):
        control.checkpoint()


def test_closing_after_a_stop_closes_at_once() -> None:
    """Work that begins to block after the stop is closed all the same."""
    control, closed = RunControl(), []
    control.stop(CANCELLED)

    with control.closing(lambda: closed.append(1)):
        pass

    assert closed == [1]


def test_nothing_is_closed_after_the_block() -> None:
    """What has ended is left alone."""
    control, closed = RunControl(), []
    with control.closing(lambda: closed.append(1)):
        pass

    control.stop(CANCELLED)

    assert closed == []


def test_preemption_ends_one_session_only() -> None:
    """The reason takes the place of what it broke, and the next session may work."""
    control = RunControl()

    with pytest.raises(Preempted), control.session():
        control.preempt(Preempted("an order"))
        raise OSError("socket closed")

    control.checkpoint()
    with control.session():
        control.checkpoint()


def test_preemption_between_sessions_is_nothing() -> None:
    """Only work can be preempted."""
    control = RunControl()

    control.preempt(Preempted("an order"))

    control.checkpoint()
    assert control.stopped_by is None


@pytest.mark.parametrize(
    "stop",
    [
        lambda control: control.preempt(Preempted("an order")),
        lambda control: control.enforce(SessionLimits(deadline_s=-1)),
    ],
    ids=["lease", "deadline"],
)
@pytest.mark.parametrize("is_followed", [True, False])
def test_stop_of_a_session_that_has_ended_meanwhile_is_nothing(
    stop: Callable[[RunControl], None], *, is_followed: bool
) -> None:
    """What was decided about one session neither ends the run nor the session after it."""
    control = LateControl()
    first, second = control.session(), control.session()
    first.__enter__()

    def meanwhile() -> None:
        first.__exit__(None, None, None)
        if is_followed:
            second.__enter__()

    control.late_lock.meanwhile = meanwhile
    stop(control)

    control.checkpoint()
    assert control.stopped_by is None


def test_session_keeps_other_errors() -> None:
    """Without a stop an error is what it is."""
    control = RunControl()

    with pytest.raises(ValueError, match="mine"), control.session():
        raise ValueError("mine")


@pytest.mark.parametrize(
    "limits",
    [SessionLimits(deadline_s=-1), SessionLimits(no_progress_s=-1)],
)
def test_limits_are_enforced(limits: SessionLimits) -> None:
    """A session that runs too long, or without progress, is ended."""
    control = RunControl()
    control.enforce(limits)

    with pytest.raises(DeadlineExceeded), control.session():
        control.note_progress()
        control.enforce(SessionLimits())
        control.checkpoint()
        control.enforce(limits)
        control.checkpoint()


def test_wait_ends_at_once() -> None:
    """A wait ends when the retries are, and says that it was stopped."""
    control = RunControl()
    control.wait(0)
    timer = threading.Timer(0.05, control.end_retries)
    timer.start()

    with pytest.raises(RunCancelled) as stopped:
        control.wait(30)

    assert stopped.value.reason == "stopped"
    timer.join()


def test_wait_tells_why_the_run_was_stopped() -> None:
    """The reason of a stop comes out of the wait."""
    control = RunControl()
    control.stop(CANCELLED)

    with pytest.raises(RunCancelled) as stopped:
        control.wait(30)

    assert stopped.value.reason == "requested"
