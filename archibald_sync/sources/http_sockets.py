"""Sockets that another thread can shut while a request is blocked on them."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class LiveSockets:
    """The socket of a client, so that another thread can shut it while it is read from."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._lock = threading.Lock()
        self._live: socket.socket | None = None
        self._is_shut = self._is_over = False

    def reopen(self) -> None:
        """Let connections live again, unless they were shut for good."""
        with self._lock:
            self._is_shut = self._is_over

    def admit(self, connected: socket.socket) -> None:
        """Watch a new socket, in the place of the last; shut it if that was asked meanwhile."""
        with self._lock:
            self._live = connected
            is_late = self._is_shut
        if is_late:
            _shut(connected)

    def shut(self, *, for_good: bool = False) -> None:
        """Shut the socket, and one that is about to connect."""
        with self._lock:
            self._is_shut = True
            self._is_over |= for_good
            live = self._live
        if live is not None:
            _shut(live)


def _shut(live: socket.socket) -> None:
    # The TLS layer must not take part: another thread is reading through it.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(live, socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Keeps the sockets of its connections, so that another thread can shut them."""

    def __init__(self, sockets: LiveSockets) -> None:
        """Keep them in ``sockets``."""
        self._live = sockets
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, D102  # as inherited
        super().init_poolmanager(*args, **kwargs)
        live = self._live

        class Plain(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                live.admit(self.sock)

        class Encrypted(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                live.admit(self.sock)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
