# ruff: noqa: N815  # members are named as JSON has them
"""Priority leases: foreground work announces itself, and no sync works meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import url_for
from marshmallow import Schema, fields, validate

from archibald_sync.domain.models import Role
from archibald_sync.errors import NotFoundError
from archibald_sync.logs import ComponentLogger
from archibald_sync.services.priority import (
    MAX_TEXT,
    MAX_TTL_S,
    MAX_WAIT_S,
    OWNER_EXPECTED,
    OWNER_PATTERN,
)
from archibald_sync.web.auditing import describe_act
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.context import request_id, services
from archibald_sync.web.fields import RequestSchema, WholeNumber, instant
from archibald_sync.web.idempotency import IdempotencySchema, idempotency_key
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

    from archibald_sync.domain.models import PriorityLease

_DEFAULT_TTL_S = 60

bp = Blueprint(
    "priority",
    __name__,
    url_prefix="/api/priority/leases",
    description="Orders go first: while a lease is held, no sync works",
)
_log = ComponentLogger("API")


def _ttl(**kwargs: Any) -> WholeNumber:  # noqa: ANN401
    description = "After how many seconds the lease ends by itself"
    return WholeNumber(1, MAX_TTL_S, "seconds", metadata={"description": description}, **kwargs)


class TakeSchema(RequestSchema):
    """Who goes first, what for and for how long."""

    owner = fields.String(
        required=True,
        validate=[
            validate.Length(max=MAX_TEXT, error=OWNER_EXPECTED),
            validate.Regexp(OWNER_PATTERN, error=OWNER_EXPECTED),
        ],
    )
    reason = fields.String(
        load_default="",
        validate=validate.Length(max=MAX_TEXT, error=f"expected at most {MAX_TEXT} characters"),
    )
    ttlSeconds = _ttl(load_default=_DEFAULT_TTL_S)
    waitSeconds = WholeNumber(
        0,
        MAX_WAIT_S,
        "seconds",
        load_default=0,
        metadata={"description": "How long the answer may wait for a sync to give way"},
    )


class RenewSchema(RequestSchema):
    """For how long from now."""

    ttlSeconds = _ttl(load_default=_DEFAULT_TTL_S)


class HeldLeaseSchema(Schema):
    """Foreground work that goes first."""

    id = fields.String(required=True)
    owner = fields.String(required=True)
    reason = fields.String(required=True)
    takenAt = instant(required=True)
    expiresAt = instant(required=True)


class LeaseSchema(HeldLeaseSchema):
    """A lease in force; `quiet` says whether no sync is at work now."""

    quiet = fields.Boolean(required=True)


class LeasesSchema(Schema):
    """All leases in force, the oldest first."""

    leases = fields.List(fields.Nested(HeldLeaseSchema), required=True)
    quiet = fields.Boolean(required=True)


@bp.route("", methods=["POST"])
@requires(Role.OPERATOR)
@bp.arguments(TakeSchema)
@bp.arguments(IdempotencySchema, location="headers")
@bp.response(201, LeaseSchema, headers={"Location": {"schema": {"type": "string"}}})
@bp.doc(responses=problem_responses(400, 409, 413, 415))
def take(body: dict[str, Any], headers: dict[str, Any]) -> ResponseReturnValue:
    """Go first from now on.

    The answer comes at once, however busy a sync is; `waitSeconds` lets it wait until
    the sync has given way, at most so long. While a lease is held, its
    `Idempotency-Key` gives it again; with another owner, reason or `ttlSeconds` it is 409.
    """
    manager = services().priority
    key = idempotency_key(headers)
    lease = manager.take(body["owner"], body["reason"], body["ttlSeconds"], key)
    describe_act(lease.id, owner=lease.owner, reason=lease.reason)
    _log_lease("Priority lease taken", lease.id)
    quiet = manager.wait_until_quiet(body["waitSeconds"])
    return _shown(lease, quiet), 201, {"Location": url_for(".show", lease_id=lease.id)}


@bp.route("")
@requires(Role.VIEWER)
@bp.response(200, LeasesSchema)
def show_all() -> dict[str, Any]:
    """Who goes first now, since when and what for."""
    manager = services().priority
    quiet = manager.is_quiet()
    return {"leases": [_shown(lease, quiet) for lease in manager.held()], "quiet": quiet}


@bp.route("/<lease_id>")
@requires(Role.VIEWER)
@bp.response(200, LeaseSchema)
@bp.doc(responses=problem_responses(404))
def show(lease_id: str) -> dict[str, Any]:
    """One lease in force."""
    manager = services().priority
    for lease in manager.held():
        if lease.id == lease_id:
            return _shown(lease, manager.is_quiet())
    raise _no_lease()


@bp.route("/<lease_id>", methods=["PUT"])
@requires(Role.OPERATOR)
@bp.arguments(RenewSchema, required=False)
@bp.response(200, LeaseSchema)
@bp.doc(responses=problem_responses(400, 404, 413, 415))
def renew(body: dict[str, Any], lease_id: str) -> dict[str, Any]:
    """Prolong a lease: it ends `ttlSeconds` from now."""
    manager = services().priority
    return _shown(manager.renew(lease_id, body["ttlSeconds"]), manager.is_quiet())


@bp.route("/<lease_id>", methods=["DELETE"])
@requires(Role.OPERATOR)
@bp.response(204)
@bp.doc(responses=problem_responses(404))
def release(lease_id: str) -> None:
    """End a lease; the sync goes on after the last one."""
    if not services().priority.release(lease_id):
        raise _no_lease()
    _log_lease("Priority lease released", lease_id)


def _no_lease() -> NotFoundError:
    return NotFoundError("there is no such lease in force")


def _shown(lease: PriorityLease, quiet: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "id": lease.id,
        "owner": lease.owner,
        "reason": lease.reason,
        "takenAt": lease.taken_at,
        "expiresAt": lease.expires_at,
        "quiet": quiet,
    }


def _log_lease(message: str, lease_id: str) -> None:
    fields = {"userId": current_user().id, "leaseId": lease_id, "requestId": request_id()}
    _log.info(message, extra=fields)
