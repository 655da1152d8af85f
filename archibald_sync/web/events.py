"""The status as it changes: server-sent events.

Whoever listens holds a thread of this process. So there may be few of them, each for a
few minutes, and none whose client has gone or may no longer look: everybody else gets
503 and asks for the status from time to time.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import orjson
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from archibald_sync.domain.models import Role
from archibald_sync.errors import ArchibaldSyncError
from archibald_sync.web import sync_schemas as schemas
from archibald_sync.web.problems import problem, problem_responses
from archibald_sync.web.security import require_role_still, requires
from archibald_sync.web.sync import bp, here

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask.typing import ResponseReturnValue

    from archibald_sync.services.feed import Happening, Listener

CONTENT_TYPE = "text/event-stream"
_EXTENSION = "archibald_sync.web.events"
_THREADS_A_LISTENER = 4
_DEFAULT_THREADS = 8
_RETRY_AFTER_S = 10

_DESCRIPTION = {
    "description": "Events named `state`, each with the JSON of `…/sync/status` and the id "
    "of what it says; comments in between. It ends after some minutes: ask again",
    "content": {CONTENT_TYPE: {"schema": {"type": "string"}}},
}
_NO_SEAT = {"description": "With `silent`: enough others listen already"}
_schema = schemas.StatusSchema()


class Seats:
    """How many may listen at once in this process, and for how long."""

    def __init__(self, limit: int) -> None:
        """Let at most ``limit`` listen."""
        self.limit = limit
        self.retry_s = 3.0
        self.heartbeat_s = 15.0
        self.check_s = 30.0
        self.longest_s = 300.0
        self.look_s = 1.0
        self._lock = threading.Lock()
        self._taken = 0

    @property
    def taken(self) -> int:
        """Return how many listen now."""
        return self._taken

    def take(self) -> bool:
        """Take a seat; return whether one was free."""
        with self._lock:
            is_free = self._taken < self.limit
            self._taken += is_free
            return is_free

    def free(self) -> None:
        """Give a seat back."""
        with self._lock:
            self._taken -= 1


def init_app(app: Flask, limit: int | None) -> None:
    """Let ``limit`` clients a process listen; None: a part of its threads."""
    app.extensions[_EXTENSION] = Seats(_seats_of(_DEFAULT_THREADS) if limit is None else limit)


def seats(app: Flask) -> Seats:
    """Return who may listen to ``app`` in this process."""
    found: Seats = app.extensions[_EXTENSION]
    return found


def fit_seats(app: Flask, threads: int) -> None:
    """Leave most of a server's ``threads`` to requests: a quarter may listen, none of one."""
    seats(app).limit = _seats_of(threads)


@bp.route("/events")
@requires(Role.VIEWER)
@bp.arguments(schemas.EventsQuerySchema, location="query")
@bp.doc(responses={200: _DESCRIPTION, 204: _NO_SEAT, **problem_responses(400, 503)})
def events(query: dict[str, Any]) -> ResponseReturnValue:
    """Follow the status: it is told at once, and again whenever it changes.

    503 means that enough others listen: ask for the status from time to time instead.
    """
    places = seats(current_app)
    if not places.take():
        if query["silent"]:
            return "", 204
        detail = "enough clients listen already; ask for the status from time to time instead"
        headers = {"Retry-After": str(_RETRY_AFTER_S)}
        return problem(503, "too_many_listeners", detail, headers=headers)
    listener, client = here().feed.listen(), _Client()
    response = Response(_stream(listener, places, client), content_type=CONTENT_TYPE)
    response.headers["X-Accel-Buffering"] = "no"  # a proxy must pass each event on at once
    response.call_on_close(_Leaving(listener, places))
    return response


class _Leaving:
    """Gives up a listener's place, once: a response may be closed more than once."""

    def __init__(self, listener: Listener, places: Seats) -> None:
        self._listener = listener
        self._places: Seats | None = places

    def __call__(self) -> None:
        places, self._places = self._places, None
        if places is not None:
            self._listener.close()
            places.free()


class _Client:
    """Who asked: looked at again while the answer goes on, after its request has ended."""

    def __init__(self) -> None:
        """Remember who asks now."""
        self._app = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # the documented way past the proxy
        self._environ = request.environ
        self.known = request.headers.get("Last-Event-ID")

    def may_listen(self) -> bool:
        """Return whether the caller, as the database has it now, may still look."""
        try:
            with self._app.request_context(self._environ):
                require_role_still(Role.VIEWER)
        except (ArchibaldSyncError, HTTPException):
            return False
        return True

    def is_gone(self) -> bool:
        """Return whether the connection was closed, where the server lets us look."""
        connection = self._environ.get("gunicorn.socket")
        if not isinstance(connection, socket.socket) or hasattr(connection, "pending"):
            return False  # over TLS the next heartbeat finds out
        try:
            readable, _, _ = select.select([connection], [], [], 0)
            return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
        except (OSError, ValueError):
            return True


def _stream(listener: Listener, places: Seats, client: _Client) -> Iterator[str]:
    """Yield what ``listener`` hears, until it is time to end."""
    known = client.known
    began_s = written_s = checked_s = time.monotonic()
    yield f"retry: {places.retry_s * 1000:.0f}\n\n"
    while not listener.is_over:
        happening = listener.wait(places.look_s)
        now_s = time.monotonic()
        if now_s - began_s >= places.longest_s or client.is_gone():
            return
        is_news = happening is not None and happening.id != known
        if is_news or now_s - checked_s >= places.check_s:
            if not client.may_listen():
                return
            checked_s = now_s
        if happening is not None and is_news:
            written_s, known = now_s, None
            yield _event(happening)
        elif now_s - written_s >= places.heartbeat_s:
            written_s = now_s
            yield ": still here\n\n"


def _event(happening: Happening) -> str:
    body: dict[str, Any] = _schema.dump(happening.status)
    return f"id: {happening.id}\nevent: state\ndata: {orjson.dumps(body).decode()}\n\n"


def _seats_of(threads: int) -> int:
    return max(threads // _THREADS_A_LISTENER, 1) if threads > 1 else 0
