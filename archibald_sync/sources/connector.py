"""What a connector offers to the registry: the keys that it reads, and its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.domain.normalise import Notation

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.domain.ports import Source
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.table import TableReader


@dataclass(frozen=True, slots=True)
class Connector:
    """A kind of source.

    ``keys`` are those of its table besides the common ones. ``make`` reads them,
    remembers their faults in the reader, and asks nothing of the source yet.
    """

    keys: tuple[str, ...]
    make: Callable[[TableReader, FieldMapping], Source]
    notation: Notation = Notation.PLAIN
