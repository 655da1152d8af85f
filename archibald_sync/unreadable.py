"""Answers to what is no HTTP request, or more of one than we take in.

gunicorn answers those itself, in HTML and with the very bytes that it could not read, and
writes the same bytes into its log: a token, perhaps. Here they get the answer that every
other error gets, and the log says only of which kind they were.
"""

from __future__ import annotations

from http import HTTPStatus

from gunicorn.http import errors

from archibald_sync.web.context import new_request_id
from archibald_sync.web.problems import PROBLEM_TYPE, code_of, problem_body

_BAD = (HTTPStatus.BAD_REQUEST, "expected a request as HTTP/1.1 has it")
_FAILED = (HTTPStatus.INTERNAL_SERVER_ERROR, "something went wrong that nobody foresaw")
# The first kind that fits decides.
_ANSWERS: tuple[tuple[type[Exception], tuple[HTTPStatus, str]], ...] = (
    (errors.LimitRequestLine, (HTTPStatus.REQUEST_URI_TOO_LONG, "the address is too long")),
    (
        errors.LimitRequestHeaders,
        (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "the headers are too long or too many"),
    ),
    # What our own answers or settings are at fault for.
    (errors.InvalidResponseHeader, _FAILED),
    (errors.InvalidResponseHeaderName, _FAILED),
    (errors.ConfigurationProblem, _FAILED),
    (errors.ParseException, _BAD),
)


def answer_to(error: Exception) -> tuple[HTTPStatus, str, bytes]:
    """Return the status, the request's id and the whole answer, headers and body.

    Args:
        error: Why gunicorn did not pass the request on.
    """
    status, detail = next((said for kind, said in _ANSWERS if isinstance(error, kind)), _FAILED)
    request_id = new_request_id()
    body = problem_body(status, code_of(status), detail, request_id)
    lines = (
        f"HTTP/1.1 {status} {status.phrase}",
        "Connection: close",
        f"Content-Type: {PROBLEM_TYPE}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        f"X-Request-ID: {request_id}",
    )
    return status, request_id, "\r\n".join((*lines, "", "")).encode("ascii") + body
