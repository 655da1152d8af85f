"""What one extract of JSON pages keeps in mind: how far it came, and what must hold for all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

import xxhash

from archibald_sync.domain.models import Page
from archibald_sync.errors import NotModified, SourceFormatError, TransientSourceError
from archibald_sync.sources.json_records import refuse_missing_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import msgspec

    from archibald_sync.domain.models import Decode
    from archibald_sync.sources.json_document import JsonDocument
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.page_fetcher import Request
    from archibald_sync.sources.table import TableReader

CONDITIONAL_KEYS = ("conditional", "validator")
_HEADER = "header:"
_ETAG_HEADER = "etag"
_MAX_MARK = 200
# As RFC 9110 has it, without its obsolete bytes above ASCII.
_ENTITY_TAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"', re.ASCII)


@dataclass(frozen=True, slots=True)
class Conditional:
    """Whether a source may say that nothing changed, and by what.

    ``mark`` is a dotted path, or ``header:`` and a name, of what stands for the whole
    list in each answer; ``""`` is the ETag, which covers no more than one answer.
    """

    is_on: bool = True
    mark: str = ""

    @property
    def is_etag(self) -> bool:
        """Return whether the server itself compares what we show."""
        return self.mark == "" or self.mark.lower() == _HEADER + _ETAG_HEADER

    def found_in(self, document: JsonDocument) -> str | None:
        """Return the mark that an answer carries, if it carries a usable one."""
        if self.is_etag:
            text = document.answer.headers.get(_ETAG_HEADER)
            text = text if text and _ENTITY_TAG.fullmatch(text) else None
        elif self.mark.startswith(_HEADER):
            text = document.answer.headers.get(self.mark.removeprefix(_HEADER))
        else:
            text = document.text(tuple(self.mark.split(".")), "source_validator")
        return text if text and len(text) <= _MAX_MARK else None


def read_conditional(reader: TableReader) -> Conditional:
    """Return when a read may be cut short; faults are remembered in ``reader``."""
    mark = reader.text("validator", "")
    if mark.startswith(_HEADER) and not mark.removeprefix(_HEADER).replace("-", "").isalnum():
        reader.fault("validator", f"{mark!r} names no header", 'write one such as "header:ETag"')
    return Conditional(reader.flag("conditional", default=True), mark)


@dataclass(slots=True)
class JsonExtract:
    """How far one extract has come.

    ``scope`` says what is read and how: a ``validator`` of another counts for nothing.
    """

    mapping: FieldMapping
    conditional: Conditional
    scope: str
    max_pages: int
    validator: str | None
    page_number: int = 0
    records: int = 0
    _are_columns_checked: bool = False
    _mark: str | None = None
    _seen: set[object] = field(default_factory=set)

    def condition(self) -> Mapping[str, str]:
        """Return the headers by which the first request asks whether something changed."""
        known = None if self.page_number else self._known()
        return {} if known is None or not self.conditional.is_etag else {"If-None-Match": known}

    def admit(self, request: Request) -> None:
        """Refuse a page that was read before, and one too many.

        Raises:
            SourceFormatError: The pages would not end.
        """
        asked = (request.url, tuple(sorted(request.params.items())))
        if asked in self._seen:
            message = "the source leads back to a page that was read already"
            raise SourceFormatError(message, code="source_endless")
        self._seen.add(asked)
        if self.page_number >= self.max_pages:
            message = f"the source has more than {self.max_pages} pages; raise "
            raise SourceFormatError(f"{message}max_pages if that is right", code="source_endless")

    def take(self, document: JsonDocument, raws: Sequence[msgspec.Raw]) -> None:
        """Count a page, and see whether it fits what came before.

        Raises:
            NotModified: It is the first, and shows that nothing changed.
            SourceFormatError: A mapped column is nowhere.
            TransientSourceError: The list changed while it was read.
        """
        self.page_number += 1
        self.records += len(raws)
        self._compare_marks(document)
        if raws and not self._are_columns_checked:
            refuse_missing_columns(raws, self.mapping.columns)
            self._are_columns_checked = True

    def page(
        self,
        raws: Sequence[msgspec.Raw],
        decode: Decode,
        counts: tuple[int | None, int | None],
        *,
        is_last: bool,
    ) -> Page:
        """Return the page that was taken.

        Args:
            raws: Its records as delivered.
            decode: Gives the values of some of them.
            counts: How many pages and how many records the answer announces.
            is_last: Whether it ends the extract.
        """
        digest, seed = xxhash.xxh3_128_digest, self.mapping.seed
        return Page(
            number=self.page_number,
            fingerprints=list(map(digest, raws, repeat(seed))),
            decode=decode,
            total_pages=counts[0],
            declared_total=counts[1],
            validator=self._new_validator() if is_last else None,
        )

    def _compare_marks(self, document: JsonDocument) -> None:
        mark = self.conditional.found_in(document)
        if self.page_number == 1:
            self._mark = mark
            if mark is not None and mark == self._known():
                raise NotModified("the source shows that nothing changed")
        elif not self.conditional.is_etag and _differ(mark, self._mark):
            message = "the list changed while it was read: its pages are of different revisions"
            raise TransientSourceError(message, code="source_changed")

    def _known(self) -> str | None:
        scope, _, mark = (self.validator or "").partition(" ")
        return mark if self.conditional.is_on and mark and scope == self._scope_hash() else None

    def _new_validator(self) -> str | None:
        """Return what to show next time; an ETag alone covers no further page."""
        is_covered = self.conditional.mark or self.page_number == 1
        if not self.conditional.is_on or self._mark is None or not is_covered:
            return None
        return f"{self._scope_hash()} {self._mark}"

    def _scope_hash(self) -> str:
        text = f"{self.mapping.version}|{self.conditional.mark}|{self.scope}"
        return xxhash.xxh3_64_hexdigest(text.encode())


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other
