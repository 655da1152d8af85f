"""Readers for a child process: a good one, and every way to be a bad one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archibald_sync.errors import SourceFormatError, TransientSourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

Rows = list[tuple[Any, ...]]


def count(rows: int, size: int = 100) -> Iterator[Rows]:
    """Yield ``rows`` rows in batches of ``size``."""
    for start in range(0, rows, size):
        yield [(number, f"n{number}", 0.5, None) for number in range(start, start + size)]


def tell_pid(path: str, then: str) -> Iterator[Rows]:
    """Write our process id to ``path``, then do as the reader ``then``."""
    Path(path).write_text(str(os.getpid()))
    yield [(os.getpid(),)]
    yield from globals()[then]()


def spin() -> Iterator[Rows]:
    """Work for ever, without once letting go of the interpreter's lock."""
    # PyDLL keeps the lock during the call; pause waits for a signal.
    ctypes.PyDLL(None).pause()
    yield []


def burn() -> Iterator[Rows]:
    """Use the processor for ever."""
    while not sys.is_finalizing():
        pass
    yield []


def flood() -> Iterator[Rows]:
    """Yield for ever."""
    while True:
        yield [("x" * 1000,)] * 100


def wide(size_bytes: int, rows: int) -> Iterator[Rows]:
    """Yield one batch of ``rows`` rows of ``size_bytes`` each."""
    yield [("x" * size_bytes,)] * rows


def swallow() -> Iterator[Rows]:
    """Use more memory than anybody may."""
    hoard = []
    while True:
        hoard.append(bytearray(16 * 1024 * 1024))
        yield []


def crash(number: int) -> Iterator[Rows]:
    """Die of a signal after a first batch."""
    yield [(1,)]
    os.kill(os.getpid(), number)


def abort_as_rust_does() -> Iterator[Rows]:
    """Die as a Rust library that gets no memory."""
    yield [(1,)]
    os.write(2, b"memory allocation of 4611686018427387904 bytes failed\n")
    os.abort()


def refuse(kind: str) -> Iterator[Rows]:
    """Raise an error of the source after a first batch."""
    yield [(1,)]
    if kind == "format":
        raise SourceFormatError("the header is missing", code="source_column_missing")
    raise TransientSourceError("the file is away", code="source_file_missing")


def stumble() -> Iterator[Rows]:
    """Fail as only a bug does, over a value that nobody may see."""
    yield [(1,)]
    raise KeyError("s3cret")


def vanish() -> Iterator[Rows]:
    """End without a word."""
    yield [(1,)]
    os._exit(0)


def chatter() -> Iterator[Rows]:
    """Print what would ruin the frames."""
    print("hello" * 1000, flush=True)  # noqa: T201  # that is the point
    os.write(1, b"more")
    sys.stderr.write("and more")
    yield [(1,)]


def environment() -> Iterator[Rows]:
    """Yield the names in the environment, and how patient we are with stops."""
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    yield [(name,) for name in sorted(os.environ)]
