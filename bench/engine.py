"""The engine alone: the bytes of pages, the plan, and the plan applied to a real file."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash
from files import working_copy
from measure import Measured, stopwatch
from payload import COLUMNS, Payload

from archibald_sync.clock import SystemClock
from archibald_sync.domain.delta import DeltaPlanner
from archibald_sync.domain.guards import judge
from archibald_sync.domain.normalise import Notation
from archibald_sync.domain.policy import GuardPolicy
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.sources.http import Answer
from archibald_sync.sources.json_document import JsonDocument
from archibald_sync.sources.json_extract import Conditional, JsonExtract
from archibald_sync.sources.json_records import RecordReader
from archibald_sync.sources.mapping import FieldMapping
from archibald_sync.storage.catalogue import SqliteCatalogue
from archibald_sync.storage.connection import Database
from archibald_sync.storage.migrate import migrate
from archibald_sync.storage.spool import FileSpool

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from contextlib import AbstractContextManager

    from archibald_sync.domain.models import Page, Stage
    from archibald_sync.domain.plan import Plan
    from archibald_sync.domain.ports import Control

_RECORDS, _TOTAL = ("items",), ("total",)
_TYPES = [PRODUCTS.fields_by_name[name].type for name in COLUMNS]


class Unstoppable:
    """The control of a run that nobody ends."""

    def checkpoint(self) -> None:
        """Go on."""

    def enter(self, stage: Stage) -> None:
        """Keep no times."""

    def closing(self, close: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Never call ``close``."""
        return nullcontext()


class PayloadSource:
    """A payload read as the REST connector reads its answers, without the network."""

    def __init__(self, payload: Payload) -> None:
        """Read ``payload``."""
        self._payload = payload
        self._mapping = FieldMapping(COLUMNS, _TYPES, Notation.PLAIN)
        self._records = RecordReader(self._mapping.columns)
        self.fields = self._mapping.fields
        self.notation = self._mapping.notation
        self.mapping_version = self._mapping.version

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:
        """Read all pages."""
        extract = JsonExtract(self._mapping, Conditional(), "bench", 1_000_000, validator)
        for body in self._payload.pages():
            control.checkpoint()
            document = JsonDocument(Answer(body, "application/json", None))
            raws = document.records(_RECORDS)
            extract.take(document, raws)
            decode = self._records.of(raws)
            yield extract.page(raws, decode, (None, document.count(_TOTAL)), is_last=False)

    def check(self) -> str:
        """Say that it is there."""
        return "a payload"


def load(payload: str, database: str) -> Measured:
    """Load an empty catalogue in a new file ``database``."""
    return _sync(Path(payload), Path(database))


def first_load(payload: str, folder: str) -> Measured:
    """Load an empty catalogue, in a file that is dropped."""
    with working_copy(None, Path(folder)) as path:
        return _sync(Path(payload), path)


def sync(payload: str, database: str, folder: str) -> Measured:
    """Bring a copy of the catalogue in the file ``database`` up to date with a payload."""
    with working_copy(Path(database), Path(folder)) as path:
        return _sync(Path(payload), path)


def _sync(payload: Path, database: Path) -> Measured:
    source, measured = PayloadSource(Payload(payload)), Measured()
    store = Database(database)
    migrate(store, "main", [PRODUCTS])
    catalogue = SqliteCatalogue(store, SystemClock(), PRODUCTS)
    with stopwatch(measured):
        plan = _plan(source, catalogue, database.parent)
        judge(plan.counts, GuardPolicy())
        with store.transaction():
            catalogue.apply(plan, "products-sync-1", 1, Unstoppable())
    measured.facts = _facts(plan, store)
    store.close()
    return measured


def _plan(source: PayloadSource, catalogue: SqliteCatalogue, folder: Path) -> Plan:
    snapshot = catalogue.snapshot(source.mapping_version)
    spool = partial(FileSpool, folder)
    digest = xxhash.xxh3_128_digest
    planner = DeltaPlanner(PRODUCTS, source, snapshot, catalogue.find, digest, spool)
    for page in source.pages(Unstoppable()):
        planner.add(page)
    return planner.finish(GuardPolicy().missing_runs_before_delete)


def _facts(plan: Plan, store: Database) -> dict[str, object]:
    logged = store.row("SELECT COUNT(*) FROM product_changes WHERE changeType = 'updated'")
    counts = plan.counts
    return {
        "created": counts.created,
        "updated": counts.updated,
        "deleted": counts.deleted,
        "unchanged": counts.unchanged,
        "logged": logged[0] if logged else 0,
        "writes": not plan.is_empty(),
    }
