"""The records of JSON pages: the values of the columns that are mapped, decoded when wanted."""

from __future__ import annotations

from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.json_document import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from archibald_sync.domain.models import Decode

    # Gives the values of our columns, in our order, of many records.
    _Reader = Callable[[Iterable[msgspec.Raw]], list[tuple[object, ...]]]

# A source that orders its columns anew each time must not cost a structure each time.
_MAX_ORDERS = 8

_record = msgspec.json.Decoder(dict[str, Any])
_order = msgspec.json.Decoder(dict[str, msgspec.Raw])


class RecordReader:
    """Gives the values of the mapped columns of records, without those of the others.

    A decoder expects columns in an order; one that fits takes half the time.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """Read ``columns``, in this order; what a record lacks is None."""
        self._columns = tuple(columns)
        self._names = frozenset(columns) if _are_plain(self._columns) else frozenset()
        self._readers: dict[tuple[str, ...], _Reader] = {}

    def of(self, raws: Sequence[msgspec.Raw]) -> Decode:
        """Return what gives the values, as delivered, of some of the records of a page.

        It takes their indexes, and raises `SourceFormatError` where one is no JSON object.
        """
        return partial(_values, self._fitting(raws[0]) if raws else self._in_any_order, raws)

    def _fitting(self, raw: msgspec.Raw) -> _Reader:
        """Return a reader for records whose columns come in the order of this one."""
        try:
            order = tuple(key for key in _order.decode(raw) if key in self._names)
        except UNREADABLE:
            order = ()
        if not order:
            return self._in_any_order
        if order not in self._readers and len(self._readers) < _MAX_ORDERS:
            self._readers[order] = _fitted(self._columns, order)
        # Any of them reads it; the right one is faster.
        return self._readers.get(order) or next(iter(self._readers.values()))

    def _in_any_order(self, raws: Iterable[msgspec.Raw]) -> list[tuple[object, ...]]:
        records = map(_record.decode, raws)
        return [tuple(map(record.get, self._columns)) for record in records]


def decoded(raw: msgspec.Raw) -> dict[str, Any]:
    """Return a record as a dictionary.

    Raises:
        SourceFormatError: It is no JSON object.
    """
    try:
        return _record.decode(raw)
    except UNREADABLE as exc:
        raise _no_record() from exc


def refuse_missing_columns(raws: Sequence[msgspec.Raw], columns: Sequence[str]) -> None:
    """Refuse a page on which a mapped column is nowhere: renamed or hidden.

    Raises:
        SourceFormatError: It names the columns.
    """
    missing = set(columns)
    for raw in raws:
        missing.difference_update(decoded(raw))
        if not missing:
            return
    named = ", ".join(column for column in columns if column in missing)
    raise SourceFormatError(
        f"the source no longer delivers: {named}; "
        "correct the mapping in source.toml, or the source",
        code="source_column_missing",
    )


def _values(
    read: _Reader, raws: Sequence[msgspec.Raw], indexes: Sequence[int]
) -> list[tuple[object, ...]]:
    try:
        return read(map(raws.__getitem__, indexes))
    except UNREADABLE as exc:
        raise _no_record() from exc


def _are_plain(columns: Sequence[str]) -> bool:
    """Return whether these are names that the fields of a structure can have."""
    is_plain = all(name.isprintable() and not {'"', "\\"} & set(name) for name in columns)
    return is_plain and len(set(columns)) == len(columns)


def _fitted(columns: Sequence[str], order: Sequence[str]) -> _Reader:
    """Return a reader of ``columns`` for records that have them in ``order``."""
    theirs = [*order, *(column for column in columns if column not in order)]
    names = [f"column_{number}" for number in range(len(theirs))]
    record = msgspec.defstruct(
        "Record",
        [(name, Any, None) for name in names],
        rename=dict(zip(names, theirs, strict=True)),
        gc=False,  # dropped as soon as its values are taken
    )
    decode, values = msgspec.json.Decoder(record).decode, msgspec.structs.astuple
    if theirs == list(columns):
        return lambda raws: list(map(values, map(decode, raws)))
    ours = itemgetter(*(theirs.index(column) for column in columns))
    return lambda raws: list(map(ours, map(values, map(decode, raws))))


def _no_record() -> SourceFormatError:
    return SourceFormatError("a record is not a valid JSON object", code="source_record")
