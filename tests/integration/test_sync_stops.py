"""Runs that are told to end, or may not begin: by a claim, an admin, a lease, another owner."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from support import FakeSource, LateControl, World, catalogue_of, wait_for

from archibald_sync.domain.models import RunOutcome
from archibald_sync.errors import (
    Fenced,
    Preempted,
    RunCancelled,
    SyncInProgressError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.ports import Control


def test_second_claim_is_refused(world: World) -> None:
    """While a run works no other can be claimed, and the refusal names it."""
    claim = world.claim()

    with pytest.raises(SyncInProgressError) as refusal:
        world.claim()

    assert refusal.value.run_id == claim.run_id


def test_cancelled_run_stops_at_its_next_checkpoint(world: World, source: FakeSource) -> None:
    """A cancelled run writes nothing and says who cancelled it."""
    source.records = catalogue_of(120)
    control = RunControl()
    source.pause = lambda _control: control.stop(RunCancelled("requested", "cancelled by ada"))

    end = world.run(control)

    assert (end.outcome, end.reason) == (RunOutcome.CANCELLED, "requested")
    assert world.sessions()[0]["status"] == "cancelled"
    assert world.products() == {}


def test_shutdown_interrupts_and_leaves_the_run_due(world: World, source: FakeSource) -> None:
    """A run that the shutdown cut short is interrupted, and its slot stays due."""
    source.records = catalogue_of(120)
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() - 1000, None, epoch)
    due = world.schedule.state().next_due_at
    control = RunControl()
    source.pause = lambda _control: control.stop(RunCancelled("shutdown", "shut down"))

    end = world.run(control)

    assert (end.outcome, end.reason) == (RunOutcome.INTERRUPTED, "shutdown")
    assert world.schedule.state().next_due_at == due


def test_stop_ends_the_wait_between_attempts(tmp_path: Path, source: FakeSource) -> None:
    """No further attempt begins after a stop, and the wait for it ends at once."""
    world = World(tmp_path, source, delays_s=(60.0,))
    source.failures = [TransientSourceError("down")]
    control = RunControl()

    with world.running(control) as ends:
        wait_for(lambda: [s["status"] for s in world.sessions()] == ["failed"])
        control.end_retries()

    assert (ends[0].outcome, ends[0].reason) == (RunOutcome.CANCELLED, "stopped")
    assert source.extracts == 1
    world.close()


def test_fenced_run_writes_nothing(world: World, source: FakeSource) -> None:
    """Once another process owns the resource, the former owner's run leaves no trace."""
    source.records = catalogue_of(120)

    def lose_ownership(_control: Control) -> None:
        world.owner.release(world.own())
        world.owner.take("other", 60, has_flock=True)
        source.pause = lambda _control: None

    source.pause = lose_ownership

    end = world.run()

    assert (end.outcome, end.reason) == (RunOutcome.INTERRUPTED, "fenced")
    assert world.products() == {}
    assert world.sessions()[0]["status"] == "running"
    lease = world.owner.lease()
    assert lease is not None
    assert world.history.interrupt_orphans(lease.epoch, None) == [world.runs()[0]["id"]]
    assert world.sessions()[0]["status"] == "interrupted"
    with pytest.raises(Fenced):
        world.history.interrupt_orphans(lease.epoch - 1, None)


def test_priority_lease_preempts_and_the_run_goes_on_after_it(
    world: World, source: FakeSource
) -> None:
    """A lease ends the session as cancelled; the run works again once it is released."""
    source.records = catalogue_of(120)
    control = RunControl()
    lease = world.priority.take("ada", "order 17")
    world.priority.release(lease.id)

    def order_comes(_control: Control) -> None:
        source.pause = lambda _control: None
        taken = world.priority.take("ada", "order 17")
        world.sync.supervise(control)
        orders.append(taken.id)

    orders: list[str] = []
    source.pause = order_comes
    with world.running(control) as ends:
        wait_for(lambda: [s["status"] for s in world.sessions()] == ["cancelled"])
        assert world.monitoring.is_quiet()
        assert world.sessions()[0]["errorCode"] == "priority"
        world.priority.release(orders[0])

    assert (ends[0].outcome, ends[0].attempts, ends[0].detail) == (RunOutcome.COMPLETED, 1, None)
    assert [s["status"] for s in world.sessions()] == ["cancelled", "completed"]
    assert len(world.products()) == 120


def test_lease_noticed_as_an_attempt_fails_does_not_end_the_run(
    world: World, source: FakeSource
) -> None:
    """The order is over before the next attempt: that one is made as if there had been none."""
    source.records = catalogue_of(120)
    source.failures = [TransientSourceError("down")]
    control, is_noticed, is_over = LateControl(), threading.Event(), threading.Event()

    def supervise() -> None:
        world.sync.supervise(control)
        world.close_connections()

    def order_goes_on() -> None:
        is_noticed.set()
        assert is_over.wait(20)

    def order_comes(_control: Control) -> None:
        source.pause = lambda _control: None
        orders.append(world.priority.take("ada", "order 17").id)
        control.late_lock.meanwhile = order_goes_on
        supervisor.start()
        assert is_noticed.wait(20)

    def order_is_done(_timeout_s: float) -> None:
        world.priority.release(orders[0])
        is_over.set()
        supervisor.join(20)

    orders: list[str] = []
    supervisor = threading.Thread(target=supervise)
    source.pause = order_comes
    control.wait = order_is_done  # type: ignore[assignment, method-assign]

    end = world.run(control)

    assert (end.outcome, end.attempts) == (RunOutcome.COMPLETED, 2)
    assert [s["status"] for s in world.sessions()] == ["failed", "completed"]


def test_lease_taken_while_applying_rolls_back(world: World, source: FakeSource) -> None:
    """A run that is already writing gives way too: its transaction is rolled back."""
    source.records = catalogue_of(1200)
    control = RunControl()
    checks = 0
    original = control.checkpoint

    def checkpoint() -> None:
        nonlocal checks
        in_apply = world.database.connection().in_transaction
        checks += in_apply
        if in_apply and checks == 2:
            control.preempt(Preempted("an order"))
        original()

    control.checkpoint = checkpoint  # type: ignore[method-assign]

    end = world.run(control)

    assert end.outcome is RunOutcome.COMPLETED
    assert [s["status"] for s in world.sessions()] == ["cancelled", "completed"]
    assert len([c for c in world.changes() if c[1] == "created"]) == 1200
