"""Who may ask for what: tokens, roles, and no route without a declared permission.

A token says only who somebody is; what they may do is read from the database at each
request, so that a changed or disabled user is one at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from flask import current_app, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    decode_token,
    get_current_user,
    verify_jwt_in_request,
)
from flask_jwt_extended.exceptions import JWTExtendedException, NoAuthorizationError
from flask_smorest import Blueprint
from jwt.exceptions import PyJWTError
from werkzeug.exceptions import Forbidden

from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError
from archibald_sync.web.context import services
from archibald_sync.web.problems import problem_responses

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Flask

    from archibald_sync.domain.models import User

ISSUER = AUDIENCE = "archibald-sync"
ACCESS_TTL_S = 15 * 60
SECURITY_SCHEME = "bearerAuth"

_PERMISSION = "declared_permission"
_PUBLIC = "public"
_MAX_ID_DIGITS = 18  # SQLite's integers end at 19

View = TypeVar("View", bound="Callable[..., Any]")


def init_app(app: Flask, secret: str) -> None:
    """Refuse every request of ``app`` that is not permitted; sign tokens with ``secret``."""
    app.config.update(
        JWT_SECRET_KEY=secret,
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
    )
    manager = JWTManager(app)
    manager.token_verification_loader(_is_complete)
    manager.user_lookup_loader(_user_of)
    app.before_request(_authorise)


def requires(role: Role) -> Callable[[View], View]:
    """Permit a view to users of ``role`` and of the roles that include it."""

    def decorate(view: View) -> View:
        documented: View = Blueprint.doc(
            security=[{SECURITY_SCHEME: []}], responses=problem_responses(401, 403, 503)
        )(view)
        setattr(documented, _PERMISSION, role)
        return documented

    return decorate


def public(view: View) -> View:
    """Permit a view to everybody."""
    documented: View = Blueprint.doc(security=[])(view)
    setattr(documented, _PERMISSION, _PUBLIC)
    return documented


def declared_permission(view: Callable[..., Any]) -> str | None:
    """Return the role that ``view`` requires, ``public``, or None where it declares nothing."""
    declared: str | None = getattr(view, _PERMISSION, None)
    return declared


def current_user() -> User:
    """Return the user who asks, as the database has it now."""
    user: User = get_current_user()
    return user


def issue_token(user: User, ttl_s: float = ACCESS_TTL_S) -> str:
    """Return an access token of ``user`` for ``ttl_s`` seconds; needs an application context."""
    token: str = create_access_token(str(user.id), expires_delta=timedelta(seconds=ttl_s))
    return token


def expires_at(token: str) -> int:
    """Return when a token of ours expires; needs an application context."""
    seconds: int = decode_token(token)["exp"]
    return seconds * 1000


def _authorise() -> None:
    """Let a request through to its view, or refuse it."""
    if request.endpoint is None:
        return  # there is no such route: Flask answers 404 or 405 by itself
    needed = declared_permission(current_app.view_functions[request.endpoint])
    if needed == _PUBLIC:
        return
    if needed is None:
        raise Forbidden("nobody may use this route: it declares no permission")
    role = _authenticate().role
    if not role.includes(Role(needed)):
        raise Forbidden(f"this needs the role {needed}; yours is {role}")


def _authenticate() -> User:
    try:
        verify_jwt_in_request()
    except NoAuthorizationError as exc:
        raise AuthError("an access token is needed: Authorization: Bearer …") from exc
    except (JWTExtendedException, PyJWTError) as exc:
        raise AuthError("the access token is wrong or has expired; log in again") from exc
    return current_user()


def _is_complete(_header: dict[str, Any], claims: dict[str, Any]) -> bool:
    return all(claims.get(name) for name in ("exp", "iat", "jti"))


def _user_of(_header: dict[str, Any], claims: dict[str, Any]) -> User | None:
    identity = claims["sub"]
    if not identity.isascii() or not identity.isdigit() or len(identity) > _MAX_ID_DIGITS:
        return None
    return services().accounts.current_user(int(identity))
