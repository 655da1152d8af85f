"""Where a page of sessions ended: when the last one began, and its id."""

from __future__ import annotations

from marshmallow import fields, validate

_EXPECTED = "expected the `next` of an earlier answer"
# 18 digits fit into SQLite's integers; every text of this shape is a place in the list.
PATTERN = "^[0-9]{1,18}[.][!-~]{1,100}$"


class Cursor(fields.String):
    """A place in a list of sessions; loads as (startedAt, id)."""

    def __init__(self) -> None:
        """Be left out by default, which means the newest end."""
        metadata = {"description": "The `next` of an earlier answer"}
        super().__init__(
            load_default=None,
            validate=validate.Regexp(PATTERN, error=_EXPECTED),
            metadata=metadata,
        )


def encoded(started_at: int, session_id: str) -> str:
    """Return the cursor after the session ``session_id`` that began at ``started_at``."""
    return f"{started_at}.{session_id}"


def decoded(cursor: str | None) -> tuple[int, str] | None:
    """Return what ``encoded`` was given; None means the newest end."""
    if cursor is None:
        return None
    started_at, _, session_id = cursor.partition(".")
    return int(started_at), session_id
