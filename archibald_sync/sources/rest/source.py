"""JSON over HTTP, in pages: the REST gateway in front of an ERP.

Records are found without being decoded; each is decoded only when its bytes are new.
Where a JSON object repeats a key, the last value counts.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import msgspec
import xxhash

from archibald_sync.domain.models import Page
from archibald_sync.errors import (
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.sources.http import Answer, HttpClient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archibald_sync.domain.normalise import Notation
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.rest.settings import RestSettings

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_record = msgspec.json.Decoder(dict[str, Any])
_any = msgspec.json.Decoder()


@dataclass(frozen=True, slots=True)
class _Request:
    url: str
    params: Mapping[str, str | int]


@dataclass(slots=True)
class _Reading:
    """How far one extract has come."""

    page_number: int = 0
    records: int = 0
    bytes_read: int = 0
    are_columns_checked: bool = False


class RestSource:
    """A resource behind a REST gateway."""

    def __init__(self, settings: RestSettings, mapping: FieldMapping) -> None:
        """Read as ``settings`` say; nothing is asked before ``pages``."""
        self._settings = settings
        self._mapping = mapping

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

    def pages(self, control: Control, validator: str | None = None) -> Iterator[Page]:  # noqa: ARG002
        """Read one complete extract, page by page.

        Raises:
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
            RunStopped: ``control`` ended the run.
        """
        client, reading = HttpClient(self._settings.http), _Reading()
        request: _Request | None = self._first_request()
        seen: set[object] = set()
        try:
            while request is not None:
                control.checkpoint()
                self._refuse_repetition(request, seen, reading)
                left = self._settings.http.max_bytes - reading.bytes_read
                answer = client.get(request.url, request.params, control, left)
                page, request = self._page(answer, request, reading)
                yield page
        finally:
            client.close()

    def check(self) -> str:
        """Read the first page; return a sentence about it.

        Raises:
            SourceError: The source does not answer as it should.
        """
        pages = self.pages(_Unstoppable())
        page = next(pages)
        pages.close()  # type: ignore[attr-defined]  # a generator
        announced = "" if page.declared_total is None else f" of {page.declared_total}"
        return f"the source answers: {len(page.fingerprints)}{announced} records on a first page"

    def _page(
        self, answer: Answer, request: _Request, reading: _Reading
    ) -> tuple[Page, _Request | None]:
        settings = self._settings
        document = _Document(answer)
        raws = document.records(settings.records)
        if raws and not reading.are_columns_checked:
            self._check_columns(raws)
            reading.are_columns_checked = True
        reading.page_number += 1
        reading.records += len(raws)
        reading.bytes_read += len(answer.body)
        total_pages = document.count(settings.pagination.total_pages)
        total = document.count(settings.total)
        digest, seed = xxhash.xxh3_128_digest, self._mapping.seed
        page = Page(
            number=reading.page_number,
            fingerprints=[digest(raw, seed) for raw in raws],
            decode=partial(self._decode, raws),
            total_pages=total_pages,
            declared_total=total,
        )
        is_last = not raws or (total is not None and reading.records >= total)
        following = self._next_request(document, request, reading, len(raws), total_pages)
        # A cursor or link may lead over an empty page; numbers and offsets do not.
        by_count = settings.pagination.style in {"page", "offset"} and total_pages is None
        return page, None if by_count and is_last else following

    def _first_request(self) -> _Request:
        pagination = self._settings.pagination
        params: dict[str, str | int] = {}
        if pagination.size_param:
            params[pagination.size_param] = pagination.size
        if pagination.style == "page":
            params[pagination.page_param] = pagination.first
        if pagination.style == "offset":
            params[pagination.offset_param] = 0
            params[pagination.limit_param] = pagination.size
        return _Request(self._settings.http.url, params)

    def _next_request(
        self,
        document: _Document,
        request: _Request,
        reading: _Reading,
        count: int,
        total_pages: int | None,
    ) -> _Request | None:
        pagination = self._settings.pagination
        if pagination.style == "page":
            is_short = count < pagination.size if pagination.size_param else count == 0
            is_last = is_short if total_pages is None else reading.page_number >= total_pages
            number = pagination.first + reading.page_number
            return None if is_last else _with(request, pagination.page_param, number)
        if pagination.style == "offset":
            is_short = count < pagination.size
            return None if is_short else _with(request, pagination.offset_param, reading.records)
        if pagination.style == "cursor":
            cursor = document.text(pagination.cursor)
            return _with(request, pagination.cursor_param, cursor) if cursor else None
        if pagination.style == "link":
            following = document.answer.next_url
        else:
            following = document.text(pagination.next) if pagination.style == "next" else None
        return _Request(urljoin(request.url, following), {}) if following else None

    def _refuse_repetition(self, request: _Request, seen: set[object], reading: _Reading) -> None:
        asked = (request.url, tuple(sorted(request.params.items())))
        if asked in seen:
            message = "the source leads back to a page that was read already"
            raise SourceFormatError(message, code="source_endless")
        seen.add(asked)
        if reading.page_number >= self._settings.max_pages:
            message = f"the source has more than {self._settings.max_pages} pages; raise "
            raise SourceFormatError(f"{message}max_pages if that is right", code="source_endless")

    def _check_columns(self, raws: Sequence[msgspec.Raw]) -> None:
        """Refuse a page on which a mapped column is nowhere: renamed or hidden."""
        delivered: set[str] = set()
        for raw in raws:
            delivered.update(_decoded(raw))
        if missing := [column for column in self._mapping.columns if column not in delivered]:
            raise SourceFormatError(
                f"the source no longer delivers: {', '.join(missing)}; "
                "correct the mapping in source.toml, or the source",
                code="source_column_missing",
            )

    def _decode(self, raws: Sequence[msgspec.Raw], index: int) -> tuple[object, ...]:
        record = _decoded(raws[index])
        return tuple([record.get(column) for column in self._mapping.columns])


class _Document:
    """One answer, looked into by dotted paths without decoding its records."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def records(self, path: str) -> list[msgspec.Raw]:
        """Return the records as delivered."""
        raw = self._find(path) if path else msgspec.Raw(self.answer.body)
        if raw is None:
            message = f"the answer has no {path!r}; correct records in source.toml"
            raise SourceFormatError(message, code="source_no_records")
        try:
            return _list.decode(raw)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise self._fault(exc) from exc

    def count(self, path: str) -> int | None:
        """Return a number that the answer announces, if a path to it is set."""
        value = self._value(path)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise SourceFormatError(f"{path!r} of the answer is no count", code="source_count")

    def text(self, path: str) -> str | None:
        """Return a text or number at a path, as text; None where there is none."""
        value = self._value(path)
        if value is None or value == "":
            return None
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        raise SourceFormatError(f"{path!r} of the answer is no text", code="source_cursor")

    def _value(self, path: str) -> object:
        raw = self._find(path) if path else None
        try:
            return None if raw is None else _any.decode(raw)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise self._fault(exc) from exc

    def _find(self, path: str) -> msgspec.Raw | None:
        raw: msgspec.Raw | None = msgspec.Raw(self.answer.body)
        try:
            for part in path.split("."):
                if raw is None:
                    return None
                raw = _object.decode(raw).get(part)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise self._fault(exc) from exc
        return raw

    def _fault(self, exc: Exception) -> SourceError:
        """Tell a cut answer from a login page from a wrong shape."""
        start = self.answer.body[:4096].lstrip().lower()
        if start.startswith(b"<") or "html" in self.answer.content_type:
            if b"password" in self.answer.body[:65536].lower():
                message = "the source answered with its login page; check the credentials"
                return SourceAuthError(message, code="source_login_page")
            return SourceFormatError("the source answered with a web page", code="source_html")
        if "truncated" in str(exc):
            return TransientSourceError("the answer breaks off in the middle", code="source_cut")
        if isinstance(exc, msgspec.ValidationError):
            message = "the answer has another shape than source.toml says; check records"
            return SourceFormatError(message, code="source_shape")
        return SourceFormatError("the answer is not valid JSON", code="source_json")


class _Unstoppable:
    """A control for reading outside a run."""

    def checkpoint(self) -> None:
        """Go on."""

    def closing(self, close: Any) -> Any:  # noqa: ANN401  # never called
        """Never close."""
        return contextlib.nullcontext(close)


def _decoded(raw: msgspec.Raw) -> dict[str, Any]:
    try:
        return _record.decode(raw)
    except (msgspec.DecodeError, RecursionError) as exc:
        message = "a record is not a valid JSON object"
        raise SourceFormatError(message, code="source_record") from exc


def _with(request: _Request, name: str, value: str | int) -> _Request:
    return _Request(request.url, {**request.params, name: value})
