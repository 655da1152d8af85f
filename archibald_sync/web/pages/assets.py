"""The files of the pages: their names hold a fingerprint, so that browsers keep them for ever."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Blueprint, current_app, send_from_directory, url_for
from werkzeug.exceptions import NotFound

from archibald_sync.web.security import public

if TYPE_CHECKING:
    from flask import Flask, Response

FOLDER = Path(__file__).parent.parent / "static" / "page"
_VERSION = "archibald_sync.assets"
_MAX_AGE_S = 365 * 24 * 3600

bp = Blueprint("assets", __name__, url_prefix="/assets")


def init_app(app: Flask) -> None:
    """Serve the files under the fingerprint that they have now."""
    app.extensions[_VERSION] = _fingerprint()
    app.register_blueprint(bp)


def asset_url(name: str) -> str:
    """Return the address of a file; scripts find each other relative to it."""
    return url_for("assets.file", version=current_app.extensions[_VERSION], name=name)


@bp.get("/<version>/<path:name>")
@public
def file(version: str, name: str) -> Response:
    """Send a file, if it is of the version that is asked for."""
    if version != current_app.extensions[_VERSION]:
        raise NotFound("there is no such version; load the page anew")
    response = send_from_directory(FOLDER, name, max_age=_MAX_AGE_S)
    response.cache_control.public = True
    response.cache_control.immutable = True
    return response


def _fingerprint() -> str:
    """Return 16 digits that change with any name or content."""
    digest = hashlib.sha256()
    for path in sorted(one for one in FOLDER.rglob("*") if one.is_file()):
        digest.update(path.relative_to(FOLDER).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
