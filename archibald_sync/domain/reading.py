"""How the catalogue is read: what can be asked, and who answers.

The sync writes the catalogue through ``ports.Catalogue``; nothing here writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager


@dataclass(frozen=True, slots=True)
class RecordQuery:
    """Which records are asked for, and in which order.

    ``words`` are searched for as prefixes, all of them; ``after`` is where the page
    before ended: the last record's value of ``sort``, as text, and its row number. With
    words the order is the one in which records came into being.
    """

    words: tuple[str, ...] = ()
    group: str | None = None
    updated_since: int | None = None
    with_deleted: bool = False
    sort: str = "id"
    is_descending: bool = False
    limit: int = 50
    after: tuple[str | None, int] | None = None


@dataclass(frozen=True, slots=True)
class ChangePage:
    """A part of the change log, oldest first, and the records that it is about as they are now.

    ``cursor`` is where the next page begins; ``is_last`` says that nothing comes after.
    """

    changes: Sequence[Mapping[str, Any]]
    records: Sequence[Mapping[str, Any]]
    cursor: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class ChangeSpan:
    """The part of the change log between two ids; neither is part of it."""

    after: int
    before: int


@dataclass(frozen=True, slots=True)
class ChangeQuery:
    """Which changes are asked for, the newest first; None narrows nothing."""

    span: ChangeSpan
    kind: str | None = None
    field: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Group:
    """A group of records: the value that they share, and what it is called."""

    value: str
    name: str | None


class CatalogueReader(Protocol):
    """Reads the local copy of a resource; rows have camelCase names, and never fingerprints."""

    def revision(self, *, with_words: bool = False) -> str:
        """Return what changes whenever a record does: the same text, the same catalogue.

        The words that are searched for follow a moment behind; ``with_words`` it also
        changes when they have caught up.
        """

    def records(self, query: RecordQuery) -> list[Mapping[str, Any]]:
        """Return a page of records, each with its ``rowId``, whatever the words of ``query``."""

    def search(self, query: RecordQuery) -> list[Mapping[str, Any]]:
        """Return a page of the records in which all words of ``query`` occur."""

    def record(self, key: str) -> tuple[Mapping[str, Any], str] | None:
        """Return one record, deleted or not, and the revision in which it is so."""

    def changes_of(self, key: str, limit: int, before: int | None) -> list[Mapping[str, Any]]:
        """Return the changes of one record older than ``before``, the newest first."""

    def changes_since(self, cursor: int, limit: int) -> ChangePage:
        """Return the changes after ``cursor``; 0 means from the beginning.

        Raises:
            NotFoundError: The log does not reach back to ``cursor``, or never got there.
        """

    def changes_of_session(
        self, session_id: str, after: int, limit: int
    ) -> list[Mapping[str, Any]]:
        """Return up to ``limit`` changes that a session wrote, from the one after ``after`` on."""

    def sharing(self, field: str, value: str, limit: int) -> list[Mapping[str, Any]]:
        """Return the first ``limit`` records by key whose ``field`` is ``value``, none deleted."""

    def every_record(
        self, *, with_deleted: bool
    ) -> AbstractContextManager[Iterator[Mapping[str, Any]]]:
        """Give a block all records by key as of one moment, holding few of them in memory."""

    def span_between(self, start_at: int, end_at: int) -> ChangeSpan:
        """Return the changes from ``start_at`` to before ``end_at``, instants.

        Days that touch share no change and lose none, even where the clock was put back.
        """

    def span_of_session(self, session_id: str, after: int) -> ChangeSpan:
        """Return the changes that a session wrote, which follow the one with the id ``after``."""

    def changes(self, query: ChangeQuery) -> ChangePage:
        """Return changes, the newest first; ``cursor`` is where the next page ends.

        A page that is not the last may hold fewer than were asked for.
        """

    def groups(self, limit: int) -> list[Group]:
        """Return the first groups of records by their value, at most ``limit``."""


class SearchIndex(Protocol):
    """The words of the catalogue: they follow its change log, a moment behind."""

    def catch_up(self) -> int:
        """Index what has changed since the last time; return how many records that were."""
