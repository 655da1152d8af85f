"""The audit log: what was done and tried, by whom, from where."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.access import AuditOutcome

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archibald_sync.clock import Clock
    from archibald_sync.domain.access import Act, AuditEntry, AuditFilter
    from archibald_sync.domain.access_ports import AuditLog

_MOST_ALIKE = 30
_REPEATED_MS = 60_000
_PAGE = 500


class AuditService:
    """Writes acts down, and reads them out."""

    def __init__(self, log: AuditLog, clock: Clock) -> None:
        """Keep acts in ``log``."""
        self._log = log
        self._clock = clock

    def record(self, act: Act) -> None:
        """Write an act down.

        Raises:
            StorageError: It could not be written.
        """
        self._log.append(act)

    def record_refusal(self, act: Act) -> None:
        """Write a refusal down, the same one at most once a minute, and not many alike.

        A client that knocks ten times a second would else fill the disk, also where it knocks
        at another door each time.

        Raises:
            StorageError: It could not be written.
        """
        if act.outcome is not AuditOutcome.REFUSED:
            raise ValueError(f"a refusal is needed, not {act.outcome}")
        if not self._log.has_recent(act, self._clock.now_ms() - _REPEATED_MS, _MOST_ALIKE):
            self._log.append(act)

    def page(
        self, wanted: AuditFilter, limit: int, before_id: int | None = None
    ) -> list[AuditEntry]:
        """Return at most ``limit`` entries older than ``before_id``, the newest first."""
        return self._log.entries(wanted, limit, before_id)

    def walk(self, wanted: AuditFilter) -> Iterator[AuditEntry]:
        """Read all entries, the newest first, without holding them all."""
        before_id = None
        while page := self._log.entries(wanted, _PAGE, before_id):
            yield from page
            before_id = page[-1].id
