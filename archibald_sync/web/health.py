# ruff: noqa: N815  # members are named as JSON has them
"""Whether the process lives and the service does its work: for machines, without a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import Schema, fields

from archibald_sync.errors import (
    StorageBusyError,
    StorageCorruptError,
    StorageError,
    StorageFullError,
)
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import services
from archibald_sync.web.security import public

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from archibald_sync.web.context import ResourceServices

bp = Blueprint("health", __name__, description="For whatever watches the service")


_STORAGE_CODES = [
    kind.code for kind in (StorageError, StorageBusyError, StorageFullError, StorageCorruptError)
]


class AliveSchema(Schema):
    """The process answers."""

    status = fields.String(required=True, metadata={"enum": ["alive"]})


class ResourceHealthSchema(Schema):
    """Whether the sync of one resource is in order."""

    isReady = fields.Boolean(required=True)
    problems = fields.List(
        fields.String(
            metadata={"enum": ["no_owner", "paused_for_long", "stale", *_STORAGE_CODES]},
        ),
        required=True,
    )
    freshness = fields.String(metadata={"enum": ["fresh", "late", "stale"]})
    state = fields.String()


class ReadySchema(Schema):
    """Whether the service does its work, and what keeps it from it."""

    status = fields.String(required=True, metadata={"enum": ["ready", "unavailable"]})
    reasons = fields.List(fields.String(), required=True)
    resources = fields.Dict(
        keys=fields.String(), values=fields.Nested(ResourceHealthSchema), required=True
    )


@bp.route("/livez")
@public
@bp.response(200, AliveSchema)
def livez() -> dict[str, str]:
    """Whether this process answers; asks nothing and nobody else."""
    return {"status": "alive"}


@bp.route("/readyz")
@public
@bp.response(200, ReadySchema)
@bp.alt_response(503, schema=ReadySchema)
def readyz() -> ResponseReturnValue:
    """Whether the database can be used and somebody drives each sync."""
    found = {name: _health(one) for name, one in services().resources.items()}
    access = _access_problems()
    is_ready = not access and all(health["isReady"] for health in found.values())
    reasons = [f"{name}: {why}" for name, one in found.items() for why in one["problems"]]
    body = {
        "status": "ready" if is_ready else "unavailable",
        "reasons": [*reasons, *(f"access: {why}" for why in access)],
        "resources": found,
    }
    return body, 200 if is_ready else 503


def _access_problems() -> list[str]:
    """Return what keeps everybody out, if anything does."""
    try:
        services().access.tokens.require_readable()
    except StorageError as exc:
        return [exc.code]
    return []


def _health(one: ResourceServices) -> dict[str, Any]:
    try:
        return one.monitoring.health()
    except StorageError as exc:
        return {"isReady": False, "problems": [exc.code]}
