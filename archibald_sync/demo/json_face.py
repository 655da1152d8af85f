"""The JSON face: one consistent revision, cut into pages in six styles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.demo.pages import encoded, spoiled

if TYPE_CHECKING:
    from archibald_sync.demo.catalogue import Product
    from archibald_sync.demo.exchange import Exchange

STYLES = ("page", "offset", "cursor", "link", "next", "all")
_ROOT = "/api/products"


def serves(path: str) -> bool:
    """Return whether this face answers requests for ``path``."""
    return path == _ROOT or path.removeprefix(f"{_ROOT}/") in STYLES


def answer(exchange: Exchange) -> None:
    """Answer with a page of products, or as the faults make it."""
    erp = exchange.erp
    if not exchange.is_let_in():
        return
    style = "page" if exchange.path == _ROOT else exchange.path.rpartition("/")[2]
    try:
        start, size = start_of(style, exchange.query)
    except ValueError:
        exchange.json(400, {"error": "page, size, offset, limit: expected numbers"})
        return
    hits = erp.faults.taking_effect(start // size + 1)
    if exchange.is_refused(hits):
        return
    rows, total = erp.revisions.products(start, size, hits)
    rows = spoiled(rows, hits)
    body = document(style, rows, total + ("wrong-total" in hits), start, size, erp.revisions.number)
    if "endless-next" in hits and isinstance(body, dict):
        body["next"] = "7" if style == "cursor" else exchange.target
    content = encoded(body)
    extra = {"ETag": exchange.tag(content)}
    if (link := link_header(style, total, start, size)) is not None:
        extra["Link"] = link
    exchange.deliver(content, hits, extra=extra)


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


def _url(style: str, start: int, size: int) -> str:
    return f"/api/products/{style}?start={start}&size={size}"
