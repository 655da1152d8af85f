"""The way in: the first page, logging in, and the switch of the language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound

from archibald_sync.domain.models import Role
from archibald_sync.web.pages.language import COOKIE, LANGUAGES
from archibald_sync.web.pages.layout import is_local, page_url
from archibald_sync.web.security import public, requires

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

_YEAR_S = 365 * 24 * 3600

bp = Blueprint("session", __name__)


@bp.get("/")
@requires(Role.VIEWER)
def index() -> ResponseReturnValue:
    """Go to the overview of the first resource."""
    return redirect(page_url("overview.index"), 303)


@bp.get("/login")
@public
def login() -> str:
    """Show the form; its script first tries to renew a login that goes on."""
    has_changed = "changed" in request.args
    return render_template("page/login.html", next_url=_next_url(), has_changed=has_changed)


@bp.get("/language/<code>")
@public
def choose_language(code: str) -> ResponseReturnValue:
    """Keep the language for this browser, and go back."""
    if code not in LANGUAGES:
        raise NotFound("there is no such language")
    response = redirect(_next_url(), 303)
    response.set_cookie(COOKIE, code, max_age=_YEAR_S, samesite="Lax", httponly=True)
    return response


def _next_url() -> str:
    """Return where to go: only to a path of ours, else to the first page."""
    wanted = request.args.get("next")
    return wanted if wanted and is_local(wanted) else url_for("pages.session.index")
