"""The gunicorn worker that serves us: it does not wait for slow clients for ever.

A thread that reads a request, or writes an answer, is lost to everybody else meanwhile, and
gunicorn itself sets it no limit: sixteen clients that send a byte a minute, or take none,
would be enough to stop the service. What has not come whole in time is cut off for reading;
the answer, 400, still goes out. Who takes nothing of an answer is cut off by the kernel, and
where every thread is busy and others wait, who takes it slowly is, too.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import ThreadWorker

from archibald_sync.errors import InvalidInputError
from archibald_sync.outflow import Outflow, give_up_after
from archibald_sync.unreadable import answer_to

_PATIENCE_S = 15.0
_HURRY_S = 1.0  # where every thread reads, and others wait
_LOOK_EVERY_S = 0.25
_SLOW_S = 3.0  # where every thread is busy: for so long an answer may be taken slowly
_SLOW_BYTES_A_SECOND = 32 * 1024


class RequestBody:
    """Reads a body; what is no HTTP, or ends too early, is the client's mistake."""

    def __init__(self, reader: Any) -> None:  # noqa: ANN401  # gunicorn has no types
        """Read through ``reader``, gunicorn's own."""
        self._reader = reader
        self.is_answered = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes; none at the end.

        Raises:
            InvalidInputError: The body is cut off, or is not encoded as it says.
        """
        try:
            data: bytes = self._reader.read(size)
        except (ParseException, NoMoreData) as exc:
            if self.is_answered:
                raise  # gunicorn reads what nobody wanted, and knows what to do
            expected = "expected as much as the headers say, encoded as they say"
            raise InvalidInputError("body", expected) from exc
        return data

    def is_whole(self) -> bool:
        """Return whether all of it has come, where that can be told."""
        return getattr(self._reader, "length", None) == 0


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """A threaded worker that bounds how long a request may take to come."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as gunicorn has them
        """Serve nobody yet."""
        super().__init__(*args, **kwargs)
        # When each request began to come, and its body once the headers have.
        self._served: dict[Any, tuple[float, RequestBody | None]] = {}
        self._outflows: dict[Any, Outflow] = {}
        self._look_at_s = 0.0

    def handle(self, conn: Any) -> Any:  # noqa: ANN401  # as gunicorn has it
        """Read a request and answer it, in a thread of the pool."""
        self._served[conn] = (time.monotonic(), None)
        if not conn.initialized:
            give_up_after(conn.sock, _PATIENCE_S)
        try:
            return super().handle(conn)
        finally:
            del self._served[conn]

    def handle_request(self, req: Any, conn: Any) -> Any:  # noqa: ANN401  # as gunicorn has it
        """Answer a request whose headers have come."""
        body = req.body.reader = RequestBody(req.body.reader)
        self._served[conn] = (self._served[conn][0], body)
        try:
            return super().handle_request(req, conn)
        finally:
            body.is_answered = True

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:  # noqa: ANN401, ARG002  # as gunicorn has it
        """Answer what could not be passed on, as `unreadable` says; called while it is handled."""
        status, request_id, answer = answer_to(exc)
        kind = type(exc).__name__
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("Unforeseen %s in request %s", kind, request_id, exc_info=exc)
        else:
            self.log.warning("Unreadable request %s from %s: %s", request_id, addr[0], kind)
        with suppress(OSError):  # it has gone by itself
            write_nonblock(client, answer)

    def murder_pending(self) -> None:
        """Close what sends nothing, and cut off what comes too slowly; called all the time."""
        super().murder_pending()
        now_s = time.monotonic()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + _LOOK_EVERY_S
        self._cut_off_senders(now_s)
        self._cut_off_takers(now_s)

    def _cut_off_senders(self, now_s: float) -> None:
        """Read no further what comes too slowly."""
        slow = [
            (conn, began_s)
            for conn, (began_s, body) in list(self._served.items())
            if body is None or not body.is_whole()
        ]
        patience_s = _HURRY_S if len(slow) >= self.cfg.threads else _PATIENCE_S
        for conn, began_s in slow:
            if now_s - began_s > patience_s:
                with suppress(OSError):  # it has gone by itself
                    conn.sock.shutdown(socket.SHUT_RD)

    def _cut_off_takers(self, now_s: float) -> None:
        """Write no further to who takes it too slowly, where nobody else is served meanwhile."""
        known = self._outflows
        self._outflows = {
            conn: known.get(conn) or Outflow(conn.sock) for conn in list(self._served)
        }
        busy = len(self._outflows)
        is_crowded = busy >= self.cfg.threads and self.nr_conns > busy
        for conn, outflow in self._outflows.items():
            waited_s, bytes_a_second = outflow.look(now_s)
            if is_crowded and waited_s > _SLOW_S and bytes_a_second < _SLOW_BYTES_A_SECOND:
                with suppress(OSError):  # it has gone by itself
                    conn.sock.shutdown(socket.SHUT_RDWR)
