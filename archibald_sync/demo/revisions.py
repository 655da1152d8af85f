"""The revisions of the demo ERP's products: each new read may find them changed a little."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archibald_sync.demo.catalogue import DemoCatalogue, Product, Revision

_KEPT_REVISIONS = 50
_DRIFT = (2, 12, 1)  # created, updated, removed between two reads


class Revisions:
    """Serves a catalogue; each new read may find it changed a little."""

    def __init__(self, catalogue: DemoCatalogue, *, drift: bool) -> None:
        """Serve ``catalogue``, which changes before each read but the first if ``drift``."""
        self._catalogue = catalogue
        self._drift = drift
        self._lock = threading.RLock()
        self._reads = 0
        self._products: list[Product] = []
        self._served = catalogue.revision.number
        self.revisions: list[Revision] = [catalogue.revision]

    def revise(self, created: int, updated: int, removed: int) -> Revision:
        """Change the catalogue now; return exactly what changed."""
        with self._lock:
            revision = self._catalogue.revise(created, updated, removed)
            self.revisions = [*self.revisions, revision][-_KEPT_REVISIONS:]
            return revision

    def state(self) -> dict[str, Any]:
        """Return revision, number of products and what the last revisions changed."""
        with self._lock:
            return {
                "revision": self._catalogue.revision.number,
                "rows": len(self._catalogue.products),
                "reads": self._reads,
                "revisions": [
                    {
                        "number": one.number,
                        "created": one.created if one.number > 1 else len(one.created),
                        "updated": one.updated,
                        "removed": one.removed,
                    }
                    for one in self.revisions
                ],
            }

    def products(
        self,
        start: int,
        size: int,
        hits: Mapping[str, Mapping[str, Any]],
        view: Callable[[list[Product]], list[Product]] = list,
    ) -> tuple[list[Product], int]:
        """Return some products, and how many there are; a read begins at its first.

        The faults ``empty`` and ``filtered`` of ``hits`` hide the rest; ``view`` chooses
        and orders what is left.
        """
        with self._lock:
            if start == 0 or not self._reads:
                if self._drift and self._reads:
                    self.revise(*_DRIFT)
                self._reads += 1
                self._products = list(self._catalogue.products.values())
                self._served = self._catalogue.revision.number
            visible = self._products
            if "empty" in hits or "filtered" in hits:
                rows = 0 if "empty" in hits else hits["filtered"].get("rows", 419)
                visible = visible[:rows]
            visible = view(visible)
            return visible[start : start + size], len(visible)

    @property
    def number(self) -> int:
        """Return the number of the revision that is served."""
        return self._served
