"""Every act that comes over HTTP goes into the audit log, without a view having to ask.

An act is a request that changes something: any method but GET and HEAD. Beside it stand
the refusals: a wrong password or token, a role that does not suffice. What nobody proved to
have sent, and what is not even an attempt to log in, is no act: the log can only grow, and a
stranger must not fill the disk.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from flask import current_app, g, request

from archibald_sync.domain.access import KEY_MARK, KEY_SHOWN, Act, AuditOutcome
from archibald_sync.errors import StorageError
from archibald_sync.logs import ComponentLogger
from archibald_sync.web.context import request_id, services
from archibald_sync.web.security import credentials_shown, declared_permission, known_caller

if TYPE_CHECKING:
    from flask import Flask, Response

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
_AUTHENTICATE = "authenticate"
_MAX_TEXT = 200
_LONGEST_NAME = 64  # of what a path may name; a token is longer
_KEY = re.compile(rf"\b{KEY_MARK}.*", re.DOTALL)
_log = ComponentLogger("Audit")


def init_app(app: Flask) -> None:
    """Write down what the requests of ``app`` do."""
    app.after_request(_record)


def describe_act(target: str | None = None, **detail: object) -> None:
    """Say what this request is about, for the audit log: never a secret.

    Args:
        target: Whom or what it changes; else the variable parts of the path, where they
            can be no secret.
        detail: What else is worth knowing years later.
    """
    if target is not None:
        g.audit_target = target
    g.setdefault("audit_detail", {}).update(detail)


def action_of(endpoint: str) -> str:
    """Return the name of an act: its blueprint and view, whichever of its routes was asked.

    Endpoints of a second route are numbered by the library, and the next route added
    elsewhere would change the number.
    """
    blueprint = endpoint.rpartition(".")[0]
    return f"{blueprint}.{current_app.view_functions[endpoint].__name__}"


def _record(response: Response) -> Response:
    act, is_repeated = _act(response.status_code)
    if act is None:
        return response
    audit = services().access.audit
    try:
        (audit.record_refusal if is_repeated else audit.record)(act)
    except StorageError as exc:
        # It has happened and cannot be taken back: the log at least must have it.
        fields = {"action": act.action, "actor": act.actor, "target": act.target}
        detail = {**fields, "outcome": act.outcome, "code": exc.code, "requestId": act.request_id}
        _log.error("The audit log could not be written", extra=detail)  # a known error
    return response


def _act(status: int) -> tuple[Act | None, bool]:
    """Return what to write down, if anything, and whether it is written once a minute only."""
    if status not in _REFUSALS and request.method in _READS:
        return None, False
    endpoint = request.endpoint
    if endpoint is None or declared_permission(current_app.view_functions[endpoint]) is None:
        return None, False
    if status not in _REFUSALS:
        return _tried(endpoint, status), False
    if known_caller() is None and endpoint != "auth.login":
        shown = "refresh token" if endpoint == "auth.refresh" else credentials_shown()
        if shown is None:
            return None, False  # somebody who only forgot the token
        describe_act(None, shown=shown)
        return _made(_AUTHENTICATE, AuditOutcome.REFUSED, target=action_of(endpoint)), True
    # Each wrong password counts; that somebody is still waiting does not.
    is_wrong_password = endpoint == "auth.login" and status == HTTPStatus.UNAUTHORIZED
    return _made(action_of(endpoint), AuditOutcome.REFUSED), not is_wrong_password


def _tried(endpoint: str, status: int) -> Act | None:
    """Return an act that was not refused; None for what failed and nobody proved to have sent."""
    if status < HTTPStatus.BAD_REQUEST:
        return _made(action_of(endpoint), AuditOutcome.DONE)
    if known_caller() is None:
        return None
    is_there = status != HTTPStatus.NOT_FOUND
    return _made(action_of(endpoint), AuditOutcome.FAILED, is_there=is_there)


def _made(
    action: str, outcome: AuditOutcome, target: str | None = None, *, is_there: bool = True
) -> Act:
    caller = known_caller()
    target = target or g.get("audit_target") or _named_in_path(is_there=is_there)
    return Act(
        action=action,
        outcome=outcome,
        actor=caller.name if caller else None,
        kind=caller.kind if caller else None,
        target=target[:_MAX_TEXT] or None,
        detail=g.get("audit_detail") or None,
        address=request.remote_addr,
        request_id=request_id(),
    )


def _named_in_path(*, is_there: bool) -> str:
    """Return what the path names, as far as it can be no secret in the wrong place."""
    parts = (_harmless(str(value), is_there) for value in (request.view_args or {}).values())
    return "/".join(part for part in parts if part)


def _harmless(part: str, is_there: bool) -> str:  # noqa: FBT001
    """Return what may be kept of a part of the path: of a key its beginning, else all or nothing.

    What names nothing may be a password, as with a login of a name that nobody has.
    """
    key = _KEY.search(part)
    if key:
        return f"{key[0][:KEY_SHOWN]}…"
    is_id = len(part) <= _LONGEST_NAME and (is_there or part.isdigit())
    return part if is_id else ""
