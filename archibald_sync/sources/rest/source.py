"""JSON over HTTP, in pages: the REST gateway in front of an ERP.

Records are found without being decoded; each is decoded only when its bytes are new.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count, takewhile
from typing import TYPE_CHECKING

from archibald_sync.sources.http import joined
from archibald_sync.sources.json_document import JsonDocument
from archibald_sync.sources.json_extract import JsonExtract
from archibald_sync.sources.json_pages import Walk, read_pages
from archibald_sync.sources.json_records import RecordReader
from archibald_sync.sources.page_fetcher import Request
from archibald_sync.sources.reading import describe_first_page

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from archibald_sync.domain.models import Page
    from archibald_sync.domain.normalise import Notation
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.http import Answer
    from archibald_sync.sources.json_document import Path
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.rest.settings import RestSettings


class RestSource:
    """A resource behind a REST gateway."""

    def __init__(self, settings: RestSettings, mapping: FieldMapping) -> None:
        """Read as ``settings`` say; nothing is asked before ``pages``."""
        self._settings = settings
        self._mapping = mapping
        self._records = RecordReader(mapping.columns)

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
        scope = f"{settings.http.url}|{settings.records}|{settings.pagination}"
        extract = JsonExtract(
            self._mapping, settings.conditional, scope, settings.max_pages, validator
        )
        walk = Walk(self._first_request(), self._step, self._known_ahead)
        return read_pages(walk, settings.http, settings.concurrency, extract, control)

    def check(self) -> str:
        """Read the first page; return a sentence about it.

        Raises:
            SourceError: The source does not answer as it should.
        """
        alone = replace(self._settings, concurrency=1)
        return describe_first_page(RestSource(alone, self._mapping))

    def _step(
        self, answer: Answer, request: Request, extract: JsonExtract
    ) -> tuple[Page, Request | None]:
        settings = self._settings
        document = JsonDocument(answer)
        raws = document.records(_path(settings.records))
        extract.take(document, raws)
        total_pages = _announced(document, settings.pagination.total_pages)
        total = _announced(document, settings.total)
        is_complete = not raws or (total is not None and extract.records >= total)
        following = self._next_request(document, request, extract, len(raws), total_pages)
        # A cursor or link may lead over an empty page; numbers and offsets do not.
        if is_complete and settings.pagination.style in {"page", "offset"} and total_pages is None:
            following = None
        counts = (total_pages, total)
        decode = self._records.of(raws)
        return extract.page(raws, decode, counts, is_last=following is None), following

    def _first_request(self) -> Request:
        pagination = self._settings.pagination
        params: dict[str, str | int] = {}
        if pagination.size_param:
            params[pagination.size_param] = pagination.size
        if pagination.style == "page":
            params[pagination.page_param] = pagination.first
        if pagination.style == "offset":
            params[pagination.offset_param] = 0
            params[pagination.limit_param] = pagination.size
        return Request(self._settings.http.url, params)

    def _next_request(
        self,
        document: JsonDocument,
        request: Request,
        extract: JsonExtract,
        rows: int,
        total_pages: int | None,
    ) -> Request | None:
        pagination = self._settings.pagination
        if pagination.style == "page":
            is_short = rows < pagination.size if pagination.size_param else rows == 0
            is_last = is_short if total_pages is None else extract.page_number >= total_pages
            number = pagination.first + extract.page_number
            return None if is_last else request.with_param(pagination.page_param, number)
        if pagination.style == "offset":
            is_short = rows < pagination.size
            return (
                None if is_short else request.with_param(pagination.offset_param, extract.records)
            )
        if pagination.style == "cursor":
            cursor = document.text(_path(pagination.cursor), "source_cursor")
            return request.with_param(pagination.cursor_param, cursor) if cursor else None
        if pagination.style == "link":
            following = document.answer.next_url
        elif pagination.style == "next":
            following = document.text(_path(pagination.next), "source_cursor")
        else:
            following = None
        return Request(joined(request.url, following)) if following else None

    def _known_ahead(self, first: Page, second: Request) -> Iterable[Request]:
        """Return the requests from the second on, where a first page tells how many there are."""
        pagination, rows = self._settings.pagination, len(first.fingerprints)
        total = first.declared_total
        if pagination.style == "page":
            pages = first.total_pages
            if pages is None and total is not None and rows:
                pages = -(-total // rows)
            numbers = range(pagination.first + 1, pagination.first + (pages or 0))
            return (second.with_param(pagination.page_param, number) for number in numbers)
        if pagination.style == "offset" and total is not None and rows:
            offsets = takewhile(lambda offset: offset < total, count(rows, rows))
            return (second.with_param(pagination.offset_param, offset) for offset in offsets)
        return ()


def _path(dotted: str) -> Path:
    return tuple(dotted.split(".")) if dotted else ()


def _announced(document: JsonDocument, dotted: str) -> int | None:
    return document.count(_path(dotted)) if dotted else None
