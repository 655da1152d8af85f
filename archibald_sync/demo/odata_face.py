"""The OData faces: v4 and v2, with server-driven paging and paging by ``$skip``.

Names of columns that hold a dot are plain property names here. ``$filter`` knows one
comparison, ``NAME eq value``; what is not understood is answered 400, as real ones do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from archibald_sync.demo.pages import encoded, spoiled

if TYPE_CHECKING:
    from archibald_sync.demo.catalogue import Product
    from archibald_sync.demo.exchange import Exchange, Hits

_V2, _V4 = 2, 4
_ROOTS = {"/odata/v4/Products": _V4, "/odata/v2/Products": _V2}
_OPTIONS = {"$select", "$filter", "$orderby", "$skip", "$top", "$skiptoken", "$format"}
_COUNTS = {_V4: {"$count": "true"}, _V2: {"$inlinecount": "allpages"}}
_MAX_PAGE = 1000
_PREFERENCE = re.compile(r"odata\.maxpagesize=([0-9]{1,9})", re.ASCII)
_FILTER = re.compile(r"(?P<name>\S+) eq ('(?P<text>[^']*)'|(?P<word>true|false))")
_TIMES = ("CREATEDDATETIME", "MODIFIEDDATETIME")


@dataclass(frozen=True, slots=True)
class _Query:
    """What a request asks for; ``start`` and ``end`` count in what ``$filter`` leaves."""

    version: int
    columns: tuple[str, ...]
    condition: tuple[str, object] | None
    order: str
    start: int
    end: int
    page_size: int
    has_count: bool

    def view(self, products: list[Product]) -> list[Product]:
        """Return what is asked for of ``products``, in the order asked for."""
        if self.condition is not None:
            name, value = self.condition
            products = [one for one in products if one.get(name) == value]
        return sorted(products, key=lambda one: str(one[self.order])) if self.order else products


def serves(path: str) -> bool:
    """Return whether this face answers requests for ``path``."""
    return path in _ROOTS


def answer(exchange: Exchange) -> None:
    """Answer with a page of products, or as the faults make it."""
    if not exchange.is_let_in():
        return
    try:
        query = _query(exchange)
    except ValueError as exc:
        exchange.json(400, {"error": {"code": "", "message": str(exc)}})
        return
    erp, size = exchange.erp, max(min(query.page_size, query.end - query.start), 0)
    hits = erp.faults.taking_effect(query.start // query.page_size + 1)
    if exchange.is_refused(hits):
        return
    rows, total = erp.revisions.products(query.start, size, hits, query.view)
    if unknown := _unknown(query, rows, hits):
        exchange.json(400, {"error": {"code": "", "message": f"no property {min(unknown)}"}})
        return
    rows = spoiled([_written(row, query) for row in rows], hits)
    link = _next_link(exchange, query, query.start + size, min(query.end, total), hits)
    content = encoded(_document(query, rows, total + ("wrong-total" in hits), link))
    exchange.deliver(content, hits, extra={"ETag": exchange.tag(content)})


def _query(exchange: Exchange) -> _Query:
    """Read the query.

    Raises:
        ValueError: It asks for something that this face does not know.
    """
    given, version = exchange.query, _ROOTS[exchange.path]
    counts = _COUNTS[version]
    if unknown := {name for name in given if name[:1] == "$"} - _OPTIONS - set(counts):
        raise ValueError(f"unknown query option {min(unknown)}")
    skip = int(given.get("$skip", "0"))
    preferred = _PREFERENCE.search(exchange.headers.get("Prefer", ""))
    size = min(int(preferred[1]) if preferred else _MAX_PAGE, _MAX_PAGE)
    return _Query(
        version=version,
        columns=tuple(given["$select"].split(",")) if "$select" in given else (),
        condition=_condition(given["$filter"]) if "$filter" in given else None,
        order=given.get("$orderby", "").removesuffix(" asc"),
        start=int(given.get("$skiptoken", skip)),
        end=skip + int(given.get("$top", "999999999")),
        page_size=max(min(size, int(given.get("$top", size))), 1),
        has_count=any(given.get(name) == value for name, value in counts.items()),
    )


def _condition(text: str) -> tuple[str, object]:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise ValueError("this $filter is not understood")
    text = found["text"]
    return found["name"], found["word"] == "true" if text is None else text


def _unknown(query: _Query, rows: list[Product], hits: Hits) -> set[str]:
    """Return the selected columns that there are not; a renamed one is not there any more."""
    known = set(rows[0] if rows else query.columns)
    return set(query.columns) - (known - {"NAME"} if "renamed" in hits else known)


def _written(row: Product, query: _Query) -> dict[str, Any]:
    """Return the selected columns, each as its type is written in this version."""
    row = {name: row[name] for name in query.columns if name in row} if query.columns else row
    written = {name: _value(name, value, query.version) for name, value in row.items()}
    if query.version == _V2:
        written["__metadata"] = {"type": "Erp.Product", "uri": f"Products('{row.get('ITEMID')}')"}
    return written


def _value(name: str, value: object, version: int) -> object:
    if name in _TIMES:
        if version == _V4:
            return f"{value}Z"
        moment = datetime.fromisoformat(str(value)).replace(tzinfo=UTC)
        return f"/Date({int(moment.timestamp() * 1000)})/"
    if version == _V2 and isinstance(value, float):
        return str(Decimal(str(value)).quantize(Decimal("0.01")))
    return value


def _next_link(exchange: Exchange, query: _Query, start: int, end: int, hits: Hits) -> str | None:
    """Return where the next page is: relative in v4, absolute in v2."""
    if "endless-next" in hits:
        return exchange.target
    if start >= end:
        return None
    target = f"Products?{urlencode({**exchange.query, '$skiptoken': str(start)})}"
    return target if query.version == _V4 else exchange.erp.url(f"/odata/v2/{target}")


def _document(query: _Query, rows: list[Any], total: int, link: str | None) -> dict[str, Any]:
    if query.version == _V4:
        body: dict[str, Any] = {"@odata.context": "$metadata#Products"}
        if query.has_count:
            body["@odata.count"] = total
        body["value"] = rows
        return body if link is None else {**body, "@odata.nextLink": link}
    results: dict[str, Any] = {"results": rows}
    if query.has_count:
        results["__count"] = str(total)
    if link is not None:
        results["__next"] = link
    return {"d": results}
