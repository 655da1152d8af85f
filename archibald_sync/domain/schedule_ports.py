"""What drives the schedule needs from outside: its row, the owner's lease, priority leases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.models import (
        Intent,
        IntentKind,
        IntentState,
        OwnerLease,
        PriorityLease,
        SchedulerState,
    )
    from archibald_sync.errors import StorageError


class Schedule(Protocol):
    """The durable state of a schedule, and what was asked of its owner."""

    def state(self) -> SchedulerState:
        """Return what the schedule is meant to be."""

    def begin(
        self, interval_minutes: int, next_due_at: int, changed_by: str | None, epoch: int
    ) -> None:
        """Mark the schedule as started."""

    def end(self, changed_by: str | None, epoch: int) -> None:
        """Mark the schedule as stopped: nothing is due."""

    def set_next_due(self, next_due_at: int, epoch: int) -> None:
        """Move the next due time of a started schedule; nothing where it is stopped."""

    def add_intent(
        self,
        kind: IntentKind,
        parameters: Mapping[str, object],
        requested_by: str | None,
        *,
        ttl_s: float | None,
        idempotency_key: str | None = None,
    ) -> Intent:
        """Record what is asked; the same ``idempotency_key`` gives the same intent back."""

    def intent(self, intent_id: int) -> Intent:
        """Return an intent.

        Raises:
            NotFoundError: There is none with this id.
        """

    def pending_intents(self) -> list[Intent]:
        """Return what nobody has carried out yet, the oldest first; expire the overdue."""

    def answer_intent(
        self, intent_id: int, state: IntentState, result: Mapping[str, object], epoch: int
    ) -> None:
        """Record what became of an intent."""

    def has_changed(self) -> bool:
        """Return whether another connection wrote since this thread last asked."""


class OwnerLeases(Protocol):
    """Who owns a resource."""

    def lease(self) -> OwnerLease | None:
        """Return the lease as it stands, live or not."""

    def is_live(self, lease: OwnerLease) -> bool:
        """Return whether ``lease`` has not expired on this boot."""

    def take(self, owner: str, ttl_s: float, *, has_flock: bool) -> int | None:
        """Take the lease under a new epoch; None where a live owner must be respected."""

    def renew(self, epoch: int, ttl_s: float, *, has_flock: bool | None = None) -> bool:
        """Prolong the lease; return False where ``epoch`` is over."""

    def release(self, epoch: int) -> None:
        """Let the lease expire now, if ``epoch`` still holds it."""

    def obstacle(self) -> StorageError | None:
        """Return what keeps everybody from writing a lease now, if anything does; never waits."""


class PriorityLeases(Protocol):
    """Claims by foreground work; kept apart, so that no sync can delay them."""

    def take(
        self, owner: str, reason: str, ttl_s: float, idempotency_key: str | None = None
    ) -> PriorityLease:
        """Take a lease for ``ttl_s`` seconds; the same key gives the one still held.

        Raises:
            KeyReusedError: That one was taken with other values.
        """

    def renew(self, lease_id: str, ttl_s: float) -> PriorityLease:
        """Prolong a lease to ``ttl_s`` seconds from now.

        Raises:
            NotFoundError: It is unknown, released or expired.
        """

    def release(self, lease_id: str) -> bool:
        """End a lease; return whether it was still held."""

    def held(self) -> list[PriorityLease]:
        """Return the leases in force, the oldest first."""
