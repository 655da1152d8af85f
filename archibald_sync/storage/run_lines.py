"""The log lines of runs, which go with their runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from archibald_sync.errors import NotFoundError
from archibald_sync.storage.fence import check_epoch
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.models import RunLine
    from archibald_sync.storage.connection import Database

Q = load_queries("run_lines")


class SqliteRunLines:
    """The log lines of the runs of one resource."""

    def __init__(self, database: Database, resource: str) -> None:
        """Keep the lines of ``resource`` in ``database``."""
        self._database = database
        self._resource = resource

    def keep(
        self, run_id: str, lines: Sequence[RunLine], forgotten: tuple[int, int], epoch: int
    ) -> None:
        """Add ``lines`` to a run, and drop those in ``forgotten`` (after, up to).

        Raises:
            Fenced: ``epoch`` is over.
        """
        after, up_to = forgotten
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            connection.executemany(Q["insert_line"], [_row(run_id, line) for line in lines])
            if up_to > after:
                connection.execute(
                    Q["forget_lines"], {"runId": run_id, "after": after, "upTo": up_to}
                )

    def lines(
        self, run_id: str, after: int, limit: int
    ) -> tuple[list[Mapping[str, Any]], Mapping[str, int]]:
        """Return up to ``limit`` lines of a run after number ``after``, and how many there are.

        The numbers are ``kept`` and ``logged``.

        Raises:
            NotFoundError: There is no such run.
        """
        run = {"runId": run_id, "resource": self._resource}
        with self._database.snapshot():
            if self._database.row(Q["run_exists"], run) is None:
                raise NotFoundError("there is no such run")
            wanted = {"runId": run_id, "after": after, "limit": limit}
            found = self._database.rows(Q["lines_after"], wanted)
            extent = self._database.row(Q["extent"], {"runId": run_id})
        return [_line(dict(row)) for row in found], dict(extent or {})


def _row(run_id: str, line: RunLine) -> dict[str, object]:
    return {
        "runId": run_id,
        "number": line.number,
        "loggedAt": line.logged_at,
        "level": line.level,
        "component": line.component,
        "message": line.message,
        "fields": json.dumps(line.fields, default=str) if line.fields else None,
    }


def _line(row: dict[str, Any]) -> Mapping[str, Any]:
    return {**row, "fields": json.loads(row["fields"]) if row["fields"] else {}}
