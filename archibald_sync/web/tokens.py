"""Our own tokens: how they are signed, read, put into cookies and taken out again.

A token says only who somebody is, and which login and which generation of the user it
belongs to. Everything else is read from the database at each request.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flask import after_this_request, current_app, g, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
)
from flask_jwt_extended.exceptions import CSRFError, JWTExtendedException
from jwt.exceptions import PyJWTError
from werkzeug.exceptions import Forbidden

from archibald_sync.config import TOKEN_ISSUER
from archibald_sync.domain.access import Caller, CallerKind
from archibald_sync.errors import AuthError
from archibald_sync.services.tokens import ACCESS_TTL_S, REFRESH_TTL_S
from archibald_sync.web.claims import VerifiedClaims
from archibald_sync.web.context import header, services

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Flask, Response

    from archibald_sync.domain.models import User

ISSUER = AUDIENCE = TOKEN_ISSUER
ACCESS_COOKIE, REFRESH_COOKIE, CSRF_COOKIE = "__Host-access", "__Host-refresh", "__Host-csrf"
CSRF_HEADER = "X-CSRF-Token"

_MAX_ID_DIGITS = 18  # SQLite's integers end at 19
_VERIFIED = "archibald_sync.verified_claims"
_READS = frozenset({"GET", "HEAD"})
_WRONG = "the access token is wrong or has expired; log in again"


@dataclass(frozen=True, slots=True, repr=False)
class TokenPair:
    """An access token and the refresh token that gives the next one."""

    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What a good refresh token says."""

    user: User
    token_id: str
    family: str
    is_cookie: bool


def init_app(app: Flask, secret: str) -> None:
    """Sign the tokens of ``app`` with ``secret``, and read only such as are complete."""
    app.config.update(
        JWT_SECRET_KEY=secret,
        JWT_ALGORITHM="HS256",
        JWT_DECODE_ALGORITHMS=["HS256"],
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_ENCODE_ISSUER=ISSUER,
        JWT_DECODE_ISSUER=ISSUER,
        JWT_ENCODE_AUDIENCE=AUDIENCE,
        JWT_DECODE_AUDIENCE=AUDIENCE,
        JWT_ACCESS_COOKIE_NAME=ACCESS_COOKIE,
        JWT_REFRESH_COOKIE_NAME=REFRESH_COOKIE,
        JWT_ACCESS_CSRF_COOKIE_NAME=CSRF_COOKIE,
        JWT_REFRESH_CSRF_COOKIE_NAME=CSRF_COOKIE,
        JWT_ACCESS_CSRF_HEADER_NAME=CSRF_HEADER,
        JWT_REFRESH_CSRF_HEADER_NAME=CSRF_HEADER,
        JWT_COOKIE_SECURE=True,
        JWT_COOKIE_SAMESITE="Strict",
        JWT_COOKIE_CSRF_PROTECT=True,
    )
    JWTManager(app)
    app.extensions[_VERIFIED] = VerifiedClaims(_verified)


def issue_token(user: User, ttl_s: float = ACCESS_TTL_S) -> str:
    """Return an access token of ``user`` that belongs to no login.

    Args:
        user: Whose token; needs an application context.
        ttl_s: Seconds until it expires.
    """
    claims = {"gen": user.token_generation}
    token: str = create_access_token(
        str(user.id), expires_delta=timedelta(seconds=ttl_s), additional_claims=claims
    )
    return token


def begin_login(user: User) -> TokenPair:
    """Return the first tokens of a login."""
    tokens = services().access.tokens
    family = tokens.new_family()
    pair = _pair(user, family)
    tokens.begin(family, user.id, str(decode_token(pair.refresh)["jti"]))
    return pair


def next_tokens(claims: RefreshClaims) -> TokenPair:
    """Return the next tokens of a login; the refresh token of ``claims`` is used up.

    Raises:
        ReusedTokenError: It was used before: the whole login has ended.
        AuthError: The login has ended.
    """
    pair = _pair(claims.user, claims.family)
    new_id = str(decode_token(pair.refresh)["jti"])
    services().access.tokens.rotate(claims.family, claims.token_id, new_id)
    return pair


def read_refresh(given: str | None) -> RefreshClaims:
    """Return what a refresh token says: ``given``, else the one in the cookie.

    Raises:
        AuthError: There is none, or it is wrong, expired or of an ended generation.
        Forbidden: A cookie came without its CSRF token.
    """
    encoded, csrf = (given, None) if given is not None else _refresh_cookie()
    try:
        claims = decode_token(encoded, csrf)
    except CSRFError as exc:
        raise _no_csrf() from exc
    except (JWTExtendedException, PyJWTError, ValueError, RecursionError) as exc:
        raise AuthError("the refresh token is wrong or has expired; log in again") from exc
    is_whole = _is_complete(claims) and claims["type"] == "refresh" and claims.get("fam")
    user = _user(claims) if is_whole else None
    if user is None:
        raise AuthError("the refresh token is wrong or no longer counts; log in again")
    return RefreshClaims(user, claims["jti"], claims["fam"], is_cookie=given is None)


def token_caller() -> Caller:
    """Return who shows a token of ours, in the header or in a cookie.

    Raises:
        AuthError: There is none, or it is wrong, expired or ended.
        Forbidden: A cookie came without its CSRF token.
    """
    claims = _access_claims()
    user = _user_of(claims)
    if user is None:
        raise AuthError(_WRONG)
    g.claims = claims
    return Caller(CallerKind.USER, user.id, user.name, user.role, user.id)


def end_login() -> None:
    """End the login that the access token of this request belongs to."""
    claims = g.claims
    services().access.tokens.end(claims["jti"], claims["exp"] * 1000, claims.get("fam"))


def expires_at(token: str) -> int:
    """Return when a token of ours expires; needs an application context."""
    seconds: int = decode_token(token)["exp"]
    return seconds * 1000


def renewal_due_at() -> int | None:
    """Return when the login of this request expires; None where it is no login of ours."""
    claims = g.get("claims")  # None: a key, a neighbour's token, or nothing at all was shown
    return claims["exp"] * 1000 if claims and "csrf" in claims else None


def csrf_token(token: str) -> str:
    """Return what must stand in the header where ``token`` comes as a cookie."""
    found: str = decode_token(token)["csrf"]
    return found


def set_cookies(pair: TokenPair) -> None:
    """Put tokens into the cookies of the answer to this request."""

    @after_this_request
    def finish(response: Response) -> Response:
        set_access_cookies(response, pair.access)
        set_refresh_cookies(response, pair.refresh)
        return response


def clear_cookies() -> None:
    """Take the cookies away with the answer to this request."""

    @after_this_request
    def finish(response: Response) -> Response:
        unset_jwt_cookies(response)
        return response


def _pair(user: User, family: str) -> TokenPair:
    # One CSRF token serves both cookies.
    csrf = secrets.token_urlsafe(24)
    claims = {"gen": user.token_generation, "fam": family, "csrf": csrf}
    access, refresh = timedelta(seconds=ACCESS_TTL_S), timedelta(seconds=REFRESH_TTL_S)
    identity = str(user.id)
    return TokenPair(
        create_access_token(identity, expires_delta=access, additional_claims=claims),
        create_refresh_token(identity, expires_delta=refresh, additional_claims=claims),
    )


def _access_claims() -> Mapping[str, Any]:
    """Return what the access token of this request says: that of the header counts first."""
    encoded = _header_token()
    is_cookie = encoded is None
    encoded = encoded or request.cookies.get(ACCESS_COOKIE)
    if not encoded:
        raise AuthError("an access token is needed: Authorization: Bearer …")
    needs_csrf = is_cookie and request.method not in _READS
    csrf = _shown_csrf() if needs_csrf else ""
    verified: VerifiedClaims = current_app.extensions[_VERIFIED]
    claims = verified.of(encoded)
    if needs_csrf and not _is_csrf_of(claims, csrf):
        raise _no_csrf()
    return claims


def _header_token() -> str | None:
    """Return the one token of the header; None where there is none, or more than one."""
    # A header that came twice is one with commas.
    fields = (header("HTTP_AUTHORIZATION") or "").split(",")
    shown = [words for field in fields if (words := field.split()) and words[0].lower() == "bearer"]
    if len(shown) != 1:
        return None
    if len(shown[0]) != 2:  # noqa: PLR2004  # the scheme and the token
        raise AuthError(_WRONG)
    return shown[0][1]


def _verified(encoded: str) -> Mapping[str, Any]:
    """Return the claims of an access token of ours; whether it still counts is not asked.

    Raises:
        AuthError: It is wrong, incomplete, expired or no access token.
    """
    try:
        claims: Mapping[str, Any] = decode_token(encoded)
    except (JWTExtendedException, PyJWTError, ValueError, RecursionError) as exc:
        raise AuthError(_WRONG) from exc
    if not _is_complete(claims) or claims.get("type") != "access":
        raise AuthError(_WRONG)
    return claims


def _refresh_cookie() -> tuple[str, str]:
    encoded = request.cookies.get(REFRESH_COOKIE)
    if not encoded:
        raise AuthError("a refresh token is needed")
    return encoded, _shown_csrf()


def _shown_csrf() -> str:
    """Return the CSRF token that came with a cookie."""
    csrf = request.headers.get(CSRF_HEADER)
    # It is compared as it comes, and what is not ASCII cannot be.
    if not csrf or not csrf.isascii():
        raise _no_csrf()
    return csrf


def _is_csrf_of(claims: Mapping[str, Any], shown: str) -> bool:
    expected = claims.get("csrf")
    return isinstance(expected, str) and hmac.compare_digest(expected, shown)


def _no_csrf() -> Forbidden:
    return Forbidden(f"a cookie counts only with its token in the header {CSRF_HEADER}")


def _is_complete(claims: Mapping[str, Any]) -> bool:
    return all(claims.get(name) for name in ("exp", "iat", "jti"))


def _user_of(claims: Mapping[str, Any]) -> User | None:
    """Return whose access token this is; None where it has been ended."""
    user, family = _user(claims), claims.get("fam")
    if user is None or not services().access.tokens.is_live(str(claims["jti"]), family):
        return None
    return user


def _user(claims: Mapping[str, Any]) -> User | None:
    """Return the user of a token, unless it is of an earlier generation than the user."""
    identity = claims.get("sub", "")
    if not identity.isascii() or not identity.isdigit() or len(identity) > _MAX_ID_DIGITS:
        return None
    user = services().accounts.current_user(int(identity))
    generation = claims.get("gen")
    if user is None or type(generation) is not int or generation != user.token_generation:
        return None
    return user
