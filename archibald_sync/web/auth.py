# ruff: noqa: N815  # members are named as JSON has them
"""Logging in, and who one is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import request
from marshmallow import Schema, fields

from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError
from archibald_sync.logs import ComponentLogger
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import request_id, services
from archibald_sync.web.fields import RequestSchema, instant
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import current_user, expires_at, issue_token, public, requires

if TYPE_CHECKING:
    from archibald_sync.domain.models import User

bp = Blueprint("auth", __name__, url_prefix="/api/auth", description="Users and their tokens")
_log = ComponentLogger("API")


class LoginSchema(RequestSchema):
    """Name and password."""

    username = fields.String(required=True)
    password = fields.String(required=True, metadata={"format": "password"})


class UserSchema(Schema):
    """A user, and what they may do."""

    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": list(Role)})


class TokenSchema(Schema):
    """A token to send with each request, as `Authorization: Bearer …`."""

    accessToken = fields.String(required=True)
    tokenType = fields.String(required=True, metadata={"enum": ["Bearer"]})
    expiresAt = instant(required=True)
    user = fields.Nested(UserSchema, required=True)


@bp.route("/login", methods=["POST"])
@public
@bp.arguments(LoginSchema)
@bp.response(200, TokenSchema)
@bp.doc(responses=problem_responses(400, 401, 413, 415, 503))
def login(body: dict[str, Any]) -> dict[str, Any]:
    """Exchange name and password for an access token."""
    user = _checked(body["username"], body["password"])
    token = issue_token(user)
    _log.info("Logged in", extra={"userId": user.id, "requestId": request_id()})
    return {
        "accessToken": token,
        "tokenType": "Bearer",
        "expiresAt": expires_at(token),
        "user": user,
    }


@bp.route("/me")
@requires(Role.VIEWER)
@bp.response(200, UserSchema)
def me() -> User:
    """Who asks, and what they may do."""
    return current_user()


def _checked(name: str, password: str) -> User:
    try:
        return services().accounts.log_in(name, password)
    except AuthError:
        # The name stays out of the log: it may be a password typed into the wrong field.
        fields_ = {"remoteAddress": request.remote_addr, "requestId": request_id()}
        _log.warning("Login refused", extra=fields_)
        raise
