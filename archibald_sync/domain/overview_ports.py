"""What a page needs to show the past at a glance, as a protocol; an adapter fulfils it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Overview(Protocol):
    """Read models over runs and changes: each costs the same at any age of the service."""

    def runs(
        self,
        limit: int,
        before: tuple[int, str] | None = None,
        outcome: str | None = None,
        *,
        with_dry: bool = True,
    ) -> list[Mapping[str, Any]]:
        """Return runs older than ``before`` (startedAt, id), the newest first.

        Each without its plan's summary, but with the counts of its last session.
        """

    def sessions_of(self, run_ids: list[str]) -> Mapping[str, list[Mapping[str, Any]]]:
        """Return the sessions of these runs by run, the first attempt first."""

    def change_days(self, first_day: int) -> Mapping[int, Mapping[str, int]]:
        """Return what changed by day (UTC, days since the epoch), from ``first_day`` on."""
