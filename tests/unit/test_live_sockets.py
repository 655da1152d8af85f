"""Sockets that another thread shuts: also one that connects only after it was asked to."""

from __future__ import annotations

import socket
from contextlib import closing

from archibald_sync.sources.http_sockets import LiveSockets


def test_whoever_connects_after_a_stop_is_shut() -> None:
    """A stop between the begin of a request and its connection is not lost."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        theirs.settimeout(10)
        sockets = LiveSockets()
        sockets.shut()

        sockets.admit(ours)

        assert theirs.recv(1) == b""


def test_the_next_request_may_connect_again() -> None:
    """A shut that is not for good ends one request; one for good ends all."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        sockets = LiveSockets()
        sockets.shut()
        sockets.reopen()
        sockets.admit(ours)
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"

        sockets.shut(for_good=True)
        sockets.reopen()
        sockets.admit(ours)

        assert theirs.recv(1) == b""
