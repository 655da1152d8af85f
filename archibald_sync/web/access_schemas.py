# ruff: noqa: N815  # members are named as JSON has them
"""What the routes about access take and give."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from archibald_sync.domain.access import AuditOutcome, CallerKind
from archibald_sync.domain.models import Role
from archibald_sync.services.keys import MAX_DAYS
from archibald_sync.services.passwords import MAX_PASSWORD, MIN_PASSWORD
from archibald_sync.web.fields import RequestSchema, TrueOrFalse, WholeNumber, instant

MAX_ENTRIES = 500
_DEFAULT_ENTRIES = 50
_MAX_INSTANT = 2**53 - 1  # the greatest whole number that every JSON parser keeps


def _new_name() -> fields.String:
    """Return a name as the services take it: they refuse others, the document tells before."""
    return fields.String(
        required=True,
        validate=validate.Regexp(
            "^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$",
            error="expected 1 to 64 letters, digits, dots, dashes, underscores or @",
        ),
        metadata={"example": "order-app"},
    )


def _role(**kwargs: Any) -> fields.String:  # noqa: ANN401
    expected = f"expected one of {', '.join(Role)}"
    return fields.String(validate=validate.OneOf(list(Role), error=expected), **kwargs)


def _new_password(**kwargs: Any) -> fields.String:  # noqa: ANN401
    bounds = validate.Length(
        MIN_PASSWORD, MAX_PASSWORD, error=f"expected {MIN_PASSWORD} to {MAX_PASSWORD} characters"
    )
    return fields.String(validate=bounds, metadata={"format": "password"}, **kwargs)


class LoginSchema(RequestSchema):
    """Name and password."""

    username = fields.String(required=True)
    password = fields.String(required=True, metadata={"format": "password"})
    cookie = TrueOrFalse(
        load_default=False,
        metadata={"description": "Put the tokens into cookies instead of the answer"},
    )


class RefreshSchema(RequestSchema):
    """The refresh token; without it the one in the cookie counts."""

    refreshToken = fields.String(load_default=None, metadata={"format": "password"})


class CallerSchema(Schema):
    """Who asks, and what they may do."""

    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": list(Role)})


class TokenSchema(Schema):
    """A token to send with each request, as `Authorization: Bearer …`, and one to renew it.

    With cookies neither is in the answer, but the text for the header `X-CSRF-Token`.
    """

    accessToken = fields.String()
    refreshToken = fields.String(metadata={"description": "Counts once, at `/api/auth/refresh`"})
    csrfToken = fields.String()
    tokenType = fields.String(required=True, metadata={"enum": ["Bearer", "Cookie"]})
    expiresAt = instant(required=True)
    refreshExpiresAt = instant(required=True)
    user = fields.Nested(CallerSchema, required=True)


class OwnPasswordSchema(RequestSchema):
    """The password of before, and the one from now on."""

    oldPassword = fields.String(required=True, metadata={"format": "password"})
    newPassword = _new_password(required=True)


class UserSchema(Schema):
    """An account."""

    name = fields.String(required=True)
    role = fields.String(required=True, metadata={"enum": list(Role)})
    isDisabled = fields.Boolean(required=True, attribute="is_disabled")
    createdAt = instant(required=True, attribute="created_at")
    lastLoginAt = instant(
        "When it logged in with its password; null where it never has",
        required=True,
        allow_none=True,
        attribute="last_login_at",
    )


class UsersSchema(Schema):
    """All accounts, by name."""

    users = fields.List(fields.Nested(UserSchema), required=True)


class NewUserSchema(RequestSchema):
    """An account to add."""

    name = _new_name()
    role = _role(required=True)
    password = _new_password(load_default=None)


class AddedUserSchema(Schema):
    """An account that was added."""

    user = fields.Nested(UserSchema, required=True)
    password = fields.String(
        metadata={"description": "Where it was generated; it is told only this once"}
    )


class ChangeUserSchema(RequestSchema):
    """What is to change; what is left out stays."""

    role = _role()
    isDisabled = TrueOrFalse()


class PasswordSchema(RequestSchema):
    """Another password; one is generated where none is given."""

    password = _new_password(load_default=None)


class ResetPasswordSchema(Schema):
    """The password that was generated, if one was; it is told only this once."""

    password = fields.String()


class KeySchema(Schema):
    """A key of a machine, without its secret."""

    id = fields.Integer(required=True)
    name = fields.String(required=True)
    prefix = fields.String(required=True, metadata={"description": "How its secret begins"})
    role = fields.String(required=True, metadata={"enum": list(Role)})
    userId = fields.Integer(
        required=True,
        attribute="user_id",
        metadata={"description": "Who answers for it: it may never do more than that user"},
    )
    createdAt = instant(required=True, attribute="created_at")
    expiresAt = instant(required=True, allow_none=True, attribute="expires_at")
    lastUsedAt = instant(required=True, allow_none=True, attribute="last_used_at")
    revokedAt = instant(required=True, allow_none=True, attribute="revoked_at")


class KeysSchema(Schema):
    """All keys, also revoked ones, the newest first."""

    keys = fields.List(fields.Nested(KeySchema), required=True)


class NewKeySchema(RequestSchema):
    """A key to make."""

    name = _new_name()
    role = _role(required=True)
    expiresInDays = WholeNumber(1, MAX_DAYS, "days", load_default=None, allow_none=True)


class AddedKeySchema(Schema):
    """A key that was made, with its secret."""

    key = fields.Nested(KeySchema, required=True)
    secret = fields.String(required=True, metadata={"description": "It is told only this once"})


class AuditFilterSchema(Schema):
    """Which entries are wanted."""

    actor = fields.String(load_default=None)
    action = fields.String(load_default=None, metadata={"example": "users.change"})
    target = fields.String(load_default=None)
    outcome = fields.String(
        load_default=None,
        validate=validate.OneOf(
            list(AuditOutcome), error=f"expected one of {', '.join(AuditOutcome)}"
        ),
    )
    since = WholeNumber(
        0, _MAX_INSTANT, "milliseconds since the epoch", load_default=None, is_text=True
    )
    until = WholeNumber(
        0, _MAX_INSTANT, "milliseconds since the epoch", load_default=None, is_text=True
    )
    renewals = fields.Boolean(
        load_default=True, metadata={"description": "Also those that say that a login went on"}
    )


class AuditQuerySchema(AuditFilterSchema):
    """Which entries are wanted, and how many at once."""

    limit = WholeNumber(1, MAX_ENTRIES, "entries", load_default=_DEFAULT_ENTRIES, is_text=True)
    before = WholeNumber(1, _MAX_INSTANT, "the log", load_default=None, is_text=True)


class EntrySchema(Schema):
    """What somebody did or tried; `actor` is null where nobody proved who they are."""

    id = fields.Integer(required=True)
    at = instant(required=True)
    actor = fields.String(required=True, allow_none=True)
    actorKind = fields.String(
        required=True, allow_none=True, metadata={"enum": [*CallerKind, None]}
    )
    action = fields.String(required=True)
    target = fields.String(required=True, allow_none=True)
    outcome = fields.String(required=True, metadata={"enum": list(AuditOutcome)})
    detail = fields.Dict(required=True, allow_none=True)
    address = fields.String(required=True, allow_none=True)
    requestId = fields.String(required=True, allow_none=True)


class EntriesSchema(Schema):
    """Entries, the newest first."""

    entries = fields.List(fields.Nested(EntrySchema), required=True)
    next = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Where older ones begin, as `before`; null at the end"},
    )
