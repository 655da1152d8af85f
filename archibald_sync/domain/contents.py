"""Find records by their content alone, where their bytes changed.

Some sources stamp each record anew in every extract: all bytes change, and hardly any
content does. To look each record up by its key, with all of its values, would cost more
than to read the extract; one map of content hashes, read when it is first of use, does.
"""

from __future__ import annotations

from functools import cached_property
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archibald_sync.domain.ports import Digest
    from archibald_sync.domain.sought import SoughtContents

# From this part of a page on, new bytes are many; from this part on, looking is of use.
_USEFUL_RATIO = 0.10
# As many are looked for before it is decided that contents are not to be found.
_SOUGHT_FIRST = 2_000


class KnownContents:
    """The contents of the catalogue, by their hashes."""

    def __init__(
        self, read: Callable[[], dict[bytes, int]], sought: SoughtContents, digest: Digest
    ) -> None:
        """Prepare to look records up in what ``read`` gives: row numbers by content hash."""
        self._read = read
        self._sought_contents = sought
        self._digest = digest
        self._sought = self._found = 0

    def are_of_use(self, misses: int, records: int) -> bool:
        """Return whether to look here for ``misses`` records of a page of ``records``.

        Not where few bytes are new, nor where contents turned out to change as well.
        """
        if not misses or misses < _USEFUL_RATIO * records:
            return False
        is_vain = self._sought >= _SOUGHT_FIRST and self._found < _USEFUL_RATIO * self._sought
        return not is_vain and bool(self._rows)

    def look_up(self, delivered: Sequence[tuple[object, ...]]) -> tuple[list[int], list[bytes]]:
        """Return the row number of each of these records, and its content hash.

        The number is 0 where no row is known to have the same content, or where it was
        given before: each row is found once.
        """
        hashes = list(map(self._digest, self._sought_contents.of(delivered)))
        rows = list(map(self._rows.pop, hashes, repeat(0)))
        self._sought += len(rows)
        self._found += len(rows) - rows.count(0)
        return rows, hashes

    @cached_property
    def _rows(self) -> dict[bytes, int]:
        return self._read()
