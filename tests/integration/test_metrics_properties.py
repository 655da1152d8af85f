"""Metrics over any past, with sessions long forgotten: to the last digit those of the plan."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from integration.test_storage import PLAN_METRICS
from support import SteppedClock

from archibald_sync.domain.models import SessionStatus
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.storage.connection import Database
from archibald_sync.storage.history import SqliteHistory
from archibald_sync.storage.migrate import migrate

if TYPE_CHECKING:
    from archibald_sync.domain.models import SyncMetrics

PLAN_TABLE = """
CREATE TABLE sync_sessions (
  id TEXT PRIMARY KEY, syncType TEXT NOT NULL, startedAt INTEGER NOT NULL,
  completedAt INTEGER, status TEXT NOT NULL
)
"""
PLAN_LAST = """
SELECT status FROM sync_sessions
WHERE syncType = 'products'
ORDER BY startedAt DESC
LIMIT 1
"""
_ENDS = st.sampled_from([one for one in SessionStatus if one is not SessionStatus.RUNNING])
# What the clock does between two moments: it may be set back, too.
_STEPS = st.integers(-100_000, 10_000_000)
_SESSIONS = st.tuples(_STEPS, st.integers(-5_000, 400_000), _ENDS)
_OTHERS = st.sampled_from(["products-dry", "customers"])
_PASTS = st.lists(
    st.one_of(
        _SESSIONS,
        st.tuples(st.just("prune"), st.integers(0, 9)),
        st.tuples(st.just("other"), _OTHERS),
    ),
    max_size=40,
)


class Past:
    """What happened: in our tables, and in the plan's own, which forgets nothing."""

    def __init__(self, folder: Path) -> None:
        """Begin with nothing."""
        self.clock = SteppedClock()
        self.database = Database(folder / "main.sqlite3")
        migrate(self.database, "main", [PRODUCTS])
        self.history = SqliteHistory(self.database, self.clock, "products")
        self.plan = sqlite3.connect(":memory:")
        self.plan.row_factory = sqlite3.Row
        self.plan.execute(PLAN_TABLE)
        self._began: set[int] = set()
        self._number = 0

    def close(self) -> None:
        """Close both."""
        self.plan.close()
        self.database.close()

    def begin(self, step_ms: int) -> str:
        """Begin a session; no two begin in the same millisecond, as their ids say."""
        self.clock.wall += step_ms
        while self.clock.wall in self._began:
            self.clock.wall += 1
        self._began.add(self.clock.wall)
        session_id = f"products-sync-{self.clock.wall}"
        self.history.create_sync_session(session_id)
        self.plan.execute(
            "INSERT INTO sync_sessions VALUES (?, 'products', ?, NULL, 'running')",
            (session_id, self.clock.wall),
        )
        return session_id

    def end(self, session_id: str, after_ms: int, status: SessionStatus) -> None:
        """End the session that runs."""
        self.clock.wall += after_ms
        self.history.complete_sync_session(session_id, status)
        self.plan.execute(
            "UPDATE sync_sessions SET completedAt = ?, status = ? WHERE id = ?",
            (self.clock.wall, status, session_id),
        )

    def prune(self, kept: int) -> None:
        """Forget all sessions but the newest ones, of which there is always one."""
        with self.database.transaction() as connection:
            connection.execute(
                "DELETE FROM sync_sessions WHERE syncType = 'products' AND id NOT IN (SELECT id "
                "FROM sync_sessions WHERE syncType = 'products' ORDER BY startedAt DESC LIMIT ?)",
                (kept + 1,),
            )

    def add_other(self, sync_type: str) -> None:
        """Write a session of something else, which counts nowhere here."""
        self._number += 1
        row = (f"other-{self._number}", sync_type, self.clock.wall, self.clock.wall + 5)
        sql = "INSERT INTO sync_sessions (id, syncType, startedAt, completedAt, status, syncMode)"
        with self.database.transaction() as connection:
            connection.execute(f"{sql} VALUES (?, ?, ?, ?, 'failed', 'auto')", row)  # our own text

    def as_planned(self) -> dict[str, Any]:
        """Return what the plan's own getSyncMetrics would return over everything that was."""
        stats = self.plan.execute(PLAN_METRICS).fetchone()
        last = self.plan.execute(PLAN_LAST).fetchone()
        total = stats["totalSyncs"]
        return {
            "total_syncs": total or 0,
            "successful_syncs": stats["successfulSyncs"] or 0,
            "failed_syncs": stats["failedSyncs"] or 0,
            "success_rate": stats["successfulSyncs"] / total * 100 if total > 0 else 0,
            "avg_duration_ms": stats["avgDurationMs"] or 0,
            "last_sync_at": stats["lastSyncAt"],
            "last_sync_status": last["status"] if last else None,
        }


def _require_planned(past: Past) -> None:
    shown: SyncMetrics = past.history.get_sync_metrics()
    known, newest = past.history.overview(10)

    assert {name: getattr(shown, name) for name in past.as_planned()} == past.as_planned()
    assert (known, newest) == (shown, past.history.sessions(10))


@settings(max_examples=60, deadline=None)
@given(steps=_PASTS, is_running=st.booleans())
def test_metrics_are_the_plans_whatever_was(steps: list[Any], is_running: bool) -> None:  # noqa: FBT001
    """Clocks set back, sessions forgotten at any moment, one still running: equal at each step."""
    with tempfile.TemporaryDirectory() as folder, closing(Past(Path(folder))) as past:
        for step in steps:
            if step[0] == "prune":
                past.prune(step[1])
            elif step[0] == "other":
                past.add_other(step[1])
            else:
                past.end(past.begin(step[0]), step[1], step[2])
            _require_planned(past)
        if is_running:
            past.begin(1)
            _require_planned(past)
