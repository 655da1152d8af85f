"""Failed logins, in a table that cannot grow without bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.access import Failures
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.clock import Clock
    from archibald_sync.storage.connection import Database

Q = load_queries("throttle")

MAX_SUBJECTS = 10_000
_COUNTED_MS = 24 * 3600 * 1000


class SqliteLoginFailures:
    """The failed logins of the last day."""

    def __init__(self, database: Database, clock: Clock, max_subjects: int = MAX_SUBJECTS) -> None:
        """Keep failures in ``database``, of at most ``max_subjects`` accounts and addresses."""
        self._database = database
        self._clock = clock
        self._max_subjects = max_subjects

    def of(self, kind: str, subject: str) -> Failures:
        """Return the failures of one subject that still count."""
        wanted = {"kind": kind, "subject": subject, "since": self._since()}
        row = self._database.row(Q["of"], wanted)
        return Failures(row["failures"], row["blockedUntil"]) if row else Failures()

    def add(self, kind: str, subject: str, wait_s: Callable[[int], int]) -> None:
        """Count one more failure; ``wait_s`` tells how long to wait after how many.

        Old failures are forgotten, and the least suspicious where there are too many.
        """
        now = self._clock.now_ms()
        with self._database.transaction() as connection:
            connection.execute(Q["prune"], {"since": self._since()})
            count = self.of(kind, subject).count + 1
            seconds = wait_s(count)
            kept = {
                "kind": kind,
                "subject": subject,
                "failures": count,
                "blockedUntil": now + seconds * 1000 if seconds else 0,
                "now": now,
            }
            connection.execute(Q["record"], kept)
            surplus = connection.execute(Q["count"]).fetchone()[0] - self._max_subjects
            if surplus > 0:
                connection.execute(Q["shrink"], {"surplus": surplus})

    def clear(self, kind: str, subject: str) -> None:
        """Forget the failures of one subject."""
        with self._database.transaction() as connection:
            connection.execute(Q["clear"], {"kind": kind, "subject": subject})

    def _since(self) -> int:
        return self._clock.now_ms() - _COUNTED_MS
