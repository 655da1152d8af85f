"""The API as a page to read and to try out, without a request to any other host."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, make_response, render_template

from archibald_sync.web.security import public

_ASSETS_MAX_AGE_S = 24 * 3600
# Swagger UI styles its elements one by one; scripts come from our own files only.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

bp = Blueprint(
    "docs",
    __name__,
    url_prefix="/api/docs",
    static_folder="static/swagger-ui",
    static_url_path="/files",
    template_folder="templates",
)


def init_app(app: Flask) -> None:
    """Add the page and its files to ``app``; everybody may read them."""
    app.register_blueprint(bp)
    app.view_functions["docs.static"] = public(app.view_functions["docs.static"])


@bp.get("/")
@public
def page() -> Response:
    """Show the page."""
    response = make_response(render_template("docs.html"))
    response.headers["Content-Security-Policy"] = _POLICY
    return response


@bp.after_request
def _cache(response: Response) -> Response:
    """Let browsers keep the files for a day: they change with the version only."""
    if response.direct_passthrough:
        response.cache_control.max_age = _ASSETS_MAX_AGE_S
        response.cache_control.no_cache = None
    return response
