"""What parent and child process say to each other: frames of a tag, a length and msgpack."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

PREFIX = struct.Struct("!BI")
BATCH, END, FAILURE = range(3)
# No frame is longer, so that neither side needs more memory than this for one.
MAX_FRAME_BYTES = 16 * 1024 * 1024


class Request(msgspec.Struct, array_like=True):
    """What a child is to read, and within which limits; see ``ChildLimits``."""

    reader: str
    arguments: tuple[Any, ...]
    memory_bytes: int
    cpu_s: int
    deadline_s: float
    nice: int


class Failure(msgspec.Struct, array_like=True):
    """An error of a reader: the name of its class in ``errors``, its code and message."""

    kind: str
    code: str
    message: str
