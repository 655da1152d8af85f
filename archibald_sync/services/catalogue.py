"""Read the local copy: lists, one record, its history, the change feed, pack variants."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.reading import ChangeSpan, RecordQuery
from archibald_sync.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    from archibald_sync.domain.reading import (
        CatalogueReader,
        ChangePage,
        ChangeQuery,
        Group,
    )
    from archibald_sync.domain.resources import Resource

    Record = Mapping[str, Any]

MAX_GROUPS = 500
MAX_NAMESAKES = 50
MAX_VARIANTS = 500


@dataclass(frozen=True, slots=True)
class VariantChoice:
    """The variants that share a name, and the one that fits a quantity; None where none does."""

    variants: Sequence[Record]
    chosen: Record | None


class CatalogueService:
    """Answers questions about the local copy of one resource."""

    def __init__(self, resource: Resource, reader: CatalogueReader) -> None:
        """Read through ``reader``."""
        self._resource = resource
        self._reader = reader

    def revision(self, *, with_words: bool = False) -> str:
        """Return what changes whenever a record does, or ``with_words`` what a search finds."""
        return self._reader.revision(with_words=with_words)

    def records(self, query: RecordQuery) -> list[Record]:
        """Return a page of records, each with its ``rowId``."""
        return self._reader.search(query) if query.words else self._reader.records(query)

    def is_empty(self) -> bool:
        """Return whether there never was a record."""
        return not self._reader.records(RecordQuery(with_deleted=True, limit=1))

    def record(self, key: str) -> tuple[Record, str]:
        """Return one record, deleted or not, and the revision in which it is so.

        Raises:
            NotFoundError: There never was such a record.
        """
        found = self._reader.record(key)
        if found is None:
            raise NotFoundError(f"there is no such {self._resource.singular}")
        return found

    def changes_of(self, key: str, limit: int, before: int | None) -> list[Record]:
        """Return the changes of one record older than ``before``, the newest first.

        Raises:
            NotFoundError: There never was such a record.
        """
        self.record(key)
        return self._reader.changes_of(key, limit, before)

    def changes_since(self, cursor: int, limit: int) -> ChangePage:
        """Return the changes after ``cursor``, and the records that they are about.

        Raises:
            NotFoundError: The log does not hold ``cursor``.
        """
        return self._reader.changes_since(cursor, limit)

    def changes_of_session(
        self, session: Mapping[str, Any], limit: int, after: int | None = None
    ) -> list[Record]:
        """Return what a session changed, in the order in which it was written.

        Args:
            session: Its row.
            limit: How many changes at most.
            after: The id of the change that they follow; None: from the first one.

        Returns:
            Nothing where the session wrote nothing, or the log no longer holds it.
        """
        first: int | None = session["changesAfter"]
        if first is None:
            return []
        return self._reader.changes_of_session(session["id"], max(first, after or 0), limit)

    def every_record(self, *, with_deleted: bool) -> AbstractContextManager[Iterator[Record]]:
        """Give a block all records by key as of one moment."""
        return self._reader.every_record(with_deleted=with_deleted)

    def variants(self, name: str, quantity: Decimal) -> VariantChoice:
        """Choose among the variants of one name by the quantity that is wanted.

        Chosen is the one with the largest multiple that divides ``quantity``, of those
        that can be ordered; of equal ones the first by key. Of more than `MAX_VARIANTS`
        only the first by key are looked at.

        Raises:
            NotFoundError: No record that is not deleted has this name, or the resource
                has no variants.
        """
        rule, named = self._resource.variants, self._resource.name_field
        found = self._reader.sharing(named, name, MAX_VARIANTS) if named else []
        if rule is None or not found:
            raise NotFoundError(f"there is no {self._resource.singular} of this name")
        fitting = [
            (multiple, record)
            for record in found
            if record[rule.stopped] != 1
            and record[rule.orderable] != 0
            and (multiple := _divisor(record[rule.multiple], quantity)) is not None
        ]
        chosen = max(fitting, key=lambda one: one[0])[1] if fitting else None
        return VariantChoice(found, chosen)

    def span_between(self, start_at: int, end_at: int) -> ChangeSpan:
        """Return which changes were made from ``start_at`` to before ``end_at``, instants."""
        return self._reader.span_between(start_at, end_at)

    def span_of_session(self, session: Mapping[str, Any]) -> ChangeSpan:
        """Return which changes ``session``, its row, has written; none where it wrote none."""
        after: int | None = session["changesAfter"]
        if after is None:
            return ChangeSpan(0, 0)
        return self._reader.span_of_session(session["id"], after)

    def changes(self, query: ChangeQuery) -> ChangePage:
        """Return changes, the newest first, and the records that they are about.

        A page that is not the last may hold fewer than were asked for.
        """
        return self._reader.changes(query)

    def groups(self) -> list[Group]:
        """Return the groups by which a list can be narrowed, the first few hundred."""
        return self._reader.groups(MAX_GROUPS)

    def namesakes(self, record: Record) -> list[Record]:
        """Return the records that share the name of ``record``, itself among them, some dozen."""
        named = self._resource.name_field
        name = record[named] if named else None
        return self._reader.sharing(named, name, MAX_NAMESAKES) if named and name else []


def _divisor(multiple: str | None, quantity: Decimal) -> Decimal | None:
    """Return ``multiple`` where it divides ``quantity``; None, too, where it is no number.

    Somebody else may have written it: what a sync writes is a number.
    """
    try:
        divisor = Decimal(multiple or 0)
        return divisor if divisor > 0 and quantity % divisor == 0 else None
    except InvalidOperation:  # not a number, or so small that the quotient has too many digits
        return None
