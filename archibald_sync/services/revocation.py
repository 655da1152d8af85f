"""Which sessions can be undone: those of which the change log tells everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.models import SessionStatus
from archibald_sync.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from archibald_sync.domain.ports import Catalogue, History
    from archibald_sync.domain.resources import Resource


def require_revocable(
    resource: Resource, history: History, catalogue: Catalogue, session_id: str
) -> int:
    """Return the change after which everything is to be undone.

    Raises:
        NotFoundError: There is no such session.
        RefusedError: It wrote nothing, or the change log does not reach back to it.
    """
    session = history.session(session_id)
    if session is None or session["syncType"] != resource.name:
        raise NotFoundError(f"there is no session {session_id} of {resource.name}")
    if session["status"] != SessionStatus.COMPLETED:
        raise RefusedError(
            "not_completed",
            f"session {session_id} is {session['status']} and wrote nothing; name a completed one",
        )
    after: int | None = session["changesAfter"]
    if after is None or not catalogue.has_changes_since(after):
        raise RefusedError(
            "log_too_short",
            f"the change log no longer reaches back to session {session_id}; restore a copy "
            "of the database instead",
        )
    return after
