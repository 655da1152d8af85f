"""Managing users: for admins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import url_for

from archibald_sync.domain.models import Role
from archibald_sync.web import access_schemas as schemas
from archibald_sync.web.auditing import describe_act
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import services
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask.typing import ResponseReturnValue

    from archibald_sync.domain.models import User

bp = Blueprint("users", __name__, url_prefix="/api/users", description="Who may log in")


@bp.route("")
@requires(Role.ADMIN)
@bp.response(200, schemas.UsersSchema)
def show_all() -> dict[str, Any]:
    """All users, also disabled ones, by name."""
    last_logins = services().access.tokens.last_logins()
    return {"users": [_shown(one, last_logins) for one in services().accounts.users()]}


@bp.route("", methods=["POST"])
@requires(Role.ADMIN, in_person=True)
@bp.arguments(schemas.NewUserSchema)
@bp.response(201, schemas.AddedUserSchema, headers={"Location": {"schema": {"type": "string"}}})
@bp.doc(responses=problem_responses(400, 409, 413, 415, 429))
def add(body: dict[str, Any]) -> ResponseReturnValue:
    """Add a user; a password is generated where none is given, and told only this once."""
    name, role, given = body["name"], Role(body["role"]), body["password"]
    describe_act(None, role=role)
    user, password = services().accounts.add_user(name, role, given)
    describe_act(user.name)
    answer = {"user": _shown(user, {}), **_told(given, password)}
    return answer, 201, {"Location": url_for(".show", name=user.name)}


@bp.route("/<name>")
@requires(Role.ADMIN)
@bp.response(200, schemas.UserSchema)
@bp.doc(responses=problem_responses(404))
def show(name: str) -> dict[str, Any]:
    """One user."""
    return _shown(services().accounts.account(name))


@bp.route("/<name>", methods=["PATCH"])
@requires(Role.ADMIN, in_person=True)
@bp.arguments(schemas.ChangeUserSchema, required=False)
@bp.response(200, schemas.UserSchema)
@bp.doc(responses=problem_responses(400, 404, 409, 413, 415))
def change(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Give a user another role, disable it or let it in again; its tokens end at once.

    The last enabled admin can neither be disabled nor get another role.
    """
    describe_act(None, **body)
    accounts = services().accounts
    user = accounts.account(name)
    if body.get("isDisabled") is False:
        user = accounts.enable_user(name)
    if "role" in body:
        user = accounts.set_role(name, Role(body["role"]))
    if body.get("isDisabled"):
        user = accounts.disable_user(name)
    return _shown(user)


@bp.route("/<name>/password", methods=["POST"])
@requires(Role.ADMIN, in_person=True)
@bp.arguments(schemas.PasswordSchema, required=False)
@bp.response(200, schemas.ResetPasswordSchema)
@bp.doc(responses=problem_responses(400, 404, 413, 415, 429))
def reset_password(body: dict[str, Any], name: str) -> dict[str, str]:
    """Give a user another password; its tokens end, and its failed logins are forgotten."""
    password = services().accounts.reset_password(name, body["password"])
    services().access.logins.forgive(name)
    return _told(body["password"], password)


def _shown(user: User, last_logins: Mapping[int, int] | None = None) -> dict[str, Any]:
    """Return a user as the schema wants it."""
    if last_logins is None:
        last_logins = services().access.tokens.last_logins()
    return {
        "name": user.name,
        "role": user.role,
        "is_disabled": user.is_disabled,
        "created_at": user.created_at,
        "last_login_at": last_logins.get(user.id),
    }


def _told(given: str | None, password: str) -> dict[str, str]:
    """Return the password where it was generated: who gave it knows it."""
    return {} if given is not None else {"password": password}
