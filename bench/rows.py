"""The rows of the table: what is measured, what it is compared with, and its goal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from payload import write_payload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ROWS, MANY_ROWS, REAL_ROWS = 100_000, 1_000_000, 4_540
_FETCHED_PAGES, _LATENCY_MS = 100, 50
_P, _F, _BARE = "P", "F", "bare load"
_NEEDS_NO_FOLDER = frozenset({"decode", "read", "find"})


@dataclass(frozen=True, slots=True)
class Work:
    """What a child process does: a function of a module of this folder, and its arguments."""

    module: str
    function: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that a row is to keep to.

    ``ratio`` is measured / reference, at most; ``faster`` is reference / measured, at
    least; ``seconds`` and ``peak_mb`` are at most.
    """

    ratio: float | None = None
    faster: float | None = None
    seconds: float | None = None
    peak_mb: float | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the files of one run of the bench are, and how they come about."""

    folder: Path
    prepare: Callable[[Work], object]

    def payload(self, variant: str, rows: int, page_rows: int = 1000) -> str:
        """Return a payload, written when it is asked for first."""
        return str(write_payload(self.folder, variant, rows, page_rows))

    def made(self, name: str, maker: Callable[[str], Work]) -> str:
        """Return a file or folder that a child process makes when it is asked for first."""
        path = self.folder / name
        if not path.exists():
            self.prepare(maker(str(path)))
        return str(path)

    def loaded(self, rows: int, module: str = "engine") -> str:
        """Return a database of ``module`` that holds the payload ``base``."""
        key = "database" if module == "engine" else "target"
        arguments = {"payload": self.payload("base", rows)}
        return self.made(
            f"{module}-{rows}.db", lambda path: Work(module, "load", {**arguments, key: path})
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    ``make`` returns what is measured and what it is compared with, if anything but
    itself. ``needs`` are modules without which there is nothing to measure; ``facts`` is
    what must have come out.
    """

    name: str
    title: str
    reference: str
    rows: int
    goal: Goal
    make: Callable[[Bench, int], tuple[Work, Work | None]]
    needs: Sequence[str] = ()
    facts: Callable[[int], Mapping[str, Any]] = lambda _rows: {}


def _sync(variant: str, rows: int, bench: Bench) -> Work:
    arguments = {
        "payload": bench.payload(variant, rows),
        "database": bench.loaded(rows),
        "folder": str(bench.folder),
    }
    return Work("engine", "sync", arguments)


def _engine(variant: str, reference: str) -> Callable[[Bench, int], tuple[Work, Work | None]]:
    function = "pagewise" if reference == _P else "whole"

    def make(bench: Bench, rows: int) -> tuple[Work, Work | None]:
        decode = Work("references", function, {"payload": bench.payload(variant, rows)})
        return _sync(variant, rows, bench), decode

    return make


def _first_load(bench: Bench, rows: int) -> tuple[Work, Work | None]:
    arguments = {"payload": bench.payload("base", rows), "folder": str(bench.folder)}
    return Work("engine", "first_load", arguments), Work("references", "bare_load", arguments)


def _floor(
    step: str, reference: str, *, with_catalogue: bool = False, **options: object
) -> Callable[[Bench, int], tuple[Work, Work | None]]:
    def make(bench: Bench, rows: int) -> tuple[Work, Work | None]:
        payload, folder = {"payload": bench.payload("base", rows)}, {"folder": str(bench.folder)}
        known = {"database": bench.loaded(rows)} if with_catalogue else payload
        compared = Work("references", "whole", payload)
        if reference == _BARE:
            compared = Work("references", "bare_load", {**payload, **folder})
        place = {} if step in _NEEDS_NO_FOLDER else folder
        return Work("floors", step, {**known, **place, **options}), compared

    return make


def _peer(module: str) -> Callable[[Bench, int], tuple[Work, Work | None]]:
    def make(bench: Bench, rows: int) -> tuple[Work, Work | None]:
        arguments = {
            "payload": bench.payload("day", rows),
            "target": bench.loaded(rows, module),
            "folder": str(bench.folder),
        }
        return _sync("day", rows, bench), Work(module, "sync", arguments)

    return make


def _fetch(concurrency: int) -> Callable[[Bench, int], tuple[Work, Work | None]]:
    def make(bench: Bench, rows: int) -> tuple[Work, Work | None]:
        payload = bench.payload("base", rows, max(rows // _FETCHED_PAGES, 1))
        common = {"payload": payload, "folder": str(bench.folder), "latency_ms": _LATENCY_MS}
        ahead = Work("network", "fetch", {**common, "concurrency": concurrency})
        return ahead, Work("network", "fetch", {**common, "concurrency": 1})

    return make


def _whole_run(bench: Bench, rows: int) -> tuple[Work, Work | None]:
    payload = bench.payload("base", rows, 500)
    arguments = {"payload": payload, "folder": str(bench.folder)}
    return Work("network", "whole_run", arguments), None


def _metrics(bench: Bench, rows: int) -> tuple[Work, Work | None]:
    arguments = {
        "base": bench.payload("base", rows),
        "day": bench.payload("day", rows),
        "folder": str(bench.folder),
        "samples": 1000,
    }
    return Work("network", "metrics_while_syncing", arguments), None


def _pdf(bench: Bench, rows: int) -> tuple[Work, Work | None]:
    arguments = {"rows": rows}
    path = bench.made(
        f"{rows}.pdf", lambda path: Work("documents", "write_pdf", {**arguments, "path": path})
    )
    return Work("documents", "read_pdf", {**arguments, "path": path}), None


def _pdf_peer(bench: Bench, rows: int) -> tuple[Work, Work | None]:
    ours, _ = _pdf(bench, rows)
    return ours, Work("documents", "plumb_pdf", {"path": ours.arguments["path"]})


def _xlsx(bench: Bench, rows: int) -> tuple[Work, Work | None]:
    arguments = {"rows": rows}
    path = bench.made(
        f"{rows}.xlsx", lambda path: Work("documents", "write_xlsx", {**arguments, "path": path})
    )
    ours = Work("documents", "read_xlsx", {**arguments, "path": path})
    return ours, Work("documents", "calamine_xlsx", {"path": path})


def _unchanged(rows: int) -> Mapping[str, Any]:
    return {"created": 0, "updated": 0, "deleted": 0, "unchanged": rows, "writes": False}


def _of_the_day(rows: int) -> Mapping[str, Any]:
    changed = (rows + 49) // 100
    return {"updated": changed, "unchanged": rows - changed, "logged": 2 * changed}


def _all_changed(rows: int) -> Mapping[str, Any]:
    return {"updated": rows, "unchanged": 0, "logged": 2 * rows}


_PDF = ("archibald_sync.sources.archibald.pdf", "reportlab")
_XLSX = ("archibald_sync.sources.files.workbook_reader", "xlsxwriter")

TABLE = (
    Row("unchanged", "nothing changed", _P, ROWS, Goal(ratio=0.65, peak_mb=64),
        _engine("base", _P), facts=_unchanged),
    Row("day", "1 % changed, with change log", _P, ROWS, Goal(ratio=1.1),
        _engine("day", _P), facts=_of_the_day),
    Row("respelled", "all bytes differ, no content does", _P, ROWS, Goal(ratio=2.5),
        _engine("respelled", _P), facts=_unchanged),
    Row("changed", "all changed, a change row a field", _F, ROWS, Goal(ratio=5.5),
        _engine("changed", _F), facts=_all_changed),
    Row("first", "first load", _BARE, ROWS, Goal(ratio=2), _first_load,
        facts=lambda rows: {"created": rows}),
    Row("floor-decode", "floor: decode", _BARE, ROWS, Goal(), _floor("decode", _BARE)),
    Row("floor-read", "floor: read, join, hash", _BARE, ROWS, Goal(), _floor("read", _BARE)),
    Row("floor-spool", "floor: put aside, read back", _BARE, ROWS, Goal(),
        _floor("spool", _BARE)),
    Row("floor-insert", "floor: insert", _BARE, ROWS, Goal(), _floor("insert", _BARE)),
    Row("floor-log", "floor: log a row each", _BARE, ROWS, Goal(),
        _floor("log", _BARE, with_catalogue=True, fields=1)),
    Row("floor-find", "floor: read what is known", _F, ROWS, Goal(),
        _floor("find", _F, with_catalogue=True)),
    Row("floor-update", "floor: update two fields", _F, ROWS, Goal(),
        _floor("update", _F, with_catalogue=True)),
    Row("floor-log-2", "floor: log two fields each", _F, ROWS, Goal(),
        _floor("log", _F, with_catalogue=True, fields=2)),
    Row("unchanged-real", "nothing changed", _P, REAL_ROWS, Goal(), _engine("base", _P),
        facts=_unchanged),
    Row("day-real", "1 % changed, with change log", _P, REAL_ROWS, Goal(), _engine("day", _P),
        facts=_of_the_day),
    Row("unchanged-1m", "nothing changed", _P, MANY_ROWS, Goal(ratio=0.85, peak_mb=256),
        _engine("base", _P), facts=_unchanged),
    Row("day-1m", "1 % changed, with change log", _P, MANY_ROWS, Goal(ratio=1.4, peak_mb=256),
        _engine("day", _P), facts=_of_the_day),
    Row("peer-rows", "1 % day against SELECT/UPDATE by row", "row loop", ROWS, Goal(faster=5),
        _peer("peer_rows"), facts=_of_the_day),
    Row("peer-sqlite-utils", "1 % day against sqlite-utils", "upsert_all", ROWS, Goal(faster=12),
        _peer("peer_sqlite_utils"), ("sqlite_utils",), _of_the_day),
    Row("peer-sqlalchemy", "1 % day against SQLAlchemy Core", "upsert", ROWS, Goal(faster=6),
        _peer("peer_sqlalchemy"), ("sqlalchemy",), _of_the_day),
    Row("peer-dlt", "1 % day against dlt into duckdb", "merge", ROWS, Goal(faster=20),
        _peer("peer_dlt"), ("dlt", "duckdb", "pyarrow"), _of_the_day),
    Row("pdf", "PDF export, every cell right", "-", REAL_ROWS, Goal(seconds=5, peak_mb=200),
        _pdf, _PDF),
    Row("pdf-peer", "PDF export against pdfplumber, a sample", "tables", 92, Goal(faster=20),
        _pdf_peer, (*_PDF, "pdfplumber")),
    Row("xlsx", "XLSX file", "calamine alone", ROWS, Goal(ratio=1.5), _xlsx, _XLSX),
    Row("fetch-8", "100 pages, 50 ms each, 8 in flight", "one at a time", REAL_ROWS,
        Goal(faster=6), _fetch(8), facts=lambda rows: {"rows": rows}),
    Row("fetch-4", "100 pages, 50 ms each, 4 in flight", "one at a time", REAL_ROWS, Goal(),
        _fetch(4), facts=lambda rows: {"rows": rows}),
    Row("metrics", "API p99 of metrics during a sync, -w 2", "p99 idle", ROWS, Goal(ratio=3),
        _metrics),
    Row("run", "whole run over loopback, unchanged", "-", REAL_ROWS, Goal(seconds=0.25),
        _whole_run, facts=lambda rows: {"outcome": "completed", "Updated": 0, "Unchanged": rows}),
)  # fmt: skip
