"""How answers travel: compressed where that pays, and not at all where nothing changed.

A tag names a version of an answer. One that is compressed is another answer, whose tag has
an ending of its own; who shows either knows the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import xxhash
from flask import Response, abort, current_app, g, request
from flask_compress import Compress

from archibald_sync import __version__
from archibald_sync.web.context import header, request_id_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask
    from werkzeug.datastructures import Headers

_HEADERS = {
    "x-content-type-options": ("X-Content-Type-Options", "nosniff"),
    "content-security-policy": (
        "Content-Security-Policy",
        "default-src 'none'; frame-ancestors 'none'",
    ),
    "referrer-policy": ("Referrer-Policy", "no-referrer"),
}
_ACCEPT_ENCODING = "HTTP_ACCEPT_ENCODING"
_COMPRESS = "archibald_sync.compress"
_ALGORITHM = "gzip"
_MIN_COMPRESSED_BYTES = 1000
_UNKEPT = "no-store"
# To be kept by the asker alone, and used again only after asking whether it still holds.
_ASKED_ABOUT = "private, no-cache"


class Answer(Response):
    """An answer with content and without a Location, whose headers need no correction."""

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:  # noqa: ARG002  # as the library has it
        """Return the headers themselves: the library would correct a copy of them."""
        return self.headers


class CommonHeaders:
    """Gives each answer the headers that all have, where a view has not.

    They are finished here and not in Flask, where each costs several times as much.
    """

    def __init__(self, wsgi_app: WSGIApplication) -> None:
        """Finish the answers of ``wsgi_app``."""
        self._wsgi_app = wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:  # noqa: ANN401  # as WSGI has it
            present = {name.lower() for name, _ in headers}
            headers += [pair for name, pair in _HEADERS.items() if name not in present]
            headers.append(("X-Request-ID", request_id_of(environ)))
            if "cache-control" not in present:
                headers.append(("Cache-Control", _ASKED_ABOUT if "etag" in present else _UNKEPT))
            if "vary" not in present and _ACCEPT_ENCODING not in environ:
                headers.append(("Vary", "Accept-Encoding"))
            return start_response(status, headers, *error)

        return self._wsgi_app(environ, start)


def init_app(app: Flask) -> None:
    """Compress the answers of ``app``, and finish their headers."""
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_ALGORITHM=[_ALGORITHM],
        COMPRESS_ALGORITHM_STREAMING=[_ALGORITHM],
        COMPRESS_MIN_SIZE=_MIN_COMPRESSED_BYTES,
        COMPRESS_MIMETYPES=[
            "application/json",
            "application/problem+json",
            "text/css",
            "text/csv",
            "text/html",
            "text/javascript",
        ],
    )
    app.extensions[_COMPRESS] = Compress()
    app.extensions[_COMPRESS].init_app(app)
    app.after_request(_compress)
    # Assigned like this on purpose: it is how Flask has a middleware added.
    app.wsgi_app = CommonHeaders(app.wsgi_app)  # type: ignore[method-assign]  # see above


def answer(value: object) -> Response:
    """Return ``value`` as a JSON answer, as it is: the schema of the view only describes it."""
    body = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    return Answer(body, content_type="application/json")


def tag_by(*versions: str) -> None:
    """Name the version of the answer to this request; end with 304 where the client has it.

    Args:
        versions: What differs between any two answers that differ.
    """
    # Another version of ours may answer in another shape.
    g.tag = tag = _digest("\n".join((__version__, *versions)).encode("utf-8", "surrogatepass"))
    _end_if_known(tag)


def tagged(response: Response) -> Response:
    """Give an answer the tag of its version, else one of its content; 304 where it is known."""
    tag: str | None = g.get("tag")
    if tag is None:
        tag = _digest(response.get_data())
        _end_if_known(tag)
    response.headers.add("ETag", f'"{tag}"')
    return response


def _digest(content: bytes) -> str:
    return xxhash.xxh3_128_hexdigest(content)


def _end_if_known(tag: str) -> None:
    if header("HTTP_IF_NONE_MATCH") is None:
        return
    known = request.if_none_match
    # Weakly, as RFC 9110 has it: a proxy that compresses makes our tags weak.
    for shown in (tag, f"{tag}:{_ALGORITHM}"):
        if known.contains_weak(shown):
            abort(Response(status=304, headers={"ETag": f'"{shown}"'}))


def _compress(response: Response) -> Response:
    """Compress an answer, unless nothing in the request says that it may be."""
    if header(_ACCEPT_ENCODING) is not None or "Vary" in response.headers:
        compress: Compress = current_app.extensions[_COMPRESS]
        return compress.after_request(response)
    return response
