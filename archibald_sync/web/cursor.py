"""Where a page of sessions ended, as an opaque text."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode

from archibald_sync.errors import InvalidInputError

_CURSOR = re.compile(r"([0-9]{1,19})\.(.+)")
_MAX_INSTANT = 2**63 - 1  # the greatest integer of SQLite


def encoded(started_at: int, session_id: str) -> str:
    """Return the cursor after the session ``session_id`` that began at ``started_at``."""
    return urlsafe_b64encode(f"{started_at}.{session_id}".encode()).decode().rstrip("=")


def decoded(field: str, cursor: str | None) -> tuple[int, str] | None:
    """Return what ``encoded`` was given; None means the newest end.

    Raises:
        InvalidInputError: ``cursor``, the value of ``field``, is none of ours.
    """
    if cursor is None:
        return None
    try:
        padding = "=" * (-len(cursor) % 4)
        text = urlsafe_b64decode(cursor.encode() + padding.encode()).decode()
    except ValueError as exc:  # neither base64 nor UTF-8
        raise _foreign(field) from exc
    found = _CURSOR.fullmatch(text)
    if found is None or int(found[1]) > _MAX_INSTANT:
        raise _foreign(field)
    return int(found[1]), found[2]


def _foreign(field: str) -> InvalidInputError:
    return InvalidInputError(field, "expected the `next` of an earlier answer")
