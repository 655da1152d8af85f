"""What an OData service's table of ``source.toml`` says."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from archibald_sync.domain.normalise import Notation
from archibald_sync.sources.http_settings import HTTP_KEYS, HttpSettings, read_http
from archibald_sync.sources.json_extract import CONDITIONAL_KEYS, Conditional, read_conditional

if TYPE_CHECKING:
    from archibald_sync.sources.table import TableReader

KEYS = (
    *HTTP_KEYS,
    *CONDITIONAL_KEYS,
    "version",
    "filter",
    "paging",
    "page_size",
    "count",
    "timezone",
    "max_pages",
    "concurrency",
)


class Version(StrEnum):
    """Which OData a service speaks."""

    V4 = "v4"
    V2 = "v2"


class Paging(StrEnum):
    """Who divides the list."""

    SERVER = "server"  # it names the next page in each answer
    SKIP = "skip"  # we do, by $skip and $top, ordered by the key


@dataclass(frozen=True, slots=True)
class ODataSettings:
    """One table of ``source.toml``; without ``timezone`` times stay as they are written."""

    http: HttpSettings
    version: Version = Version.V4
    filter: str = ""
    paging: Paging = Paging.SERVER
    page_size: int = 500
    has_count: bool = True
    timezone: ZoneInfo | None = None
    max_pages: int = 100_000
    concurrency: int = 4
    conditional: Conditional = field(default_factory=Conditional)


def read_odata(reader: TableReader) -> ODataSettings:
    """Return the settings of a table; faults are remembered in ``reader``."""
    if reader.table.get("notation", Notation.PLAIN) != Notation.PLAIN:
        reader.fault("notation", "OData has its own", "leave notation out")
    paging = Paging(reader.word("paging", tuple(Paging), Paging.SERVER))
    conditional = read_conditional(reader)
    if paging is Paging.SKIP and not conditional.mark:
        # The ETag of a first page says nothing about the others.
        conditional = Conditional(is_on=False)
    return ODataSettings(
        http=read_http(reader),
        version=Version(reader.word("version", tuple(Version), Version.V4)),
        filter=reader.text("filter", ""),
        paging=paging,
        page_size=reader.integer("page_size", 500, 1, 1_000_000),
        has_count=reader.flag("count", default=True),
        timezone=_timezone(reader),
        max_pages=reader.integer("max_pages", 100_000, 1, 10_000_000),
        concurrency=reader.integer("concurrency", 4, 1, 32),
        conditional=conditional,
    )


def _timezone(reader: TableReader) -> ZoneInfo | None:
    name = reader.text("timezone", "")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        reader.fault("timezone", f"{name!r} is unknown here", "write one such as Europe/Rome")
        return None
