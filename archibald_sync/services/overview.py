"""The past at a glance: runs and what became of them, and what changed a day.

Everything is read from rows, and costs the same however many of them there are.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import RunOutcome, SessionStatus
from archibald_sync.domain.statistics import success_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archibald_sync.clock import Clock
    from archibald_sync.domain.overview_ports import Overview, RunLines

MAX_RUNS = 200
MAX_LINES = 500
CHANGE_DAYS = 30
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)
_NO_CHANGES = dict.fromkeys(("created", "updated", "deleted", "restored", "renamed"), 0)


class OverviewService:
    """Answers what a page shows about one resource's past."""

    def __init__(
        self, overview: Overview, lines: RunLines, is_driven: Callable[[], bool], clock: Clock
    ) -> None:
        """Read from ``overview`` and ``lines``.

        What is at work counts only while ``is_driven`` says so.
        """
        self._overview = overview
        self._lines = lines
        self._is_driven = is_driven
        self._clock = clock

    def runs(
        self,
        limit: int,
        before: tuple[int, str] | None = None,
        outcome: str | None = None,
        trigger: str | None = None,
    ) -> list[Mapping[str, Any]]:
        """Return runs with their sessions, the newest first, as they truly stand.

        Args:
            limit: How many at most.
            before: The (startedAt, id) that they are older than; None: the newest.
            outcome: Only runs that ended so; None: all, also the one at work.
            trigger: Only runs that were started so; None: all.
        """
        runs = self._overview.runs(limit, before, outcome, trigger)
        sessions = self._overview.sessions_of([run["id"] for run in runs])
        is_driven = self._is_driven()
        return [
            {
                **_true_run(run, is_driven=is_driven),
                "sessions": [
                    _true_session(one, is_driven=is_driven) for one in sessions.get(run["id"], ())
                ],
            }
            for run in runs
        ]

    def neighbours(self, run: Mapping[str, Any]) -> tuple[str | None, str | None]:
        """Return the ids of the runs before and after ``run``, None at either end."""
        return self._overview.neighbours(run["startedAt"], run["id"])

    def last_good_before(self, moment: int) -> Mapping[str, Any] | None:
        """Return the newest session before ``moment`` that read everything and applied it.

        None where there is none: nothing was ever synced, or only short-cuts are kept.
        """
        return self._overview.good_session_before(moment)

    def statistics(self, count: int = MAX_RUNS) -> dict[str, Any]:
        """Return the last ``count`` runs, their success rate, and the changes a day.

        Dry runs are left out: they are no syncs.
        """
        is_driven = self._is_driven()
        found = self._overview.runs(count, with_dry=False)
        runs = [_true_run(run, is_driven=is_driven) for run in found]
        rate = success_rate(run["outcome"] for run in runs)
        return {
            "runs": runs,
            "successRate": {
                "counted": rate.counted,
                "completed": rate.completed,
                "percent": rate.percent,
            },
            "changesPerDay": self.changes_per_day(),
        }

    def log(self, run_id: str, after: int = 0, limit: int = MAX_LINES) -> dict[str, Any]:
        """Return what was logged for a run: ``lines`` after a number, in their order.

        ``cut`` is how many lines between the first and the last were not kept, ``next`` the
        number to ask for what follows.

        Raises:
            NotFoundError: There is no such run.
        """
        lines, extent = self._lines.lines(run_id, after, limit)
        following = lines[-1]["number"] if lines else after
        return {"lines": lines, "cut": extent["logged"] - extent["kept"], "next": following}

    def changes_per_day(self, days: int = CHANGE_DAYS) -> list[dict[str, Any]]:
        """Return what changed on each of the last ``days`` days (UTC), the oldest first.

        Counts records; ``renamed`` is part of ``created``.
        """
        today = self._clock.now_ms() // _DAY_MS
        found = self._overview.change_days(today - days + 1)
        return [
            {"day": (_EPOCH + timedelta(days=day)).isoformat(), **found.get(day, _NO_CHANGES)}
            for day in range(today - days + 1, today + 1)
        ]


def _true_run(run: Mapping[str, Any], *, is_driven: bool) -> Mapping[str, Any]:
    if run["outcome"] is None and not is_driven:
        return {**run, "outcome": RunOutcome.INTERRUPTED.value, "nextAttemptAt": None}
    return run


def _true_session(session: Mapping[str, Any], *, is_driven: bool) -> Mapping[str, Any]:
    if session["status"] == SessionStatus.RUNNING and not is_driven:
        return {**session, "status": SessionStatus.INTERRUPTED.value}
    return session
