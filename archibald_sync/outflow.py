"""How fast a client takes what it is sent, as the kernel counts it: Linux alone tells."""

from __future__ import annotations

import socket
import struct
import sys
from contextlib import suppress

_COUNTS_IT = sys.platform == "linux"
# struct tcp_info of linux/tcp.h: where it has the bytes that were acknowledged, and those that
# were written and not sent yet.
_INFO_BYTES = 192
_ACKED, _UNSENT = (struct.Struct("Q"), 120), (struct.Struct("I"), 144)


def give_up_after(connection: socket.socket, seconds: float) -> None:
    """Let the kernel end a connection whose client takes nothing for so many seconds."""
    if _COUNTS_IT:
        with suppress(OSError):  # no TCP, or gone already
            milliseconds = int(seconds * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


class Outflow:
    """What one client takes of what waits for it."""

    def __init__(self, connection: socket.socket) -> None:
        """Watch what goes out through ``connection``."""
        self._connection = connection
        self._since: tuple[float, int] | None = None

    def look(self, now_s: float) -> tuple[float, float]:
        """Return for how many seconds something has been waiting, and the bytes a second taken.

        Args:
            now_s: The monotonic time; looks must be frequent, since what was waiting in
                between is not seen.
        """
        counted = self._counted()
        if counted is None or not counted[1]:
            self._since = None
            return 0.0, 0.0
        began_s, acked_before = self._since = self._since or (now_s, counted[0])
        waited_s = now_s - began_s
        return waited_s, (counted[0] - acked_before) / waited_s if waited_s else 0.0

    def _counted(self) -> tuple[int, int] | None:
        """Return how many bytes were acknowledged, and how many wait to be sent."""
        if not _COUNTS_IT:
            return None
        try:
            info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        except OSError:
            return None
        (acked, acked_at), (unsent, unsent_at) = _ACKED, _UNSENT
        if len(info) < unsent_at + unsent.size:
            return None
        return acked.unpack_from(info, acked_at)[0], unsent.unpack_from(info, unsent_at)[0]
