"""Who may ask for what: roles, and no route without a declared permission.

A caller shows a token of ours, an API key, or a token of the neighbouring backend. What
they may do is read at each request, so that whoever is changed or disabled is so at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import flask_smorest
from flask import current_app, g, request
from werkzeug.exceptions import Forbidden

from archibald_sync.domain.access import KEY_MARK, Caller, CallerKind
from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError
from archibald_sync.web import tokens
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import header, services
from archibald_sync.web.foreign import ForeignVerifier
from archibald_sync.web.problems import UNREADABLE, problem_responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from archibald_sync.config import Settings

SECURITY_SCHEMES = {
    "bearerAuth": {"type": "http", "scheme": "bearer"},
    "apiKeyAuth": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "cookieAuth": {
        "type": "apiKey",
        "in": "cookie",
        "name": tokens.ACCESS_COOKIE,
        "description": f"With {tokens.CSRF_HEADER} on everything but GET and HEAD",
    },
}

_PERMISSION = "declared_permission"
_IN_PERSON = "is_for_persons"
_PUBLIC = "public"
_FOREIGN = "archibald_sync.foreign"

View = TypeVar("View", bound="Callable[..., Any]")


def init_app(app: Flask, settings: Settings) -> None:
    """Refuse every request of ``app`` that is not permitted.

    Raises:
        ConfigError: The public key of the neighbouring backend does not fit.
    """
    tokens.init_app(app, settings.jwt_secret_key)
    foreign = settings.foreign_tokens
    app.extensions[_FOREIGN] = ForeignVerifier(foreign) if foreign else None
    app.before_request(_authorise)


def requires(role: Role, *, in_person: bool = False) -> Callable[[View], View]:
    """Permit a view to callers of ``role`` and of the roles that include it.

    Args:
        role: What the caller must be.
        in_person: Whether only a user with a token of ours may, and no machine.
    """
    schemes = [name for name in SECURITY_SCHEMES if not (in_person and name == "apiKeyAuth")]

    def decorate(view: View) -> View:
        documented: View = Blueprint.doc(
            security=[{name: []} for name in schemes],
            responses=problem_responses(401, 403, 503, *UNREADABLE),
        )(view)
        setattr(documented, _PERMISSION, role)
        setattr(documented, _IN_PERSON, in_person)
        return documented

    return decorate


def public(view: View) -> View:
    """Permit a view to everybody; it may be a method of a library."""
    documented: View = flask_smorest.Blueprint.doc(
        security=[], responses=problem_responses(*UNREADABLE)
    )(view)
    setattr(documented, _PERMISSION, _PUBLIC)
    return documented


def declared_permission(view: Callable[..., Any]) -> str | None:
    """Return the role that ``view`` requires, ``public``, or None where it declares nothing."""
    declared: str | None = getattr(view, _PERMISSION, None)
    return declared


def is_for_persons(view: Callable[..., Any]) -> bool:
    """Return whether only a user with a token of ours may use ``view``."""
    return bool(getattr(view, _IN_PERSON, False))


def current_user() -> Caller:
    """Return who asks, as the database has it now."""
    caller: Caller = g.caller
    return caller


def require_role_still(needed: Role) -> Caller:
    """Return who asks, after looking again: an answer may take minutes.

    Raises:
        AuthError: What they showed no longer counts.
        Forbidden: They are not, or no longer, of the role ``needed``.
    """
    g.caller = caller = _authenticate()
    if not caller.role.includes(needed):
        raise Forbidden(f"this needs the role {needed}; yours is {caller.role}")
    return caller


def known_caller() -> Caller | None:
    """Return who asks; None where nobody has proved who they are."""
    caller: Caller | None = g.get("caller")
    return caller


def credentials_shown() -> str | None:
    """Return with what this request means to prove who asks: key, token or cookie; None: nothing.

    What it is taken for; whether it is one is not looked at.
    """
    if header("HTTP_X_API_KEY") is not None:
        return "key"
    shown = header("HTTP_AUTHORIZATION")
    if shown is not None:
        return "key" if KEY_MARK in shown else "token"
    return "cookie" if tokens.ACCESS_COOKIE in request.cookies else None


def _authorise() -> None:
    """Let a request through to its view, or refuse it."""
    if request.endpoint is None:
        return  # there is no such route: Flask answers 404 or 405 by itself
    view = current_app.view_functions[request.endpoint]
    needed = declared_permission(view)
    if needed == _PUBLIC:
        return
    if needed is None:
        raise Forbidden("nobody may use this route: it declares no permission")
    caller = require_role_still(Role(needed))
    if is_for_persons(view) and caller.kind is not CallerKind.USER:
        raise Forbidden("this is for users who have logged in")


def _authenticate() -> Caller:
    key = header("HTTP_X_API_KEY")
    if key is not None:
        return _key_caller(key)
    scheme, _, shown = (header("HTTP_AUTHORIZATION") or "").strip().partition(" ")
    if scheme.lower() == "bearer":
        shown = shown.strip()
        if shown.startswith(KEY_MARK):
            return _key_caller(shown)
        foreign: ForeignVerifier | None = current_app.extensions[_FOREIGN]
        if foreign is not None and foreign.is_meant(shown):
            return foreign.caller(shown)
    return tokens.token_caller()


def _key_caller(secret: str) -> Caller:
    caller = services().access.keys.caller(secret.strip())
    if caller is None:
        raise AuthError("the API key is wrong, has expired or was revoked")
    return caller
