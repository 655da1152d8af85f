"""What each error means in HTTP: the only place that knows.

An answer says what the caller can do about it, and never what the exception, the
database or the file system said.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from flask import request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from archibald_sync.errors import (
    AuthError,
    InvalidInputError,
    KeyReusedError,
    LoginThrottledError,
    NameTakenError,
    NotFoundError,
    RefusedError,
    StorageBusyError,
    StorageError,
    StorageFullError,
    SyncInProgressError,
)
from archibald_sync.logs import ComponentLogger
from archibald_sync.web.context import request_id
from archibald_sync.web.problems import code_of, problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask, Response

_log = ComponentLogger("API")

_STORAGE: dict[type[StorageError], tuple[int, str]] = {
    StorageBusyError: (2, "the database is busy; try again in a moment"),
    StorageFullError: (30, "nothing can be written now: no room, or no permission"),
    StorageError: (60, "the database cannot be used now; the log says why"),
}
_BODY = "body"
# Whoever sends a thousand wrong fields is told of the first few.
_MAX_FIELDS = 20
_MAX_NAME = 100


def init_app(app: Flask) -> None:
    """Answer every error of ``app`` as a problem."""
    for kind, handler in _HANDLERS.items():
        app.register_error_handler(kind, handler)


def answer(error: Exception) -> Response:
    """Return ``error`` as a problem, for whoever shows it in a form of their own."""
    handler = next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)
    return handler(error)


def _invalid_input(error: InvalidInputError) -> Response:
    message = str(error).removeprefix(f"{error.field}: ")
    status = 409 if isinstance(error, NameTakenError) else 400
    return _invalid({error.field: [message]}, status, error.code)


def _invalid(
    errors: dict[str, list[str]], status: int = 400, code: str = InvalidInputError.code
) -> Response:
    """Return the problem of a request whose fields are wrong, each with what is wrong."""
    detail = "; ".join(f"{field}: {', '.join(texts)}" for field, texts in errors.items())
    return problem(status, code, detail, field=next(iter(errors)), errors=errors)


def _unauthorized(error: AuthError) -> Response:
    return problem(401, error.code, str(error), headers={"WWW-Authenticate": "Bearer"})


def _throttled(error: LoginThrottledError) -> Response:
    headers = {"Retry-After": str(error.retry_after_s)}
    return problem(429, error.code, str(error), headers=headers)


def _not_found(error: NotFoundError) -> Response:
    return problem(404, error.code, str(error))


def _in_progress(error: SyncInProgressError) -> Response:
    return problem(409, error.code, str(error), runId=error.run_id)


def _refused(error: RefusedError | KeyReusedError) -> Response:
    return problem(409, error.code, str(error))


def _storage(error: StorageError) -> Response:
    _log.warning("%s", error, extra={"code": error.code, "requestId": request_id()})
    retry_after_s, detail = next(
        meaning for kind, meaning in _STORAGE.items() if isinstance(error, kind)
    )
    return problem(503, error.code, detail, headers={"Retry-After": str(retry_after_s)})


def _http(error: HTTPException) -> Response:
    """Keep what Flask and webargs answer, in our shape."""
    data = getattr(error, "data", None) or {}
    if "messages" in data:
        return _invalid(_by_field(data))
    headers = {key: value for key, value in error.get_headers() if key != "Content-Type"}
    detail = error.description or error.name
    if isinstance(error, RequestEntityTooLarge):
        detail = f"body: expected at most {request.max_content_length} bytes"
    status = error.code or 500  # Flask itself answers those without a code
    return problem(status, code_of(status), detail, headers=headers, is_ours=False)


def _by_field(data: dict[str, Any]) -> dict[str, list[str]]:
    """Return the first errors that webargs found, by field; a body that is wrong is one."""
    found: dict[str, list[str]] = {}
    for messages in data["messages"].values():
        by_field = messages if isinstance(messages, dict) else {_BODY: messages}
        for field, texts in by_field.items():
            if field == "_schema":
                known = ", ".join(data["schema"].fields) or "no keys"
                found[_BODY] = [f"expected a JSON object with {known}"]
            else:
                found[str(field)[:_MAX_NAME]] = [str(text) for text in texts]
    return dict(islice(found.items(), _MAX_FIELDS))


def _unforeseen(error: Exception) -> Response:
    fields = {"requestId": request_id(), "method": request.method, "endpoint": request.endpoint}
    _log.error("Unforeseen error in a request", exc_info=error, extra=fields)
    detail = "something went wrong that nobody foresaw; the log tells more under this requestId"
    return problem(500, "internal_error", detail)


_HANDLERS: dict[type[Any], Callable[[Any], Response]] = {
    InvalidInputError: _invalid_input,
    AuthError: _unauthorized,
    LoginThrottledError: _throttled,
    NotFoundError: _not_found,
    SyncInProgressError: _in_progress,
    KeyReusedError: _refused,
    RefusedError: _refused,
    StorageError: _storage,
    HTTPException: _http,
    Exception: _unforeseen,
}
