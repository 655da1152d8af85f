# ruff: noqa: N815  # members are named as JSON has them
"""What the catalogue's routes take and give, made from the declaration of a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from marshmallow import Schema, fields, validate

from archibald_sync.domain.resources import FieldType
from archibald_sync.web.fields import WholeNumber, instant

if TYPE_CHECKING:
    from typing import Any

    from archibald_sync.domain.resources import Field, Resource

MAX_PAGE = 500
_DEFAULT_PAGE = 50
_MAX_INSTANT = 10**15
_MAX_ID = 2**53 - 1  # the greatest whole number that every JSON parser keeps
MAX_TEXT = 200
# Any text of this shape is a place in a list: a row number, and a value to sort by.
_PLACE = f"^[0-9]{{1,15}}[.](([0-9a-f]{{2}}){{0,{4 * MAX_TEXT}}}|~)$"
_TOO_LONG = "~"


def text_of(value: object, row_id: int) -> str:
    """Return the cursor after the record with this row number and value to sort by.

    An address cannot hold a value of any length: one that is too long is looked up again.
    """
    text = "" if value is None else str(value)
    return f"{row_id}.{text.encode().hex() if len(text) <= MAX_TEXT else _TOO_LONG}"


def place_of(cursor: str | None) -> tuple[str | None, int] | None:
    """Return what ``text_of`` was given; None in place of a value that has to be looked up."""
    if cursor is None:
        return None
    row_id, _, value = cursor.partition(".")
    if value == _TOO_LONG:
        return None, int(row_id)
    return bytes.fromhex(value).decode(errors="replace"), int(row_id)


def _place() -> fields.String:
    return fields.String(
        load_default=None,
        validate=validate.Regexp(_PLACE, error="expected the `next` of an earlier answer"),
        metadata={"description": "The `next` of an earlier answer"},
    )


def _limit() -> WholeNumber:
    return WholeNumber(1, MAX_PAGE, "records", load_default=_DEFAULT_PAGE, is_text=True)


def _flag(description: str) -> fields.Boolean:
    return fields.Boolean(load_default=False, metadata={"description": description})


def _record_field(declared: Field) -> fields.Field[Any]:
    metadata = {"description": declared.description}
    if declared.type is FieldType.INTEGER:
        return fields.Integer(allow_none=True, metadata=metadata)
    if declared.type is FieldType.BOOLEAN:
        return fields.Boolean(allow_none=True, metadata=metadata)
    if declared.type is FieldType.DECIMAL:
        metadata["description"] += "; a decimal number as text"
    if declared.type is FieldType.DATETIME:
        metadata["description"] += "; ISO 8601 without zone"
    return fields.String(allow_none=True, metadata=metadata)


def record_schema(resource: Resource) -> type[Schema]:
    """Return the schema of a record of ``resource``."""
    members: dict[str, Any] = {one.name: _record_field(one) for one in resource.fields}
    members |= {
        "createdAt": instant(required=True),
        "updatedAt": instant(required=True),
        "deletedAt": instant(required=True, allow_none=True),
    }
    return Schema.from_dict(members, name=f"{resource.singular.capitalize()}Schema")


def change_schema(resource: Resource) -> type[Schema]:
    """Return the schema of an entry of the change log of ``resource``."""
    members: dict[str, Any] = {
        "id": fields.Integer(required=True, metadata={"example": 4711}),
        resource.change_key: fields.String(required=True),
        "sessionId": fields.String(
            required=True, metadata={"example": f"{resource.name}-sync-1705678900000"}
        ),
        "changeType": fields.String(required=True, metadata={"example": "updated"}),
        "field": fields.String(required=True, allow_none=True),
        "oldValue": fields.Raw(required=True, allow_none=True),
        "newValue": fields.Raw(required=True, allow_none=True),
        "changedAt": instant(required=True),
    }
    return Schema.from_dict(members, name=f"{resource.singular.capitalize()}ChangeSchema")


def list_query_schema(resource: Resource) -> type[Schema]:
    """Return the schema of the query string of a list."""
    named = [resource.name_field] if resource.name_field else []
    sorts = [resource.key.name, *named, "updatedAt"]
    both = [f"{sign}{name}" for name in sorts for sign in ("", "-")]
    members: dict[str, Any] = {
        "q": fields.String(
            load_default=None,
            validate=validate.Length(1, MAX_TEXT, error=f"expected 1 to {MAX_TEXT} characters"),
            metadata={"description": "Words, or beginnings of words, that must all occur"},
        ),
        "updatedSince": WholeNumber(
            0, _MAX_INSTANT, "milliseconds", load_default=None, is_text=True
        ),
        "includeDeleted": _flag("Also those that the ERP no longer has"),
        "sort": fields.String(
            load_default=resource.key.name,
            validate=validate.OneOf(both, error=f"expected one of {', '.join(both)}"),
            metadata={"description": "A minus sorts downwards; a search has an order of its own"},
        ),
        "limit": _limit(),
        "cursor": _place(),
    }
    if resource.group:
        members["group"] = fields.String(
            load_default=None,
            validate=validate.Length(max=MAX_TEXT),
            metadata={"description": f"Only those whose `{resource.group}` this is"},
        )
    return Schema.from_dict(members, name=f"{resource.singular.capitalize()}QuerySchema")


def page_schema(resource: Resource, record: type[Schema]) -> type[Schema]:
    """Return the schema of a page of records."""
    members: dict[str, Any] = {
        resource.name: fields.List(fields.Nested(record), required=True),
        "next": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "Where the next page begins; null at the end"},
        ),
    }
    return Schema.from_dict(members, name=f"{resource.singular.capitalize()}PageSchema")


def feed_schema(resource: Resource, change: type[Schema], record: type[Schema]) -> type[Schema]:
    """Return the schema of a part of the change feed."""
    members: dict[str, Any] = {
        "changes": fields.List(fields.Nested(change), required=True),
        resource.name: fields.List(
            fields.Nested(record),
            required=True,
            metadata={"description": "The records that the changes are about, as they are now"},
        ),
        "next": fields.Integer(
            required=True, metadata={"description": "What to ask for next, as `since`"}
        ),
        "isLast": fields.Boolean(required=True, metadata={"description": "Nothing came after"}),
    }
    return Schema.from_dict(members, name=f"{resource.singular.capitalize()}FeedSchema")


def history_schema(resource: Resource, change: type[Schema]) -> type[Schema]:
    """Return the schema of the history of one record."""
    following = "Where older ones begin, as `before`; null at the end"
    return _change_list(f"{resource.singular.capitalize()}HistorySchema", change, following)


def session_changes_schema(resource: Resource, change: type[Schema]) -> type[Schema]:
    """Return the schema of what one session changed."""
    following = "Where more begin, as `after`; null at the end"
    return _change_list(f"{resource.singular.capitalize()}SessionChangesSchema", change, following)


def _change_list(name: str, change: type[Schema], following: str) -> type[Schema]:
    members: dict[str, Any] = {
        "changes": fields.List(fields.Nested(change), required=True),
        "next": fields.Integer(
            required=True,
            allow_none=True,
            metadata={"description": following, "example": 4711},
        ),
    }
    return Schema.from_dict(members, name=name)


class HistoryOfRecordQuerySchema(Schema):
    """Which changes of a record to list."""

    limit = _limit()
    before = WholeNumber(1, _MAX_ID, "the change log", load_default=None, is_text=True)


class ChangesOfSessionQuerySchema(Schema):
    """Which changes of a session to list."""

    limit = _limit()
    after = WholeNumber(
        1,
        _MAX_ID,
        "the change log",
        load_default=None,
        is_text=True,
        metadata={"description": "The `next` of an earlier answer"},
    )


class FeedQuerySchema(Schema):
    """Where to go on in the change feed."""

    since = WholeNumber(0, _MAX_ID, "the change log", load_default=0, is_text=True)
    limit = _limit()


class ExportQuerySchema(Schema):
    """What to export."""

    includeDeleted = _flag("Also those that the ERP no longer has")


class VariantQuerySchema(Schema):
    """Which quantity of which name is wanted."""

    name = fields.String(required=True, validate=validate.Length(1, MAX_TEXT))
    quantity = WholeNumber(1, 999_999_999, "pieces", required=True, is_text=True)


def variants_schema(resource: Resource, record: type[Schema]) -> type[Schema]:
    """Return the schema of a choice among variants."""
    members: dict[str, Any] = {
        "chosen": fields.Nested(record, required=True, allow_none=True),
        "variants": fields.List(fields.Nested(record), required=True),
    }
    return Schema.from_dict(members, name=f"{resource.singular.capitalize()}VariantsSchema")
