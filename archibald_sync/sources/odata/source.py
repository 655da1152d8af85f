"""An entity set of an OData service, in pages: version 4 and version 2.

Records are found without being decoded; each is decoded only when its bytes are new.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlencode

from archibald_sync.errors import PermanentSourceError, SourceFormatError
from archibald_sync.sources.http import joined
from archibald_sync.sources.json_document import JsonDocument
from archibald_sync.sources.json_extract import JsonExtract
from archibald_sync.sources.json_pages import Walk, read_pages
from archibald_sync.sources.json_records import RecordReader
from archibald_sync.sources.odata.settings import Paging, Version
from archibald_sync.sources.odata.values import readers
from archibald_sync.sources.page_fetcher import Request
from archibald_sync.sources.reading import describe_first_page

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from archibald_sync.domain.models import Decode, Page
    from archibald_sync.domain.normalise import Notation
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.http import Answer
    from archibald_sync.sources.json_document import Path
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.odata.settings import ODataSettings

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Where a version's answers hold what, and how it is asked; the first name found counts."""

    records: Path
    counts: tuple[Path, ...]
    links: tuple[Path, ...]
    count_option: tuple[str, str]
    headers: Mapping[str, str]


_DIALECTS = {
    Version.V4: _Dialect(
        records=("value",),
        # 4.01 may leave "odata." out.
        counts=(("@odata.count",), ("@count",)),
        links=(("@odata.nextLink",), ("@nextLink",)),
        count_option=("$count", "true"),
        headers={"OData-MaxVersion": "4.0"},
    ),
    Version.V2: _Dialect(
        records=("d", "results"),
        counts=(("d", "__count"),),
        links=(("d", "__next"),),
        count_option=("$inlinecount", "allpages"),
        headers={"MaxDataServiceVersion": "2.0"},
    ),
}


class ODataSource:
    """A resource behind an OData service."""

    def __init__(self, settings: ODataSettings, mapping: FieldMapping) -> None:
        """Read as ``settings`` say; nothing is asked before ``pages``."""
        self._settings = settings
        self._dialect = _DIALECTS[settings.version]
        self._mapping = mapping.read_as(f"odata {settings.timezone}")
        self._records = RecordReader(mapping.columns)
        self._readers = readers(mapping.types, settings.timezone)

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the delivered fields of the resource, the key first."""
        return self._mapping.fields

    @property
    def notation(self) -> Notation:
        """Return how numbers and dates are written."""
        return self._mapping.notation

    @property
    def mapping_version(self) -> str:
        """Return what changes whenever the mapping of fields does."""
        return self._mapping.version

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:
        """Read one complete extract, page by page.

        Raises:
            NotModified: Nothing changed since ``validator``.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
            RunStopped: ``control`` ended the run.
        """
        settings = self._settings
        scope = f"{settings.http.url}|{self._query()}|{settings.paging}"
        extract = JsonExtract(
            self._mapping, settings.conditional, scope, settings.max_pages, validator
        )
        walk = Walk(self._request(0), self._step, self._known_ahead)
        try:
            yield from read_pages(walk, settings.http, settings.concurrency, extract, control)
        except PermanentSourceError as exc:
            if exc.code != "source_http_400":
                raise
            message = "the source refuses our query (400): a mapped column may have been renamed, "
            message += "or it cannot filter, count or order; compare fields and filter in "
            message += "source.toml with its $metadata"
            raise SourceFormatError(message, code="source_query") from exc

    def check(self) -> str:
        """Read the first page; return a sentence about it.

        Raises:
            SourceError: The source does not answer as it should.
        """
        alone = replace(self._settings, concurrency=1)
        return describe_first_page(ODataSource(alone, self._mapping))

    def _step(
        self, answer: Answer, request: Request, extract: JsonExtract
    ) -> tuple[Page, Request | None]:
        document = JsonDocument(answer)
        raws = document.records(self._dialect.records)
        extract.take(document, raws)
        total = _first(document.count(path) for path in self._dialect.counts)
        if total is None and self._settings.has_count and extract.page_number == 1:
            message = "the answer does not say how many records there are; "
            message += "write count = false if the source cannot"
            raise SourceFormatError(message, code="source_count")
        following = self._following(document, request, extract, len(raws), total)
        decode = partial(self._decode, self._records.of(raws))
        return extract.page(raws, decode, (None, total), is_last=following is None), following

    def _following(
        self,
        document: JsonDocument,
        request: Request,
        extract: JsonExtract,
        rows: int,
        total: int | None,
    ) -> Request | None:
        links = (document.text(path, "source_cursor") for path in self._dialect.links)
        if (link := _first(links)) is not None:
            return replace(request, url=joined(request.url, link))
        if self._settings.paging is Paging.SERVER or not rows:
            return None
        is_last = rows < self._settings.page_size if total is None else extract.records >= total
        return None if is_last else self._request(extract.records)

    def _known_ahead(self, first: Page, second: Request) -> Iterable[Request]:
        """Return the requests from the second on, where the first page's length tells them."""
        rows, total = len(first.fingerprints), first.declared_total
        if total is None or second != self._request(rows):
            return ()
        return (self._request(skip) for skip in range(rows, total, rows))

    def _query(self) -> dict[str, str]:
        query = {"$select": ",".join(self._mapping.columns)}
        if self._settings.filter:
            query["$filter"] = self._settings.filter
        if self._settings.has_count:
            query |= [self._dialect.count_option]
        return query

    def _request(self, skip: int) -> Request:
        query, size = self._query(), self._settings.page_size
        headers = dict(self._dialect.headers)
        if self._settings.paging is Paging.SKIP:
            query["$orderby"] = self._mapping.columns[0]
            query |= {"$skip": str(skip), "$top": str(size)}
        else:
            headers["Prefer"] = f"odata.maxpagesize={size}"
        # A space must be %20: not every service reads a plus as one.
        text = urlencode(query, quote_via=quote, safe="$,")
        url = self._settings.http.url
        return Request(f"{url}{'&' if '?' in url else '?'}{text}", headers=headers)

    def _decode(self, values_of: Decode, indexes: Sequence[int]) -> list[tuple[object, ...]]:
        return list(map(self._read, values_of(indexes)))

    def _read(self, values: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(
            value if read is None else read(value)
            for read, value in zip(self._readers, values, strict=True)
        )


def _first(values: Iterable[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)
