# ruff: noqa: N815  # members are named as JSON has them
"""The one shape of every error: RFC 9457, with the plan's ``error`` beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from flask import Response
from marshmallow import Schema, fields
from werkzeug.http import HTTP_STATUS_CODES

from archibald_sync.web.context import request_id

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBLEM_TYPE = "application/problem+json"
BLANK = "about:blank"  # RFC 9457: the status says it all
# What any request may be answered with that is no HTTP, or more than we take in.
UNREADABLE = (400, 414, 431)
_REFERENCE = {"$ref": "#/components/schemas/Problem"}


class ProblemSchema(Schema):
    """What went wrong with a request."""

    type = fields.String(
        required=True, metadata={"description": "`about:blank`, or `/problems/` and the code"}
    )
    title = fields.String(required=True, metadata={"description": "The name of the status"})
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "A sentence for people"})
    code = fields.String(required=True, metadata={"description": "A stable word for programs"})
    error = fields.String(required=True, metadata={"description": "The same as `detail`"})
    requestId = fields.String(required=True, metadata={"description": "Also `X-Request-ID`"})
    field = fields.String(metadata={"description": "400: the first field that is wrong"})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "400: what is wrong, by field"},
    )
    runId = fields.String(metadata={"description": "409: the run that is at work"})


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    is_ours: bool = True,
    **members: object,
) -> Response:
    """Return an error as an answer.

    Args:
        status: The HTTP status.
        code: A stable word for programs.
        detail: A sentence for people, fit for strangers.
        headers: Further headers.
        is_ours: Whether ``code`` says more than the status, and so has a type of its own.
        members: Further members of the body.
    """
    kind = f"/problems/{code}" if is_ours else BLANK
    body = problem_body(status, code, detail, request_id(), kind=kind, **members)
    return Response(body, status, dict(headers or {}), content_type=PROBLEM_TYPE)


def problem_body(  # as RFC 9457 has them
    status: int,
    code: str,
    detail: str,
    id_of_request: str,
    *,
    kind: str = BLANK,
    **members: object,
) -> bytes:
    """Return the body of such an answer, also outside of a request.

    Args:
        status: The HTTP status.
        code: A stable word for programs.
        detail: A sentence for people, fit for strangers.
        id_of_request: What the log knows the request by.
        kind: What names the kind of problem.
        members: Further members of the body.
    """
    body: dict[str, Any] = {
        "type": kind,
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
        "code": code,
        "error": detail,
        "requestId": id_of_request,
        **members,
    }
    return orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)


def code_of(status: int) -> str:
    """Return the word for programs of a problem that its status says all about."""
    return HTTP_STATUS_CODES[status].lower().replace(" ", "_")


def problem_responses(*statuses: int) -> dict[int, dict[str, Any]]:
    """Return the OpenAPI description of the errors that an operation may answer with."""
    return {
        status: {
            "description": HTTP_STATUS_CODES[status],
            "content": {PROBLEM_TYPE: {"schema": _REFERENCE}},
        }
        for status in statuses
    }
