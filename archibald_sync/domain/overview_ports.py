"""What a page needs to show the past at a glance, as protocols; adapters fulfil them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.models import RunLine


class Overview(Protocol):
    """Read models over runs and changes: each costs the same at any age of the service."""

    def runs(
        self,
        limit: int,
        before: tuple[int, str] | None = None,
        outcome: str | None = None,
        trigger: str | None = None,
        *,
        with_dry: bool = True,
    ) -> list[Mapping[str, Any]]:
        """Return runs older than ``before`` (startedAt, id), the newest first.

        Each without its plan's summary, but with the counts of its last session.
        """

    def sessions_of(self, run_ids: list[str]) -> Mapping[str, list[Mapping[str, Any]]]:
        """Return the sessions of these runs by run, the first attempt first."""

    def neighbours(self, started_at: int, run_id: str) -> tuple[str | None, str | None]:
        """Return the ids of the runs before and after one, None at either end."""

    def good_session_before(self, moment: int) -> Mapping[str, Any] | None:
        """Return the newest session before ``moment`` that read all of it and applied it."""

    def change_days(self, first_day: int) -> Mapping[int, Mapping[str, int]]:
        """Return what changed by day (UTC, days since the epoch), from ``first_day`` on."""


class RunLines(Protocol):
    """The lines that were logged for the runs of a resource; they go with their runs."""

    def keep(
        self, run_id: str, lines: Sequence[RunLine], forgotten: tuple[int, int], epoch: int
    ) -> None:
        """Add ``lines`` to a run, and drop those in ``forgotten`` (after, up to).

        Raises:
            Fenced: ``epoch`` is over.
        """

    def lines(
        self, run_id: str, after: int, limit: int
    ) -> tuple[list[Mapping[str, Any]], Mapping[str, int]]:
        """Return up to ``limit`` lines of a run after number ``after``, and how many there are.

        The numbers are ``kept`` and ``logged``.

        Raises:
            NotFoundError: There is no such run.
        """
