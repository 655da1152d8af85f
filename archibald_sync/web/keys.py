"""Managing the API keys of machines: for admins."""

from __future__ import annotations

from typing import Any

from archibald_sync.domain.models import Role
from archibald_sync.errors import NotFoundError
from archibald_sync.web import access_schemas as schemas
from archibald_sync.web.auditing import describe_act
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import services
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import current_user, requires

bp = Blueprint("keys", __name__, url_prefix="/api/keys", description="Keys of machines")


@bp.route("")
@requires(Role.ADMIN)
@bp.response(200, schemas.KeysSchema)
def show_all() -> dict[str, Any]:
    """All keys, also revoked ones, the newest first; never their secrets."""
    return {"keys": services().access.keys.all_keys()}


@bp.route("", methods=["POST"])
@requires(Role.ADMIN, in_person=True)
@bp.arguments(schemas.NewKeySchema)
@bp.response(201, schemas.AddedKeySchema)
@bp.doc(responses=problem_responses(400, 409, 413, 415))
def add(body: dict[str, Any]) -> dict[str, Any]:
    """Make a key for which you answer; its secret is told only this once.

    It may do what its role may, never more than you, and nothing once you are disabled.
    """
    role = Role(body["role"])
    describe_act(None, role=role, expiresInDays=body["expiresInDays"])
    maker = services().accounts.user(current_user().name)
    key, secret = services().access.keys.add(body["name"], role, maker, body["expiresInDays"])
    describe_act(key.name, prefix=key.prefix)
    return {"key": key, "secret": secret}


@bp.route("/<key_id>", methods=["DELETE"])
@requires(Role.ADMIN)
@bp.response(204)
@bp.doc(responses=problem_responses(404))
def revoke(key_id: str) -> None:
    """End a key at once; it stays in the list."""
    if not key_id.isascii() or not key_id.isdigit() or len(key_id) > len("999999999999999999"):
        raise NotFoundError("there is no such key in force")
    key = services().access.keys.revoke(int(key_id))
    describe_act(key.name, prefix=key.prefix)
