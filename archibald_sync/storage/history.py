"""Sessions, runs and the totals over them: what the service says about its past."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.coverage import Coverage
from archibald_sync.domain.models import (
    Claim,
    PlanCounts,
    Progress,
    RunEnd,
    RunOutcome,
    RunRequest,
    SessionEnd,
    SessionStatus,
    SyncMetrics,
)
from archibald_sync.domain.statistics import Effort
from archibald_sync.errors import NotFoundError, SyncInProgressError
from archibald_sync.storage.fence import check_epoch
from archibald_sync.storage.history_rows import (
    ended_run,
    ended_session,
    new_run,
    new_session,
    run_of,
    session_of,
)
from archibald_sync.storage.queries import load_queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.clock import Clock
    from archibald_sync.storage.connection import Database

Q = load_queries("history")

_AFTER_EVERYTHING = (2**63 - 1, "")
_LOST = "its end was not recorded: its process died, or could not write"


class SqliteHistory:
    """The sessions and runs of one resource."""

    def __init__(self, database: Database, clock: Clock, resource: str) -> None:
        """Keep the history of ``resource`` in ``database``."""
        self._database = database
        self._clock = clock
        self._resource = resource

    # The plan's own four: sessions and their metrics.

    def create_sync_session(self, session_id: str) -> None:
        """Create a running session that belongs to no run: the plan's ``createSyncSession``.

        Raises:
            SyncInProgressError: A session is running already.
        """
        self._insert_session(session_id, None, 1, self._clock.now_ms())

    def complete_sync_session(
        self,
        session_id: str,
        status: SessionStatus,
        *,
        counts: PlanCounts | None = None,
        error_code: str | None = None,
        error_message: str | None = None,
        coverage: Coverage | None = None,
    ) -> None:
        """End a running session: the plan's ``completeSyncSession``.

        Args:
            session_id: The session.
            status: How it ended.
            counts: What its plan did; None where none was applied.
            error_code: A stable word for what went wrong.
            error_message: A sentence for what went wrong.
            coverage: The coverage of its extract.

        Raises:
            NotFoundError: No session of this id is running.
        """
        end = SessionEnd(status, counts, error_code, error_message, coverage)
        self._end_session(session_id, end)

    def get_sync_history(self, limit: int = 20) -> list[Mapping[str, Any]]:
        """Return the last ``limit`` sessions, the newest first: the plan's ``getSyncHistory``."""
        parameters = {"syncType": self._resource, "limit": limit}
        return [session_of(row) for row in self._database.rows(Q["newest_sessions"], parameters)]

    def get_sync_metrics(self) -> SyncMetrics:
        """Return the plan's ``getSyncMetrics``, by its formulas, from the kept totals."""
        with_type = {"syncType": self._resource}
        with self._database.snapshot():
            totals = self._database.row(Q["totals"], with_type)
            last = self._database.row(Q["last_status"], with_type)
        if totals is None:
            return SyncMetrics(0, 0, 0, 0, 0, None, None)
        total, successful, ended = (
            totals["totalSyncs"],
            totals["successfulSyncs"],
            totals["endedSyncs"],
        )
        return SyncMetrics(
            total_syncs=total,
            successful_syncs=successful,
            failed_syncs=totals["failedSyncs"],
            success_rate=successful / total * 100 if total else 0,
            avg_duration_ms=totals["durationMs"] / ended if ended else 0,
            last_sync_at=totals["lastSyncAt"],
            last_sync_status=last["status"] if last else None,
        )

    def overview(self, limit: int) -> tuple[SyncMetrics, list[Mapping[str, Any]]]:
        """Return the metrics and the newest ``limit`` sessions, as of one moment."""

        def read() -> tuple[SyncMetrics, list[Mapping[str, Any]]]:
            with self._database.snapshot():
                return self.get_sync_metrics(), self.sessions(limit)

        return self._database.remembered(f"overview of {limit} {self._resource}", read)

    # Runs and their sessions, under the owner's epoch.

    def claim_run(
        self,
        request: RunRequest,
        epoch: int,
        *,
        with_session: bool,
        max_attempts: int | None = None,
    ) -> Claim:
        """Begin a run of ``max_attempts``, and its first session if ``with_session``.

        A run that it approves is marked as approved.

        Raises:
            SyncInProgressError: Another run is working.
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            active = self.active_run_id()
            if active is not None:
                raise SyncInProgressError(active)
            now = self._clock.now_ms()
            run_id = self._insert_run(request, epoch, now, max_attempts)
            claim = Claim(run_id, request, epoch, now, None)
            if not with_session:
                return claim
            return Claim(run_id, request, epoch, now, self.begin_session(claim, 1))

    def record_skip(self, request: RunRequest, epoch: int, reason: str, detail: str) -> str:
        """Record a run that did not take place; return its id."""
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            now = self._clock.now_ms()
            run_id = self._free_id("run", now)
            self._write(
                "insert_skipped_run",
                id=run_id,
                resource=self._resource,
                trigger=request.trigger,
                requestedBy=request.requested_by,
                dueAt=request.due_at,
                now=now,
                reason=reason,
                detail=detail,
                epoch=epoch,
            )
            return run_id

    def begin_session(self, claim: Claim, attempt: int) -> str:
        """Begin a session of a claimed run; return its id.

        Raises:
            Fenced: The claim's epoch is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, claim.epoch)
            now = self._clock.now_ms()
            session_id = self._free_id("sync", now)
            self._insert_session(session_id, claim, attempt, now)
            if attempt > 1:
                self._write("set_next_attempt", id=claim.run_id, nextAttemptAt=None)
            return session_id

    def await_attempt(self, run_id: str, next_attempt_at: int, epoch: int) -> None:
        """Say that a run waits until ``next_attempt_at`` for its next attempt.

        Raises:
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            self._write("set_next_attempt", id=run_id, nextAttemptAt=next_attempt_at)

    def update_progress(self, session_id: str, progress: Progress, epoch: int) -> None:
        """Keep how far a session has come.

        Raises:
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            self._write(
                "update_progress",
                id=session_id,
                stage=progress.stage,
                pages=progress.pages,
                totalPages=progress.total_pages,
                items=progress.items,
                totalItems=progress.total_items,
                now=self._clock.now_ms(),
            )

    def touch(self, epoch: int) -> None:
        """Say that the owner still works on the running session, if there is one.

        Raises:
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            self._write("touch_session", syncType=self._resource, now=self._clock.now_ms())

    def end_session(self, session_id: str, end: SessionEnd, epoch: int) -> None:
        """Record how a session ended.

        Raises:
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            self._end_session(session_id, end)

    def end_run(self, run_id: str, end: RunEnd, epoch: int) -> None:
        """Record how a run ended.

        Raises:
            Fenced: ``epoch`` is over.
        """
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            self._write("end_run", **ended_run(run_id, end, self._clock.now_ms()))

    def interrupt_orphans(self, epoch: int, active_run_id: str | None) -> list[str]:
        """Mark what no live owner works on as interrupted; return the ids of its runs.

        Raises:
            Fenced: ``epoch`` is over.
        """
        orphans = {"resource": self._resource, "activeRunId": active_run_id}
        with self._database.transaction() as connection:
            check_epoch(connection, self._resource, epoch)
            ids = [row["id"] for row in self._database.rows(Q["orphaned_runs"], orphans)]
            self._write("interrupt_sessions", **orphans, message=_LOST)
            self._write("interrupt_runs", **orphans, message=_LOST, now=self._clock.now_ms())
        return ids

    def consecutive_losses(self, limit: int) -> int:
        """Return how many of the newest ``limit`` runs in a row lost their owner."""
        losses = 0
        for run in self.last_runs(limit, with_skipped=False):
            if (run["outcome"], run["reason"]) != (RunOutcome.INTERRUPTED, "owner_lost"):
                break
            losses += 1
        return losses

    # Reading.

    def newest_held_run_id(self) -> str | None:
        """Return the id of the run that was held last, if any was."""
        row = self._database.row(Q["newest_held_run"], {"resource": self._resource})
        return row["id"] if row else None

    def active_run_id(self) -> str | None:
        """Return the id of the run that is recorded as working, if any."""
        row = self._database.row(Q["active_run"], {"resource": self._resource})
        return row["id"] if row else None

    def run(self, run_id: str) -> Mapping[str, Any] | None:
        """Return the row of a run, its summary decoded."""
        row = self._database.row(Q["run"], {"resource": self._resource, "id": run_id})
        return run_of(row) if row else None

    def last_runs(
        self, limit: int, *, with_skipped: bool = True, with_dry: bool = True
    ) -> list[Mapping[str, Any]]:
        """Return the newest runs, the newest first."""
        which = {"withSkipped": with_skipped, "withDry": with_dry}
        parameters = {"resource": self._resource, "limit": limit, **which}
        return [run_of(row) for row in self._database.rows(Q["last_runs"], parameters)]

    def running_session(self) -> Mapping[str, Any] | None:
        """Return the row of the session that is recorded as running, if any."""
        row = self._database.row(Q["running_session"], {"syncType": self._resource})
        return session_of(row) if row else None

    def session(self, session_id: str) -> Mapping[str, Any] | None:
        """Return the row of a session."""
        row = self._database.row(Q["session"], {"syncType": self._resource, "id": session_id})
        return session_of(row) if row else None

    def sessions_of(self, run_id: str) -> list[Mapping[str, Any]]:
        """Return the sessions of a run, the first attempt first."""
        rows = self._database.rows(Q["sessions_of_run"], {"runId": run_id})
        return [session_of(row) for row in rows]

    def sessions(
        self, limit: int, before: tuple[int, str] | None = None, status: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return sessions older than ``before`` (startedAt, id), the newest first."""
        started_at, session_id = before or _AFTER_EVERYTHING
        is_usual = status in {None, SessionStatus.COMPLETED}
        query = Q["sessions_before" if is_usual else "sessions_before_of_status"]
        parameters = {
            "syncType": self._resource,
            "startedAt": started_at,
            "id": session_id,
            "status": status,
            "limit": limit,
        }
        return [session_of(row) for row in self._database.rows(query, parameters)]

    def last_coverage(self) -> Coverage | None:
        """Return the coverage of the last extract that was applied, if it is known."""
        row = self._database.row(Q["last_coverage"], {"syncType": self._resource})
        return Coverage(**json.loads(row["coverage"])) if row else None

    def past_efforts(self) -> list[Effort]:
        """Return what the last few whole readings took, the newest first."""
        rows = self._database.rows(Q["past_efforts"], {"syncType": self._resource})
        return [Effort(row["durationMs"], row["items"] or 0) for row in rows]

    def last_changes_after(self) -> int | None:
        """Return the change after which those of the last completed sync begin, if known."""
        row = self._database.row(Q["last_changes_after"], {"syncType": self._resource})
        return row["changesAfter"] if row else None

    def last_times(self) -> Mapping[str, int | None]:
        """Return lastCheckedAt, lastSuccessAt, lastVerifiedAt and lastChangeAt."""
        names = ("lastCheckedAt", "lastSuccessAt", "lastVerifiedAt", "lastChangeAt")
        row = self._database.row(Q["totals"], {"syncType": self._resource})
        return {name: row[name] if row else None for name in names}

    def _insert_run(
        self, request: RunRequest, epoch: int, now: int, max_attempts: int | None
    ) -> str:
        run_id = self._free_id("run", now)
        row = new_run(run_id, self._resource, request, epoch, now, max_attempts)
        self._write("insert_run", **row)
        if request.approves is not None:
            approval = {"approvedAt": now, "approvedBy": request.requested_by}
            self._write("approve_run", id=request.approves, **approval)
        return run_id

    def _insert_session(
        self, session_id: str, claim: Claim | None, attempt: int, started_at: int
    ) -> None:
        parameters = new_session(session_id, self._resource, claim, attempt, started_at)
        with self._database.transaction() as connection:
            try:
                connection.execute(Q["insert_session"], parameters)
            except sqlite3.IntegrityError as exc:
                raise SyncInProgressError(self.active_run_id() or session_id) from exc

    def _end_session(self, session_id: str, end: SessionEnd) -> None:
        if not self._write("end_session", **ended_session(session_id, end, self._clock.now_ms())):
            raise NotFoundError(f"no running session {session_id}")

    def _free_id(self, kind: str, now: int) -> str:
        """Return ``<resource>-<kind>-<ms>`` with the first free millisecond from ``now`` on."""
        query = Q["session_exists" if kind == "sync" else "run_exists"]
        moment = now
        while self._database.row(query, {"id": f"{self._resource}-{kind}-{moment}"}):
            moment += 1
        return f"{self._resource}-{kind}-{moment}"

    def _write(self, query: str, **parameters: object) -> int:
        with self._database.transaction() as connection:
            return connection.execute(Q[query], parameters).rowcount
