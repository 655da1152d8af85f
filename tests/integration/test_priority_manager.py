"""Priority from Python: held while a block works, waited for no longer than asked."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from support import FakeSource, SteppedClock, World, catalogue_of, wait_for

from archibald_sync.errors import InvalidInputError, RunCancelled, StorageBusyError
from archibald_sync.services.control import RunControl
from archibald_sync.services.priority import PriorityManager
from archibald_sync.storage.priority import SqlitePriorityLeases

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.models import PriorityLease
    from archibald_sync.domain.ports import Control


def test_hold_keeps_the_lease_while_the_block_works(world: World) -> None:
    """The lease is renewed inside the block, however long it takes, and ends with it."""
    with world.priority.hold("ada", "order 7", ttl_s=1) as lease:
        wait_for(lambda: world.priority.held()[0].expires_at > lease.expires_at + 100)
        assert [one.id for one in world.priority.held()] == [lease.id]

    assert world.priority.held() == []


def test_hold_ends_with_an_error_too(world: World) -> None:
    """An order that fails does not keep the sync away."""
    with pytest.raises(ZeroDivisionError), world.priority.hold("ada"):
        _ = 1 // 0

    assert world.priority.held() == []


def test_lease_released_by_an_admin_is_not_taken_anew(world: World) -> None:
    """Whose lease was taken away does not get it back by renewing."""
    with world.priority.hold("ada", ttl_s=1) as lease:
        assert world.priority.release(lease.id)
        wait_for(lambda: "priority-renewal" not in [t.name for t in threading.enumerate()])
        assert world.priority.held() == []


class BusyOnce(SqlitePriorityLeases):
    """Leases whose first renewal meets a busy database."""

    is_busy = True

    def renew(self, lease_id: str, ttl_s: float) -> PriorityLease:
        """Prolong a lease, from the second time on."""
        if self.is_busy:
            self.is_busy = False
            raise StorageBusyError("the database is busy")
        return super().renew(lease_id, ttl_s)


def test_a_busy_database_does_not_end_the_renewals(world: World) -> None:
    """A renewal that fails is made up for before the lease runs out."""
    leases = BusyOnce(world.priority_database, world.clock)
    with PriorityManager(leases, lambda: True).hold("ada", ttl_s=3) as lease:
        wait_for(lambda: world.priority.held()[0].expires_at > lease.expires_at + 100)

    assert not leases.is_busy


def test_quiet_is_waited_for_no_longer_than_asked(world: World, source: FakeSource) -> None:
    """`quiet` comes true when the run has given way, or the wait ends without it."""
    source.records = catalogue_of(10)
    gate, control = threading.Event(), RunControl()

    def hold_up(control: Control) -> None:
        with control.closing(gate.set):
            assert gate.wait(10)

    source.pause = hold_up
    with world.running(control):
        assert not world.priority.wait_until_quiet(0.1)
        timer = threading.Timer(0.2, control.stop, [RunCancelled("requested", "enough")])
        timer.start()
        assert world.priority.wait_until_quiet(5)
        timer.join()

    assert world.priority.is_quiet()
    with pytest.raises(InvalidInputError, match="waitSeconds"):
        world.priority.wait_until_quiet(11)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        *(({"owner": blank}, "owner") for blank in ("", " ", "\v\n", "\xa0", "\x1c", "\ufeff")),
        ({"owner": "x" * 201}, "owner"),
        ({"reason": "x" * 201}, "reason"),
        ({"ttl_s": 0}, "ttlSeconds"),
        ({"ttl_s": 601}, "ttlSeconds"),
    ],
)
def test_wrong_arguments_are_named(world: World, arguments: dict[str, object], field: str) -> None:
    """A lease needs an owner, and ends within ten minutes."""
    with pytest.raises(InvalidInputError, match=field):
        world.priority.take(**{"owner": "ada", "reason": "", **arguments})  # type: ignore[arg-type]
    assert world.priority.held() == []


class UnevenClock(SteppedClock):
    """A wall clock that is read a millisecond later each time."""

    def now_ms(self) -> int:
        """Return what the clock shows now."""
        self.wall += 1
        return self.wall


def status_id(world: World) -> str:
    """Return the id of the status, as a listener is told it."""
    with closing(world.feed.listen()) as listener:
        happening = listener.wait(20)
    assert happening is not None
    return happening.id


def test_end_of_a_lease_is_always_told_alike(tmp_path: Path, source: FakeSource) -> None:
    """Nothing has happened as long as a lease is held; a renewal is told, and a stepped clock."""
    clock = UnevenClock()
    world = World(tmp_path, source, clock=clock)
    world.own()
    lease = world.priority.take("orders", "order 7", 60)

    told = [world.priority.held()[0] for _ in range(3)]
    ids = {status_id(world) for _ in range(3)}
    clock.boot += 20_000
    clock.wall += 20_000
    renewed = world.priority.renew(lease.id, 60)
    again = world.priority.held()[0]
    clock.wall += 3_600_000
    stepped = world.priority.held()[0]

    assert told == [lease] * 3
    assert len(ids) == 1
    assert 20_000 <= renewed.expires_at - lease.expires_at < 20_100
    assert again == renewed
    assert 3_600_000 <= stepped.expires_at - renewed.expires_at < 3_600_100
    world.close()


def test_lease_of_an_earlier_version_has_an_end(world: World) -> None:
    """A lease that was taken while the service was renewed is told with its end."""
    lease = world.priority.take("orders", "order 7", 60)
    with world.priority_database.transaction() as connection:
        connection.execute("UPDATE priority_leases SET expiresAt = NULL")

    (held,) = world.priority.held()

    assert abs(held.expires_at - lease.expires_at) < 1000
