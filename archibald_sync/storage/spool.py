"""A sequence of tuples that moves to a temporary file when it grows.

A first load of a million rows must not need a million rows of memory.
"""

from __future__ import annotations

import tempfile
import weakref
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

import msgspec

from archibald_sync.scratch import room_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_KEPT_IN_MEMORY = 256

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Any])


class FileSpool:
    """Holds up to a few thousand tuples in memory, and the rest in an unnamed file."""

    def __init__(self, folder: Path) -> None:
        """Spill into ``folder``; the file has no name and vanishes with the process."""
        self._folder = folder
        self._buffer: list[tuple[Any, ...]] = []
        self._file: IO[bytes] | None = None
        self._chunks: list[int] = []
        self._length = 0

    def append(self, item: tuple[Any, ...]) -> None:
        """Add ``item`` at the end.

        Raises:
            StorageFullError: There is no room for it.
        """
        self._buffer.append(item)
        self._length += 1
        if len(self._buffer) >= _KEPT_IN_MEMORY:
            self._spill()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Read all items from the first; nested tuples come back as lists."""
        offset = 0
        for size in self._chunks:
            yield from self._read(offset, size)
            offset += size
        yield from self._buffer

    def __len__(self) -> int:
        """Return how many items there are."""
        return self._length

    def _spill(self) -> None:
        chunk = _encoder.encode(self._buffer)
        with room_in(self._folder):
            file = self._opened()
            file.seek(0, 2)
            file.write(chunk)
            file.flush()  # a lack of room shows here, and not when it is read
        self._chunks.append(len(chunk))
        self._buffer = []

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  # lives on
            weakref.finalize(self, _close, self._file)
        return self._file

    def _read(self, offset: int, size: int) -> list[Any]:
        if self._file is None:
            return []
        self._file.seek(offset)
        return _decoder.decode(self._file.read(size))


def _close(file: IO[bytes]) -> None:
    with suppress(OSError):  # what there was no room for is not wanted any more
        file.close()
