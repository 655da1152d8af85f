"""What the services need from the outside, as protocols; adapters fulfil them.

Stores belong to one resource each. A write method joins the transaction that its
thread has open, else it makes one of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from archibald_sync.domain.coverage import Coverage
    from archibald_sync.domain.models import (
        Claim,
        Page,
        PlanCounts,
        PlanKind,
        Progress,
        Rollback,
        RunEnd,
        RunRequest,
        SessionEnd,
        Stage,
        SyncMetrics,
    )
    from archibald_sync.domain.normalise import Notation, Value
    from archibald_sync.domain.plan import CatalogueSnapshot, ExistingRecord, Plan
    from archibald_sync.domain.statistics import Effort


class Control(Protocol):
    """How a run is told to end, seen from the work that it does."""

    def checkpoint(self) -> None:
        """Return at once, or raise the reason to end.

        Raises:
            RunStopped: The run must end now.
        """

    def enter(self, stage: Stage) -> None:
        """Say what the work does from now on; how long that takes is kept."""

    def closing(self, close: Callable[[], None]) -> AbstractContextManager[None]:
        """Call ``close`` from another thread, once, if the run must end inside the block.

        ``close`` makes a blocking read fail at once, by shutting its socket or
        killing its child process. The work may then raise whatever it likes: the
        reason to end takes its place.
        """


class Source(Protocol):
    """Where a resource comes from."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the delivered fields of the resource, the key first."""

    @property
    def notation(self) -> Notation:
        """Return how numbers and dates are written."""

    @property
    def mapping_version(self) -> str:
        """Return what changes whenever the mapping of fields does."""

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:
        """Read one complete extract, page by page.

        Args:
            control: Ends the run at any moment.
            validator: What the last page of an extract carried that the catalogue
                holds; the source may then say that nothing changed since.

        Raises:
            NotModified: Nothing changed since ``validator``; before the first page.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
            RunStopped: ``control`` ended the run.
        """

    def check(self) -> str:
        """Read as little as proves that the source answers; return a sentence about it.

        Raises:
            SourceError: It does not answer as it should.
        """


class Catalogue(Protocol):
    """The local copy of a resource."""

    def snapshot(self, mapping_version: str) -> CatalogueSnapshot:
        """Return the fingerprints and states of all records."""

    def find(self, keys: Sequence[str], fields: Sequence[str]) -> dict[str, ExistingRecord]:
        """Return the records with these keys, with the values of ``fields``."""

    def rows(
        self, row_ids: Sequence[int], fields: Sequence[str]
    ) -> Iterator[tuple[int, tuple[Value, ...]]]:
        """Read the rows with these numbers: each with the values of ``fields``."""

    def validator(self, mapping_version: str) -> str | None:
        """Return what the source gave with its last extract; None: read everything."""

    def has_changes_since(self, change_id: int) -> bool:
        """Return whether the log still holds every change after ``change_id``."""

    def roll_back(self, rollback: Rollback, control: Control) -> PlanCounts:
        """Undo what ``rollback`` names as `apply` would write it; return what that did."""

    def newest_change(self) -> int:
        """Return the id of the newest change, 0 where there is none."""

    def updates_since(self, change_id: int, limit: int) -> dict[tuple[str, str], Value]:
        """Return what (key, field) held before the first updates after ``change_id``."""

    def coverage(self, rows: Sequence[int] | None = None) -> Coverage:
        """Return the coverage of these rows, else of all active ones."""

    def count(self) -> Mapping[str, int]:
        """Return how many records are ``active`` and how many ``deleted``."""

    def apply(self, plan: Plan, session_id: str, epoch: int, control: Control) -> None:
        """Write ``plan`` and its change log, signed with ``epoch``, in the open transaction.

        Raises:
            RunStopped: ``control`` ended the run; the caller rolls back.
        """


class Spool(Protocol):
    """A sequence that grows on disk rather than in memory, and is read once or more."""

    def append(self, item: tuple[Any, ...]) -> None:
        """Add ``item`` at the end."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Read all items from the first."""

    def __len__(self) -> int:
        """Return how many items there are."""


class KeptPlans(Protocol):
    """The entries of the last few plans that were not applied, for people to look at."""

    def keep(self, run_id: str, entries: Iterable[tuple[PlanKind, Mapping[str, object]]]) -> None:
        """Keep all ``entries`` of a run's plan, and forget those of runs long ago.

        Raises:
            StorageFullError: There is no room.
        """

    def page(
        self, run_id: str, kind: PlanKind, start: int, limit: int
    ) -> tuple[list[Mapping[str, Any]], int | None]:
        """Return up to ``limit`` entries from ``start`` on, and where more begin.

        Raises:
            NotFoundError: No plan of this run is kept.
            InvalidInputError: No entry begins at ``start``.
        """


class History(Protocol):
    """Sessions and runs, and the metrics over them."""

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

    def record_skip(self, request: RunRequest, epoch: int, reason: str, detail: str) -> str:
        """Record a run that did not take place; return its id."""

    def newest_held_run_id(self) -> str | None:
        """Return the id of the run that was held last, if any was."""

    def begin_session(self, claim: Claim, attempt: int) -> str:
        """Begin a session of a claimed run; return its id."""

    def await_attempt(self, run_id: str, next_attempt_at: int, epoch: int) -> None:
        """Say that a run waits until ``next_attempt_at`` for its next attempt."""

    def update_progress(self, session_id: str, progress: Progress, epoch: int) -> None:
        """Keep how far a session has come."""

    def end_session(self, session_id: str, end: SessionEnd, epoch: int) -> None:
        """Record how a session ended."""

    def end_run(self, run_id: str, end: RunEnd, epoch: int) -> None:
        """Record how a run ended."""

    def touch(self, epoch: int) -> None:
        """Say that the owner still works on the running session, if there is one."""

    def consecutive_losses(self, limit: int) -> int:
        """Return how many of the newest ``limit`` runs in a row lost their owner."""

    def interrupt_orphans(self, epoch: int, active_run_id: str | None) -> list[str]:
        """Mark what no live owner works on as interrupted; return the ids of its runs."""

    def active_run_id(self) -> str | None:
        """Return the id of the run that is recorded as working, if any."""

    def run(self, run_id: str) -> Mapping[str, Any] | None:
        """Return the row of a run, with the plan's camelCase names."""

    def last_runs(
        self, limit: int, *, with_skipped: bool = True, with_dry: bool = True
    ) -> list[Mapping[str, Any]]:
        """Return the newest runs, the newest first."""

    def running_session(self) -> Mapping[str, Any] | None:
        """Return the row of the session that is recorded as running, if any."""

    def session(self, session_id: str) -> Mapping[str, Any] | None:
        """Return the row of a session."""

    def sessions_of(self, run_id: str) -> list[Mapping[str, Any]]:
        """Return the sessions of a run, the first attempt first."""

    def sessions(
        self, limit: int, before: tuple[int, str] | None = None, status: str | None = None
    ) -> list[Mapping[str, Any]]:
        """Return sessions older than ``before`` (startedAt, id), the newest first."""

    def get_sync_history(self, limit: int = 20) -> list[Mapping[str, Any]]:
        """Return the last ``limit`` sessions, the newest first."""

    def get_sync_metrics(self) -> SyncMetrics:
        """Return the metrics over all sessions ever."""

    def overview(self, limit: int) -> tuple[SyncMetrics, Sequence[Mapping[str, Any]]]:
        """Return the metrics and the newest ``limit`` sessions, as of one moment.

        Who asks often asks for the same few limits: what was read is kept until somebody
        writes.
        """

    def last_coverage(self) -> Coverage | None:
        """Return the coverage of the last extract that was applied, if it is known."""

    def past_efforts(self) -> list[Effort]:
        """Return what the last few whole readings took, the newest first."""

    def last_changes_after(self) -> int | None:
        """Return the change after which those of the last completed sync begin, if known."""

    def last_times(self) -> Mapping[str, int | None]:
        """Return lastCheckedAt, lastSuccessAt, lastVerifiedAt and lastChangeAt."""


class Transactions(Protocol):
    """Blocks in which everything belongs together."""

    def snapshot(self) -> AbstractContextManager[object]:
        """Read inside the block as of one moment, whatever is written meanwhile."""

    def transaction(self) -> AbstractContextManager[object]:
        """Write inside the block: all becomes true together at its end, or nothing.

        Raises:
            StorageBusyError: The database was busy for too long.
            StorageFullError: There is no room.
        """


class SpoolFactory(Protocol):
    """Makes spools that vanish with their run."""

    def __call__(self) -> Spool:
        """Return an empty spool."""


class Digest(Protocol):
    """A fast 16-byte hash that is the same on every machine."""

    def __call__(self, content: bytes, /) -> bytes:
        """Return the hash of ``content``."""
