"""What a schedule is meant to be, and what its owner was asked to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import Intent, IntentKind, IntentState, SchedulerState
from archibald_sync.domain.policy import SchedulePolicy
from archibald_sync.errors import NotFoundError
from archibald_sync.storage.fence import check_epoch
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from archibald_sync.clock import Clock
    from archibald_sync.storage.connection import Database

Q = load_queries("schedule")

_ANSWERS_KEPT_MS = 7 * 24 * 3600 * 1000


class SqliteSchedule:
    """The schedule of one resource."""

    def __init__(self, database: Database, clock: Clock, resource: str) -> None:
        """Keep the schedule of ``resource`` in ``database``."""
        self._database = database
        self._clock = clock
        self._resource = resource

    def state(self) -> SchedulerState:
        """Return what the schedule is meant to be; stopped where nobody ever said."""
        row = self._database.row(Q["state"], {"resource": self._resource})
        if row is None:
            return SchedulerState(
                is_started=False,
                interval_minutes=SchedulePolicy().interval_minutes,
                next_due_at=None,
                changed_at=0,
                changed_by=None,
            )
        return SchedulerState(
            is_started=row["desired"] == "started",
            interval_minutes=row["intervalMinutes"],
            next_due_at=row["nextDueAt"],
            changed_at=row["changedAt"],
            changed_by=row["changedBy"],
        )

    def begin(
        self, interval_minutes: int, next_due_at: int, changed_by: str | None, epoch: int
    ) -> None:
        """Mark the schedule as started, first due at ``next_due_at``.

        Raises:
            Fenced: ``epoch`` is over.
        """
        self._put("started", interval_minutes, next_due_at, changed_by, epoch)

    def end(self, changed_by: str | None, epoch: int) -> None:
        """Mark the schedule as stopped; its interval is kept for the next start.

        Raises:
            Fenced: ``epoch`` is over.
        """
        self._put("stopped", self.state().interval_minutes, None, changed_by, epoch)

    def set_next_due(self, next_due_at: int, epoch: int) -> None:
        """Move the next due time of a started schedule; nothing where it is stopped.

        Raises:
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            parameters = {"resource": self._resource, "nextDueAt": next_due_at}
            connection.execute(Q["set_next_due"], parameters)

    def add_intent(
        self,
        kind: IntentKind,
        parameters: Mapping[str, object],
        requested_by: str | None,
        *,
        ttl_s: float | None,
        idempotency_key: str | None = None,
    ) -> Intent:
        """Record what is asked; the same ``idempotency_key`` gives the same intent back.

        Args:
            kind: What is asked.
            parameters: Its details, fit for JSON.
            requested_by: Who asks.
            ttl_s: After how many seconds it is void if nobody has carried it out;
                None means never.
            idempotency_key: What makes a repetition of the request recognisable.
        """
        now = self._clock.now_ms()
        with self._database.transaction() as connection:
            row = connection.execute(
                Q["insert_intent"],
                {
                    "resource": self._resource,
                    "kind": kind,
                    "parameters": json.dumps(parameters),
                    "requestedBy": requested_by,
                    "requestedAt": now,
                    "expiresAt": None if ttl_s is None else now + int(ttl_s * 1000),
                    "idempotencyKey": idempotency_key,
                },
            ).fetchone()
            if row is not None:
                return self.intent(row["id"])
            key = {"resource": self._resource, "idempotencyKey": idempotency_key}
            return _intent(connection.execute(Q["intent_by_key"], key).fetchone())

    def intent(self, intent_id: int) -> Intent:
        """Return an intent.

        Raises:
            NotFoundError: There is none with this id.
        """
        row = self._database.row(Q["intent"], {"resource": self._resource, "id": intent_id})
        if row is None:
            raise NotFoundError(f"no intent {intent_id}")
        return _intent(row)

    def pending_intents(self) -> list[Intent]:
        """Return what nobody has carried out yet, the oldest first."""
        rows = self._database.rows(Q["pending_intents"], {"resource": self._resource})
        return [_intent(row) for row in rows]

    def answer_intent(
        self, intent_id: int, state: IntentState, result: Mapping[str, object], epoch: int
    ) -> None:
        """Record what became of an intent, and forget answers of long ago.

        Raises:
            Fenced: ``epoch`` is over.
            NotFoundError: It was answered before.
        """
        now = self._clock.now_ms()
        answer: dict[str, Any] = {
            "resource": self._resource,
            "id": intent_id,
            "state": state,
            "result": json.dumps(result),
            "now": now,
            "epoch": epoch,
        }
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            if not connection.execute(Q["answer_intent"], answer).rowcount:
                raise NotFoundError(f"no pending intent {intent_id}")
            old = {"resource": self._resource, "before": now - _ANSWERS_KEPT_MS}
            connection.execute(Q["prune_intents"], old)

    def has_changed(self) -> bool:
        """Return whether another connection wrote since this thread last asked."""
        return self._database.has_changed()

    def _put(
        self,
        desired: str,
        interval_minutes: int,
        next_due_at: int | None,
        changed_by: str | None,
        epoch: int,
    ) -> None:
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            connection.execute(
                Q["put_state"],
                {
                    "resource": self._resource,
                    "desired": desired,
                    "intervalMinutes": interval_minutes,
                    "nextDueAt": next_due_at,
                    "changedAt": self._clock.now_ms(),
                    "changedBy": changed_by,
                },
            )


def _intent(row: sqlite3.Row) -> Intent:
    return Intent(
        id=row["id"],
        kind=IntentKind(row["kind"]),
        parameters=json.loads(row["parameters"]),
        requested_by=row["requestedBy"],
        requested_at=row["requestedAt"],
        expires_at=row["expiresAt"],
        state=IntentState(row["state"]),
        result=json.loads(row["result"]) if row["result"] else None,
    )
