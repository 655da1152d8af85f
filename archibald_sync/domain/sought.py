"""What delivered records are looked for by, among the contents that are kept.

To be found there is proof enough that a value is valid: here values are only rewritten as
they would be kept, many at a time, and few of them are read.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.normalise import Notation, joined
from archibald_sync.domain.resources import FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archibald_sync.domain.normalise import Normaliser, Remembered, Value
    from archibald_sync.domain.resources import Field

    _Column = Sequence[Any]
    _Seek = Callable[[Remembered, _Column], list[Value]]

_NO_ZERO = frozenset("123456789")


class SoughtContents:
    """Gives what `comparable` would make of records, as far as that costs little."""

    def __init__(self, fields: Sequence[Field], notation: Notation, normaliser: Normaliser) -> None:
        """Rewrite the values of ``fields``, delivered in ``notation``."""
        seek = _SEEK if notation is Notation.PLAIN else {}
        self._columns = [
            (column, partial(seek.get(fields[column].type, _read), written))
            for column, written in normaliser.written
        ]

    def of(self, delivered: Sequence[Sequence[object]]) -> list[bytes]:
        """Return what to look for among the contents of known records.

        If it equals what `comparable` made of a record, both are the same record and the
        same content. The reverse does not hold: where it is empty, or found nowhere, the
        values need a closer look.

        Args:
            delivered: The values of some records, together since that costs much less.
        """
        try:
            return self._at_once(delivered) if delivered else []
        except (AttributeError, TypeError, ValueError):
            if len(delivered) == 1:
                return [b""]
            half = len(delivered) // 2
            return self.of(delivered[:half]) + self.of(delivered[half:])

    def _at_once(self, delivered: Sequence[Sequence[object]]) -> list[bytes]:
        columns: list[_Column] = list(zip(*delivered, strict=True))
        # A key with spaces may look, folded, like that of another record.
        if " " in "".join(columns[0]):
            raise ValueError("expected a key without spaces")
        for column, seek in self._columns:
            columns[column] = seek(columns[column])
        contents = joined(columns)
        # NUL stands for None: a text that holds one must not pass for nothing.
        if b"\x00" in b"".join(contents):
            given = filter(None, chain.from_iterable(columns))
            if "\x00" in "".join(given):
                raise ValueError("expected text without NUL")
        return contents


def _moments(known: Remembered, column: _Column) -> list[Value]:
    """Return plain dates and times as they would be kept."""
    return [value.replace(" ", "T") if value else known[value] for value in column]


def _decimals(known: Remembered, column: _Column) -> list[Value]:
    """Return plain numbers as they would be kept: where most differ, few need to be read."""
    if not known.is_full:
        return _read(known, column)
    return [v if type(v) is str and v[-1:] in _NO_ZERO else known[v] for v in column]


def _read(known: Remembered, column: _Column) -> list[Value]:
    return list(map(known.__getitem__, column))


_SEEK: dict[FieldType, _Seek] = {FieldType.DATETIME: _moments, FieldType.DECIMAL: _decimals}
