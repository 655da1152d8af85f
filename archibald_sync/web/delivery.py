"""How answers travel: compressed where that pays, and not at all where nothing changed.

A tag names a version of an answer. One that is compressed is another answer, whose tag has
an ending of its own; who shows either knows the version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import xxhash
from flask import Response, abort, current_app, g, request
from flask_compress import Compress

from archibald_sync import __version__
from archibald_sync.web.context import header

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from flask import Flask
    from werkzeug.datastructures import Headers

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


def init_app(app: Flask) -> None:
    """Compress the answers of ``app``, and say which may be kept."""
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
    # Functions that follow a request are called in the reverse of this order.
    app.after_request(_compress)
    app.after_request(_say_what_may_be_kept)


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
    headers = response.headers
    if header("HTTP_ACCEPT_ENCODING") is not None or "Vary" in headers:
        compress: Compress = current_app.extensions[_COMPRESS]
        return compress.after_request(response)
    headers.add("Vary", "Accept-Encoding")
    return response


def _say_what_may_be_kept(response: Response) -> Response:
    headers = response.headers
    if "Cache-Control" not in headers:
        headers.add("Cache-Control", _ASKED_ABOUT if "ETag" in headers else _UNKEPT)
    return response
