"""The header by which a client that asks again is known to mean the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from marshmallow import Schema, fields, validate

from archibald_sync.web.security import current_user

if TYPE_CHECKING:
    from collections.abc import Mapping


class IdempotencySchema(Schema):
    """Which request this is, if the client says so."""

    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        load_default=None,
        validate=validate.Regexp(
            "^[!-~]{1,128}$", error="expected 1 to 128 visible ASCII characters"
        ),
        metadata={"description": "A repeated key gives the first answer, and does nothing more"},
    )


def idempotency_key(headers: Mapping[str, Any]) -> str | None:
    """Return the key of ``headers``, as ``IdempotencySchema`` loads them, if there is one.

    Two users who choose the same key do not mean the same request.
    """
    key = headers["idempotency_key"]
    return key and f"{current_user().id}:{key}"
