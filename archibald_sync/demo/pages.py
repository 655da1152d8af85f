"""The JSON face: one consistent revision, cut into pages in five styles."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archibald_sync.demo.catalogue import DemoCatalogue, Product, Revision

STYLES = ("page", "offset", "cursor", "link", "next", "all")
_KEPT_REVISIONS = 50
_DRIFT = (2, 12, 1)  # created, updated, removed between two reads


class Pages:
    """Serves a catalogue; each new read may find it changed a little."""

    def __init__(self, catalogue: DemoCatalogue, *, drift: bool) -> None:
        """Serve ``catalogue``, which changes before each read but the first if ``drift``."""
        self._catalogue = catalogue
        self._drift = drift
        self._lock = threading.RLock()
        self._reads = 0
        self._products: list[Product] = []
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

    def products(self, start: int, size: int) -> tuple[list[Product], int]:
        """Return some products, and how many there are; a read begins at its first."""
        with self._lock:
            if start == 0:
                if self._drift and self._reads:
                    self.revise(*_DRIFT)
                self._reads += 1
                self._products = list(self._catalogue.products.values())
            return self._products[start : start + size], len(self._products)

    @property
    def revision(self) -> int:
        """Return the number of the revision that is served."""
        return self._catalogue.revision.number


def start_of(style: str, query: dict[str, str]) -> tuple[int, int]:
    """Return where a page begins and how long it is at most.

    Raises:
        ValueError: A number of the query is none.
    """
    size = int(query.get("limit" if style == "offset" else "size", "500"))
    if style == "all":
        return 0, 10**9
    if style == "page":
        return (int(query.get("page", "1")) - 1) * size, size
    name = {"offset": "offset", "cursor": "cursor"}.get(style, "start")
    return int(query.get(name) or "0"), size


def document(
    style: str, rows: list[Product], total: int, start: int, size: int, revision: int
) -> object:
    """Return the body of an answer, before it is encoded."""
    if style == "all":
        return rows
    body: dict[str, Any] = {"items": rows, "total": total, "revision": revision}
    following = start + size
    if style == "page":
        body |= {"page": start // size + 1, "size": size, "totalPages": -(-total // size)}
    elif style == "cursor":
        body["next"] = str(following) if following < total else None
    elif style == "next":
        body["next"] = _url(style, following, size) if following < total else None
    return body


def link_header(style: str, total: int, start: int, size: int) -> str | None:
    """Return the Link header of an answer (RFC 8288), if it has one."""
    if style != "link" or start + size >= total:
        return None
    return f'<{_url(style, start + size, size)}>; rel="next"'


def encoded(body: object) -> bytes:
    """Return a body as JSON; NaN and infinities come out as Python prints them."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _url(style: str, start: int, size: int) -> str:
    return f"/api/products/{style}?start={start}&size={size}"
