"""Logins that failed or are under way, in a table that cannot grow without bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.access import Failures
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping

    from archibald_sync.clock import Clock
    from archibald_sync.domain.access import Patience
    from archibald_sync.storage.connection import Database

Q = load_queries("throttle")

MAX_SUBJECTS = 10_000
_COUNTED_MS = 24 * 3600 * 1000
_UNDER_WAY_MS = 15_000  # longer than one waits for a password to be looked at
_AT_ONCE_WAIT_S = 1  # while others are under way: by then it is known how they ended


class SqliteLoginFailures:
    """The failed logins of the last day, and those under way."""

    def __init__(self, database: Database, clock: Clock, max_subjects: int = MAX_SUBJECTS) -> None:
        """Keep failures in ``database``, of at most ``max_subjects`` accounts and addresses."""
        self._database = database
        self._clock = clock
        self._max_subjects = max_subjects

    def of(self, kind: str, subject: str) -> Failures:
        """Return what still counts against one subject."""
        now = self._clock.now_ms()
        row = self._database.row(
            Q["of"], {"kind": kind, "subject": subject, "since": self._since()}
        )
        if row is None:
            return Failures()
        # Later than it can be: the clock was set back.
        is_under_way = now < row["underWayUntil"] <= now + _UNDER_WAY_MS
        return Failures(
            row["failures"], row["blockedUntil"], row["underWay"] if is_under_way else 0
        )

    def begin(self, subjects: Mapping[str, str], patience: Mapping[str, Patience]) -> int:
        """Count a login as under way, unless one must wait; return for how many seconds.

        Old failures are forgotten, and the least suspicious where there are too many.
        """
        wait_s = self._wait_s(subjects, patience)
        if wait_s:
            return wait_s  # whoever must wait costs no transaction
        with self._database.transaction() as connection:
            connection.execute(Q["prune"], {"since": self._since()})
            wait_s = self._wait_s(subjects, patience)
            if not wait_s:
                for kind, subject in subjects.items():
                    self._begin(connection, kind, subject)
                self._shrink(connection)
        return wait_s

    def end(
        self, subjects: Mapping[str, str], patience: Mapping[str, Patience], *, has_failed: bool
    ) -> None:
        """Say that a login that was under way has ended, and whether it counts as a failure."""
        with self._database.transaction() as connection:
            for kind, subject in subjects.items():
                if has_failed:
                    self._fail(connection, kind, subject, patience[kind])
                else:
                    named = {"kind": kind, "subject": subject}
                    connection.execute(Q["end"], named)
                    connection.execute(Q["forget_blameless"], named)
            if has_failed:
                self._shrink(connection)

    def clear(self, kind: str, subject: str) -> None:
        """Forget the failures of one subject."""
        named = {"kind": kind, "subject": subject}
        with self._database.transaction() as connection:
            connection.execute(Q["clear"], named)
            connection.execute(Q["forget_blameless"], named)

    def _wait_s(self, subjects: Mapping[str, str], patience: Mapping[str, Patience]) -> int:
        now = self._clock.now_ms()
        return max(
            _wait_s(self.of(kind, subject), patience[kind], now)
            for kind, subject in subjects.items()
        )

    def _begin(self, connection: sqlite3.Connection, kind: str, subject: str) -> None:
        now = self._clock.now_ms()
        begun = {
            "kind": kind,
            "subject": subject,
            "now": now,
            "underWay": self.of(kind, subject).under_way,
            "until": now + _UNDER_WAY_MS,
        }
        connection.execute(Q["begin"], begun)

    def _fail(
        self, connection: sqlite3.Connection, kind: str, subject: str, patience: Patience
    ) -> None:
        now = self._clock.now_ms()
        count = self.of(kind, subject).count + 1
        seconds = patience.wait_s(count)
        failed = {
            "kind": kind,
            "subject": subject,
            "failures": count,
            "blockedUntil": now + seconds * 1000 if seconds else 0,
            "now": now,
        }
        connection.execute(Q["fail"], failed)

    def _shrink(self, connection: sqlite3.Connection) -> None:
        surplus = connection.execute(Q["count"]).fetchone()[0] - self._max_subjects
        if surplus > 0:
            connection.execute(Q["shrink"], {"surplus": surplus})

    def _since(self) -> int:
        return self._clock.now_ms() - _COUNTED_MS


def _wait_s(known: Failures, patience: Patience, now: int) -> int:
    """Return how many seconds somebody must wait against whom so much is known."""
    left_ms = known.blocked_until_at - now
    # Longer than the longest: the clock was set back, and nobody need wait for it.
    if 0 < left_ms <= patience.longest_s * 1000:
        return -(-left_ms // 1000)
    # Should all that are under way fail, one must wait after them.
    if known.under_way and patience.wait_s(known.count + known.under_way):
        return _AT_ONCE_WAIT_S
    return 0
