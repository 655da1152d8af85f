"""Read models for a page: runs at a glance, and changes a day."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.storage.connection import Database

Q = load_queries("overview")

_AFTER_EVERYTHING = (2**63 - 1, "")
# By whether an outcome and a trigger are asked for: each has an index of its own.
_IDS = {
    (False, False): "run_ids_before",
    (True, False): "run_ids_before_of_outcome",
    (False, True): "run_ids_before_of_trigger",
    (True, True): "run_ids_before_of_both",
}


class SqliteOverview:
    """The past of one resource at a glance."""

    def __init__(self, database: Database, resource: str) -> None:
        """Read what ``database`` holds about ``resource``."""
        self._database = database
        self._resource = resource

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
        started_at, run_id = before or _AFTER_EVERYTHING
        parameters = {
            "resource": self._resource,
            "startedAt": started_at,
            "id": run_id,
            "outcome": outcome,
            "trigger": trigger,
            "withDry": with_dry,
            "limit": limit,
        }
        query = Q[_IDS[outcome is not None, trigger is not None]]
        with self._database.snapshot():
            ids = [row["id"] for row in self._database.rows(query, parameters)]
            rows = self._database.rows(Q["run_overviews"], {"ids": json.dumps(ids)})
        by_id = {row["id"]: _run(dict(row)) for row in rows}
        return [by_id[run_id] for run_id in ids]

    def sessions_of(self, run_ids: list[str]) -> Mapping[str, list[Mapping[str, Any]]]:
        """Return the sessions of these runs by run, the first attempt first."""
        rows = self._database.rows(Q["sessions_of_runs"], {"ids": json.dumps(run_ids)})
        by_run: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in sorted(map(dict, rows), key=lambda one: (one["startedAt"], one["id"])):
            stages = row["stageMs"]
            session = {**row, "stageMs": json.loads(stages) if stages else None}
            by_run[session.pop("runId")].append(session)
        return by_run

    def neighbours(self, started_at: int, run_id: str) -> tuple[str | None, str | None]:
        """Return the ids of the runs before and after one, None at either end."""
        run = {"resource": self._resource, "startedAt": started_at, "id": run_id}
        rows = (self._database.row(Q[which], run) for which in ("older_run", "newer_run"))
        older, newer = (row["id"] if row else None for row in rows)
        return older, newer

    def good_session_before(self, moment: int) -> Mapping[str, Any] | None:
        """Return the newest session before ``moment`` that read all of it and applied it."""
        parameters = {"resource": self._resource, "startedAt": moment}
        row = self._database.row(Q["good_session_before"], parameters)
        return {**dict(row), "coverage": json.loads(row["coverage"])} if row else None

    def change_days(self, first_day: int) -> Mapping[int, Mapping[str, int]]:
        """Return what changed by day (UTC, days since the epoch), from ``first_day`` on."""
        parameters = {"syncType": self._resource, "day": first_day}
        rows = map(dict, self._database.rows(Q["change_days"], parameters))
        return {row.pop("day"): row for row in rows}


def _run(row: dict[str, Any]) -> Mapping[str, Any]:
    flags = {name: bool(row[name]) for name in ("isDryRun", "isShortcut")}
    return {**row, **flags}
