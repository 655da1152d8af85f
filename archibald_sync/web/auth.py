"""Logging in and out, and who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import g, request

from archibald_sync.domain.access import Caller, CallerKind
from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError, InvalidInputError, LoginThrottledError, NotFoundError
from archibald_sync.logs import ComponentLogger
from archibald_sync.services.tokens import ReusedTokenError
from archibald_sync.web import access_schemas as schemas
from archibald_sync.web import tokens
from archibald_sync.web.auditing import describe_act
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import request_id, services
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import current_user, public, requires

if TYPE_CHECKING:
    from archibald_sync.domain.models import User
    from archibald_sync.web.tokens import TokenPair

bp = Blueprint("auth", __name__, url_prefix="/api/auth", description="Users and their tokens")
_log = ComponentLogger("API")


@bp.route("/login", methods=["POST"])
@public
@bp.arguments(schemas.LoginSchema)
@bp.response(200, schemas.TokenSchema)
@bp.doc(responses=problem_responses(400, 401, 413, 415, 429, 503))
def login(body: dict[str, Any]) -> dict[str, Any]:
    """Exchange name and password for an access token and a refresh token.

    With `cookie` they come as cookies that no script can read.
    """
    user = _checked(body["username"], body["password"])
    _log.info("Logged in", extra={"userId": user.id, "requestId": request_id()})
    _is_known(user)
    return _shown(tokens.begin_login(user), user, is_cookie=body["cookie"])


@bp.route("/refresh", methods=["POST"])
@public
@bp.arguments(schemas.RefreshSchema, required=False)
@bp.response(200, schemas.TokenSchema)
@bp.doc(responses=problem_responses(400, 401, 403, 413, 415, 503))
def refresh(body: dict[str, Any]) -> dict[str, Any]:
    """Exchange a refresh token for the next pair of tokens.

    Each counts once. One that is shown again has been stolen, or its answer was lost:
    the whole login ends, and a new one is needed.
    """
    claims = tokens.read_refresh(body["refreshToken"])
    _is_known(claims.user)
    try:
        pair = tokens.next_tokens(claims)
    except ReusedTokenError:
        describe_act(reason="reused")
        fields = {"userId": claims.user.id, "requestId": request_id()}
        _log.warning("A refresh token was used twice; its login has ended", extra=fields)
        raise
    return _shown(pair, claims.user, is_cookie=claims.is_cookie)


@bp.route("/logout", methods=["POST"])
@requires(Role.VIEWER, in_person=True)
@bp.response(204)
def logout() -> None:
    """End this login: its access tokens and its refresh token, at once."""
    tokens.end_login()
    tokens.clear_cookies()


@bp.route("/me")
@requires(Role.VIEWER)
@bp.response(200, schemas.CallerSchema)
def me() -> Caller:
    """Who asks, and what they may do."""
    return current_user()


@bp.route("/password", methods=["POST"])
@requires(Role.VIEWER, in_person=True)
@bp.arguments(schemas.OwnPasswordSchema)
@bp.response(204)
@bp.doc(responses=problem_responses(400, 413, 415, 429))
def change_password(body: dict[str, Any]) -> None:
    """Change one's own password; all tokens of this user end, also this one."""
    try:
        user = services().access.logins.log_in(
            current_user().name, body["oldPassword"], request.remote_addr
        )
        services().accounts.change_password(user, body["newPassword"])
    except LoginThrottledError:
        raise
    except AuthError as exc:
        raise InvalidInputError("oldPassword", "this is not your password") from exc
    tokens.clear_cookies()


def _checked(name: str, password: str) -> User:
    try:
        return services().access.logins.log_in(name, password, request.remote_addr)
    except AuthError as exc:
        # The name stays out of the log: it may be a password typed into the wrong field.
        fields = {
            "remoteAddress": request.remote_addr,
            "requestId": request_id(),
            "code": exc.code,
        }
        _log.warning("Login refused", extra=fields)
        describe_act(_account_name(name), reason=exc.code)
        raise


def _account_name(name: str) -> str | None:
    """Return the name of the account that was meant; None where there is none."""
    try:
        return services().accounts.account(name).name
    except NotFoundError:
        return None


def _is_known(user: User) -> None:
    """Remember who asks, for the audit log."""
    g.caller = Caller(CallerKind.USER, user.id, user.name, user.role, user.id)


def _shown(pair: TokenPair, user: User, *, is_cookie: bool) -> dict[str, Any]:
    answer = {
        "tokenType": "Cookie" if is_cookie else "Bearer",
        "expiresAt": tokens.expires_at(pair.access),
        "refreshExpiresAt": tokens.expires_at(pair.refresh),
        "user": user,
    }
    if is_cookie:
        tokens.set_cookies(pair)
        return {**answer, "csrfToken": tokens.csrf_token(pair.access)}
    return {**answer, "accessToken": pair.access, "refreshToken": pair.refresh}
