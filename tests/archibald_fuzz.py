"""A reader for the child process that reads many damaged copies of a PDF."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from archibald_sync.errors import SourceError
from archibald_sync.sources.archibald.pdf import read_pdf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def read_damaged(
    path: str, columns: Sequence[str], seed: int, copies: int
) -> Iterator[list[tuple[str, int]]]:
    """Yield what became of each copy: an error's code, or ``complete``; and the rows read."""
    chance, content = random.Random(seed), Path(path).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.pdf"
        for _ in range(copies):
            copy.write_bytes(_damaged(content, chance))
            rows = 0
            try:
                for batch in read_pdf(str(copy), columns, 1000):
                    rows += len(batch)
                yield [("complete", rows)]
            except SourceError as exc:
                yield [(exc.code, rows)]


def _damaged(content: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(4)
    damaged = bytearray(content)
    if kind == 0:
        return bytes(damaged[: chance.randrange(len(damaged))])
    for _ in range(chance.choice((1, 3, 30, 300))):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    if kind == 1:
        begin = chance.randrange(len(damaged))
        del damaged[begin : begin + chance.randrange(200)]
    elif kind == 2:  # one of four
        begin = chance.randrange(len(damaged))
        damaged[begin:begin] = damaged[: chance.randrange(500)]
    return bytes(damaged)
