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
    body: dict[str, Any] = {
        "type": f"/problems/{code}" if is_ours else "about:blank",
        "title": HTTP_STATUS_CODES[status],
        "status": status,
        "detail": detail,
        "code": code,
        "error": detail,
        "requestId": request_id(),
        **members,
    }
    answer = orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE)
    return Response(answer, status, dict(headers or {}), content_type=PROBLEM_TYPE)


def problem_responses(*statuses: int) -> dict[int, dict[str, Any]]:
    """Return the OpenAPI description of the errors that an operation may answer with."""
    return {
        status: {
            "description": HTTP_STATUS_CODES[status],
            "content": {PROBLEM_TYPE: {"schema": _REFERENCE}},
        }
        for status in statuses
    }
