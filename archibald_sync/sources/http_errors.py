"""What went wrong over HTTP, in our words: statuses and the errors of requests.

Messages name host and path at most; never a body, a query string or a secret.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from archibald_sync.errors import (
    NotModified,
    PermanentSourceError,
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_TRANSIENT_STATUS = frozenset({408, 425, 429})
_AUTH_STATUS = frozenset({401, 403})
_OK, _NOT_MODIFIED, _FIRST_SERVER_ERROR = 200, 304, 500

_TRANSLATIONS: tuple[tuple[type[Exception], type[SourceError], str, str], ...] = (
    # (what requests raises, what we raise, code, what happened); the first match counts
    (
        requests.exceptions.SSLError,
        PermanentSourceError,
        "source_tls",
        "{} offers no trustworthy certificate",
    ),
    (
        requests.exceptions.ContentDecodingError,
        SourceFormatError,
        "source_encoding",
        "{} sent a damaged encoding",
    ),
    (
        requests.exceptions.ConnectTimeout,
        TransientSourceError,
        "source_connect",
        "{} cannot be reached in time",
    ),
    (
        requests.exceptions.Timeout,
        TransientSourceError,
        "source_timeout",
        "{} did not answer in time",
    ),
    (
        requests.exceptions.ChunkedEncodingError,
        TransientSourceError,
        "source_cut",
        "{} broke off in mid-answer",
    ),
    (
        requests.exceptions.ConnectionError,
        TransientSourceError,
        "source_connect",
        "the connection to {} failed",
    ),
    (
        requests.exceptions.RequestException,
        PermanentSourceError,
        "source_request",
        "{} cannot be asked; check url in source.toml",
    ),
)


def check_status(response: requests.Response) -> None:
    """Accept an answer with status 200.

    Raises:
        NotModified: The request asked whether something changed, and nothing did.
        TransientSourceError: The status may pass, with the time to wait if it says so.
        SourceAuthError: The credentials were refused.
        PermanentSourceError: Any other status.
    """
    status, where = response.status_code, place(response.url)
    if status == _OK:
        return
    if status == _NOT_MODIFIED and _is_conditional(response.request.headers):
        raise NotModified(f"{where} says that nothing changed")
    message, code = f"{where} answered {status}", f"source_http_{status}"
    if status in _TRANSIENT_STATUS or status >= _FIRST_SERVER_ERROR:
        raise TransientSourceError(message, code=code, retry_after_s=_retry_after_s(response))
    if status in _AUTH_STATUS:
        raise SourceAuthError(f"{message}: check the credentials named in source.toml", code=code)
    raise PermanentSourceError(f"{message}: check url and query in source.toml", code=code)


def too_large(url: str, limit: int) -> PermanentSourceError:
    """Return the error for more than ``limit`` bytes from ``url``."""
    message = f"{place(url)} sent more than {limit} bytes; raise "
    message += "max_page_bytes or max_bytes in source.toml if that is right"
    return PermanentSourceError(message, code="source_too_large")


def translated(exc: requests.exceptions.RequestException, url: str) -> SourceError:
    """Return our error for what requests raised while it asked ``url``."""
    for theirs, ours, code, sentence in _TRANSLATIONS:
        # A body that stalls comes as a ConnectionError around a time-out.
        is_stalled = theirs is requests.exceptions.Timeout and "timed out" in str(exc)
        if isinstance(exc, theirs) or is_stalled:
            return ours(sentence.format(place(url)), code=code)
    raise exc


def too_slow(url: str) -> TransientSourceError:
    """Return the error for an answer of ``url`` that took longer than it may."""
    return TransientSourceError(f"{place(url)} did not answer in time", code="source_timeout")


def place(url: str) -> str:
    """Return what may be told of a URL: neither credentials nor query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]


def _is_conditional(headers: Mapping[str, str]) -> bool:
    return "If-None-Match" in headers or "If-Modified-Since" in headers


def _retry_after_s(response: requests.Response) -> float | None:
    """Read Retry-After as RFC 9110 has it: seconds or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max((moment.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)
