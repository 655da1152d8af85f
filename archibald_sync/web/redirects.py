"""Redirects to the one spelling of a path: a slash at its end, none twice.

The library names the host of the request in them. Whoever asks chooses that, and a cache
that keeps the answer sends others there: ours lead to a path, and to no host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from flask import redirect, request
from werkzeug.routing import RequestRedirect

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue


def init_app(app: Flask) -> None:
    """Lead the requests of ``app`` to the path that they mean, wherever they came from."""
    app.before_request(_lead_on)


def _lead_on() -> ResponseReturnValue | None:
    found = request.routing_exception
    return redirect(_within(found.new_url), 308) if isinstance(found, RequestRedirect) else None


def _within(url: str) -> str:
    """Return ``url`` without scheme and host: a path, which begins with one slash."""
    _, _, path, query, _ = urlsplit(url)
    # Two slashes at the beginning would be a host again.
    return urlunsplit(("", "", f"/{path.lstrip('/')}", query, ""))
