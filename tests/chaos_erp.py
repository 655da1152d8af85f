"""A demo ERP that remembers every complete extract it has offered, and can be held up."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from archibald_sync.demo.catalogue import DemoCatalogue
from archibald_sync.demo.revisions import Revisions
from archibald_sync.demo.server import DemoErp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from archibald_sync.demo.catalogue import Product

Content = frozenset[tuple[str, ...]]

# Ours and theirs of what the demo ERP changes between two reads.
COMPARED = {
    "id": "ITEMID",
    "description": "DESCRIPTION",
    "modifiedBy": "MODIFIEDBY",
    "purchasePrice": "PURCHPRICEPCS",
    "multipleQty": "MULTIPLEQTY",
    "minQty": "LOWESTQTY",
}
_DECIMALS = ("purchasePrice", "multipleQty", "minQty")


def content_of(rows: Iterable[Mapping[str, Any]]) -> Content:
    """Return what the compared fields of our rows hold, fit to be compared with an extract."""
    return frozenset(tuple(_comparable(name, row[name]) for name in COMPARED) for row in rows)


def _comparable(name: str, value: object) -> str:
    return f"{Decimal(str(value)).normalize():f}" if name in _DECIMALS else str(value)


class RecordedRevisions(Revisions):
    """Keeps each extract from its first page on; pages after it take their time."""

    def __init__(self, catalogue: DemoCatalogue, updated: int) -> None:
        """Serve ``catalogue`` without delay; ``updated`` products change before each read."""
        super().__init__(catalogue, drift=False)
        self._updated = updated
        self.extracts: list[list[Product]] = []
        self.pace_s = 0.0
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.is_asked_for_more = threading.Event()
        self.is_read = threading.Event()

    def products(
        self,
        start: int,
        size: int,
        hits: Mapping[str, Mapping[str, Any]],
        view: Callable[[list[Product]], list[Product]] = list,
    ) -> tuple[list[Product], int]:
        """Return a page; what it holds is settled before any delay."""
        with self._lock:
            if start == 0 and self._updated and self.extracts:
                self.revise(1, self._updated, 1)
            page = super().products(start, size, hits, view)
            if start == 0:
                self.extracts.append(self._products)
        if start:
            self.is_asked_for_more.set()
            self.may_go_on.wait(60)
            threading.Event().wait(self.pace_s)
        if start + size >= page[1]:
            self.is_read.set()
        return page

    def contents(self) -> set[Content]:
        """Return the content of every extract that was ever begun, and of no product."""
        with self._lock:
            extracts = list(self.extracts)
        return {frozenset(), *(content_of(map(_ours, extract)) for extract in extracts)}


class ChaosErp(DemoErp):
    """The demo ERP with recorded revisions."""

    recorded: RecordedRevisions

    def __init__(self, rows: int, *, pace_s: float = 0.0, updated: int = 5) -> None:
        """Offer ``rows`` products; each page but the first takes ``pace_s`` seconds."""
        super().__init__(rows)
        self.revisions = self.recorded = RecordedRevisions(DemoCatalogue(rows, 1), updated)
        self.recorded.pace_s = pace_s

    def stop(self) -> None:
        """Let go of every page that is held up, and stop."""
        self.recorded.may_go_on.set()
        super().stop()


def _ours(product: Product) -> dict[str, Any]:
    return {ours: product[theirs] for ours, theirs in COMPARED.items()}
