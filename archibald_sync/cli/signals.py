"""How a process that runs for long is told to end."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def until_told_to_end() -> Iterator[None]:
    """Leave the block at SIGTERM or SIGINT; what comes after it is not disturbed by another.

    The signal interrupts by an error: an event that it set could wait for itself.
    """
    told = (signal.SIGTERM, signal.SIGINT)
    for number in told:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        for number in told:
            signal.signal(number, signal.SIG_IGN)
