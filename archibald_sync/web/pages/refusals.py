"""What a page answers when it cannot be shown, and what every page forbids the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from flask import make_response, redirect, render_template, request, url_for

from archibald_sync.web import errors
from archibald_sync.web.pages import problems

if TYPE_CHECKING:
    from flask import Response
    from flask.typing import ResponseReturnValue

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_UNAUTHORIZED = 401


def protect(response: Response) -> Response:
    """Let a page use nothing but our own files, and nobody keep it."""
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    return response


def show(error: Exception) -> ResponseReturnValue:
    """Answer an error as a page; whoever is not logged in is sent there, and back afterwards."""
    problem = errors.answer(error)
    if problem.status_code == _UNAUTHORIZED:
        return redirect(url_for("pages.session.login", next=_here_again()), 303)
    told = orjson.loads(problem.data)
    told["detail"] = problems.spoken(told["detail"])
    page = make_response(render_template("page/refusal.html", problem=told), problem.status_code)
    if "Retry-After" in problem.headers:
        page.headers["Retry-After"] = problem.headers["Retry-After"]
    return page


def _here_again() -> str:
    """Return the path of this request with its query."""
    return request.full_path.rstrip("?")
