"""What the database of a service says, read from outside, and the rules that it must obey."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from chaos_erp import COMPARED, Content, content_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_COLUMNS = ", ".join(COMPARED)
# A product that the last extract lacked stays until a second one lacks it as well.
_CATALOGUE = f"SELECT {_COLUMNS} FROM products WHERE deletedAt IS NULL AND missingRuns = 0"  # noqa: S608
_SERVING = ("schedule", "catchUp")


class Ledger:
    """Reads the database of a service; writes nothing."""

    def __init__(self, path: Path) -> None:
        """Read the file ``path``."""
        self.path = path

    def rows(self, sql: str, *parameters: object) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        with closing(self._connection()) as connection:
            return [dict(row) for row in connection.execute(sql, parameters)]

    def value(self, sql: str, *parameters: object) -> Any:  # noqa: ANN401
        """Return the one value of a query; None where there is no row."""
        rows = self.rows(sql, *parameters)
        return next(iter(rows[0].values())) if rows else None

    def runs(self, *outcomes: str | None) -> list[dict[str, Any]]:
        """Return the runs with one of ``outcomes`` (all where none is given), in order."""
        rows = self.rows("SELECT * FROM sync_runs ORDER BY rowid")
        return [row for row in rows if not outcomes or row["outcome"] in outcomes]

    def sessions(self, *statuses: str) -> list[dict[str, Any]]:
        """Return the sessions with one of ``statuses`` (all where none is given), in order."""
        rows = self.rows("SELECT * FROM sync_sessions ORDER BY rowid")
        return [row for row in rows if not statuses or row["status"] in statuses]

    def lease(self) -> dict[str, Any]:
        """Return the owner's lease; epoch 0 where nobody ever took it."""
        rows = self.rows("SELECT * FROM owner_lease")
        return rows[0] if rows else {"epoch": 0, "pid": 0, "expiresBootMs": 0}

    def content(self) -> Content:
        """Return the content of the catalogue, as the last extract had it."""
        return content_of(self.rows(_CATALOGUE))

    def fingerprint(self) -> tuple[Any, ...]:
        """Return what changes whenever a run writes anything."""
        tables = ("product_changes", "sync_sessions", "sync_runs", "products")
        return tuple(map(tuple, (map(str, self.rows(f"SELECT * FROM {one}")) for one in tables)))  # noqa: S608

    def _connection(self) -> sqlite3.Connection:
        connection = sqlite3.connect(f"{self.path.as_uri()}?mode=ro", uri=True, timeout=30)
        connection.row_factory = sqlite3.Row
        return connection

    @contextmanager
    def watched(self) -> Iterator[Watch]:
        """Look at the database again and again inside the block."""
        watch = Watch(self)
        thread = threading.Thread(target=watch.look_on)
        thread.start()
        try:
            yield watch
        finally:
            watch.is_over.set()
            thread.join()


class Watch:
    """What was seen while things happened."""

    def __init__(self, ledger: Ledger) -> None:
        """Begin with nothing seen."""
        self._ledger = ledger
        self.is_over = threading.Event()
        self.looks = 0
        self.most_running = 0
        self.contents: set[Content] = set()
        self.epochs: list[int] = []

    def look_on(self) -> None:
        """Look until it is over."""
        with closing(self._ledger._connection()) as connection:  # noqa: SLF001  # its other half
            while not self.is_over.wait(0.02):
                self._look(connection)

    def _look(self, connection: sqlite3.Connection) -> None:
        working = connection.execute(
            "SELECT (SELECT COUNT(*) FROM sync_sessions WHERE status = 'running'), "
            "(SELECT COUNT(*) FROM sync_runs WHERE outcome IS NULL)"
        ).fetchone()
        epoch = connection.execute("SELECT epoch FROM owner_lease").fetchone()
        self.looks += 1
        self.most_running = max(self.most_running, *working)
        self.contents.add(content_of(connection.execute(_CATALOGUE).fetchall()))
        if epoch is not None and epoch[0] not in self.epochs[-1:]:
            self.epochs.append(epoch[0])


def assert_sound(ledger: Ledger, offered: set[Content], watch: Watch | None = None) -> None:
    """Assert what must hold whatever happened to the processes."""
    assert ledger.value("PRAGMA integrity_check") == "ok"
    for table, order in (("product_changes", "id"), ("sync_sessions", "rowid")):
        _assert_fenced(ledger.rows(f"SELECT epoch FROM {table} ORDER BY {order}"), table)  # noqa: S608
    _assert_fenced(ledger.runs(), "sync_runs")
    assert ledger.content() in offered, "the catalogue is no complete extract"
    _assert_committed_together(ledger)
    if watch is not None:
        assert watch.most_running <= 1
        assert watch.epochs == sorted(watch.epochs)
        assert watch.contents <= offered, "a mixed catalogue was seen meanwhile"


def _assert_fenced(rows: Sequence[dict[str, Any]], table: str) -> None:
    epochs = [row["epoch"] for row in rows]
    assert epochs == sorted(epochs), f"{table}: a fenced epoch wrote after its successor"


def _assert_committed_together(ledger: Ledger) -> None:
    """Assert that sessions are completed if and only if their plan is in the change log."""
    logged = ledger.rows(
        "SELECT s.id, s.status, s.itemsCreated, s.itemsUpdated, "
        "COUNT(DISTINCT c.id) FILTER (WHERE c.changeType IN ('created', 'renamed')) AS created, "
        "COUNT(DISTINCT c.productId) FILTER (WHERE c.changeType = 'updated') AS updated "
        "FROM sync_sessions s LEFT JOIN product_changes c ON c.sessionId = s.id GROUP BY s.id"
    )
    for row in logged:
        wanted = (row["itemsCreated"] or 0, row["itemsUpdated"] or 0)
        wanted = wanted if row["status"] == "completed" else (0, 0)
        assert (row["created"], row["updated"]) == wanted, row
    completed = {session["runId"] for session in ledger.sessions("completed")}
    assert {run["id"] for run in ledger.runs("completed")} == completed
    assert len(completed) == len(ledger.sessions("completed"))


def assert_each_slot_once(ledger: Ledger, interval_ms: float) -> None:
    """Assert one run a slot: none twice, and none missing but those gone by during a run.

    A slot is a due time of the grid. It may be tried again where a try was interrupted.
    """
    runs = [run for run in ledger.runs() if run["trigger"] in _SERVING]
    served = [run for run in runs if run["outcome"] in {"completed", "skipped"}]
    assert {run["outcome"] for run in runs} <= {"completed", "skipped", "interrupted", None}
    assert served, "no slot was served"
    slots = [run["dueAt"] for run in served]
    assert slots == sorted(set(slots)), f"a slot was served twice: {slots}"
    for before, after in pairwise(served):
        steps = (after["dueAt"] - before["dueAt"]) / interval_ms
        assert abs(steps - round(steps)) * interval_ms < 5, f"off the grid by {steps} steps"
        # The grid moves on a moment after the end is noted.
        gone_by_ms = before["endedAt"] + 500 - (after["dueAt"] - interval_ms)
        assert round(steps) == 1 or gone_by_ms >= 0, (before, after)
