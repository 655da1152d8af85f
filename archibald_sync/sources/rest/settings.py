"""What a REST gateway's table of ``source.toml`` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from archibald_sync.sources.http_settings import HTTP_KEYS, HttpSettings, read_http
from archibald_sync.sources.json_extract import CONDITIONAL_KEYS, Conditional, read_conditional

if TYPE_CHECKING:
    from archibald_sync.sources.table import TableReader

KEYS = (
    *HTTP_KEYS,
    *CONDITIONAL_KEYS,
    "records",
    "total",
    "pagination",
    "max_pages",
    "concurrency",
)
PAGINATION_KEYS: dict[str, tuple[str, ...]] = {
    "none": (),
    "page": ("page_param", "size_param", "size", "first", "total_pages"),
    "offset": ("offset_param", "limit_param", "size"),
    "cursor": ("cursor_param", "cursor", "size_param", "size"),
    "link": ("size_param", "size"),
    "next": ("next", "size_param", "size"),
}


@dataclass(frozen=True, slots=True)
class Pagination:
    """How a source divides its answer; unused settings keep their defaults."""

    style: str = "none"
    page_param: str = "page"
    size_param: str = ""
    offset_param: str = "offset"
    limit_param: str = "limit"
    cursor_param: str = "cursor"
    cursor: str = "next"
    next: str = "next"
    total_pages: str = ""
    size: int = 500
    first: int = 1


@dataclass(frozen=True, slots=True)
class RestSettings:
    """One table of ``source.toml``; paths are dotted."""

    http: HttpSettings
    records: str = ""
    total: str = ""
    pagination: Pagination = Pagination()
    max_pages: int = 100_000
    concurrency: int = 4
    conditional: Conditional = field(default_factory=Conditional)


def read_rest(reader: TableReader) -> RestSettings:
    """Return the settings of a table; faults are remembered in ``reader``."""
    pagination, conditional = _pagination(reader), read_conditional(reader)
    if pagination.style != "none" and not conditional.mark:
        # The ETag of a first page says nothing about the others.
        conditional = Conditional(is_on=False)
    return RestSettings(
        http=read_http(reader),
        records=reader.text("records", ""),
        total=reader.text("total", ""),
        pagination=pagination,
        max_pages=reader.integer("max_pages", 100_000, 1, 10_000_000),
        concurrency=reader.integer("concurrency", 4, 1, 32),
        conditional=conditional,
    )


def _pagination(reader: TableReader) -> Pagination:
    table = reader.subtable("pagination")
    style = reader.word("style", tuple(PAGINATION_KEYS), "none", "pagination")
    reader.refuse_unknown(table, ("style", *PAGINATION_KEYS.get(style, ())), "pagination.")
    values: dict[str, Any] = {"style": style}
    for key in PAGINATION_KEYS.get(style, ()):
        if key in {"size", "first"}:
            default, least, most = (500, 1, 1_000_000) if key == "size" else (1, 0, 1)
            values[key] = reader.integer(key, default, least, most, "pagination")
        elif key in table:
            values[key] = reader.text(key, "", "pagination")
    return Pagination(**values)
