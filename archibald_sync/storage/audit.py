"""The audit log: what was done, by whom. Triggers keep it from being changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from archibald_sync.domain.access import Act, AuditEntry, AuditOutcome, CallerKind
from archibald_sync.domain.addresses import network_of
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    import sqlite3

    from archibald_sync.clock import Clock
    from archibald_sync.domain.access import AuditFilter
    from archibald_sync.storage.connection import Database

Q = load_queries("audit")

_NEWEST = 2**63 - 1  # the greatest integer of SQLite


class SqliteAuditLog:
    """The audit log of this instance."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep the log in ``database``."""
        self._database = database
        self._clock = clock

    def append(self, act: Act) -> None:
        """Write an act down."""
        written = {
            "at": self._clock.now_ms(),
            "actor": act.actor,
            "actorKind": act.kind,
            "action": act.action,
            "target": act.target,
            "outcome": act.outcome,
            "detail": _json(act),
            "address": act.address,
            "network": _network(act),
            "requestId": act.request_id,
        }
        with self._database.transaction() as connection:
            connection.execute(Q["append"], written)

    def has_recent(self, act: Act, since_at: int, most: int) -> bool:
        """Return whether the same refusal of the same caller stands there since an instant.

        The same caller comes from the same network. ``most`` others of the same action count
        as the same, too.
        """
        wanted = {
            "action": act.action,
            "actor": act.actor,
            "network": _network(act),
            "target": act.target,
            "detail": _json(act),
            "since": since_at,
            "most": most,
        }
        row = self._database.row(Q["has_recent"], wanted)
        return row is not None and row[0] == 1

    def entries(
        self, wanted: AuditFilter, limit: int, before_id: int | None = None
    ) -> list[AuditEntry]:
        """Return entries older than the entry ``before_id``, the newest first."""
        parameters = {
            # Not "NULL or less": that would read the log from its end for every page.
            "beforeId": _NEWEST if before_id is None else before_id,
            "actor": wanted.actor,
            "action": wanted.action,
            "target": wanted.target,
            "outcome": wanted.outcome,
            "since": wanted.since_at,
            "until": wanted.until_at,
            "hasRenewals": wanted.has_renewals,
            "limit": limit,
        }
        return [_entry(row) for row in self._database.rows(Q["entries"], parameters)]


def _network(act: Act) -> str | None:
    return network_of(act.address) if act.address else None


def _json(act: Act) -> str | None:
    return json.dumps(act.detail, ensure_ascii=False) if act.detail else None


def _entry(row: sqlite3.Row) -> AuditEntry:
    act = Act(
        action=row["action"],
        outcome=AuditOutcome(row["outcome"]),
        actor=row["actor"],
        kind=CallerKind(row["actorKind"]) if row["actorKind"] else None,
        target=row["target"],
        detail=json.loads(row["detail"]) if row["detail"] else None,
        address=row["address"],
        request_id=row["requestId"],
    )
    return AuditEntry(row["id"], row["at"], act)
