"""How answers travel: compressed where that pays, and not at all where nothing changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask_compress import Compress

if TYPE_CHECKING:
    from flask import Flask, Response

_MIN_COMPRESSED_BYTES = 1000
_UNKEPT = "no-store"
# To be kept by the asker alone, and used again only after asking whether it still holds.
_ASKED_ABOUT = "private, no-cache"


def init_app(app: Flask) -> None:
    """Compress the answers of ``app``, and say which may be kept."""
    app.config.update(
        COMPRESS_ALGORITHM=["gzip"],
        COMPRESS_ALGORITHM_STREAMING=["gzip"],
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
    # Functions that follow a request are called in the reverse of this order.
    Compress(app)
    app.after_request(_say_what_may_be_kept)


def _say_what_may_be_kept(response: Response) -> Response:
    has_tag = "ETag" in response.headers
    response.headers.setdefault("Cache-Control", _ASKED_ABOUT if has_tag else _UNKEPT)
    return response
