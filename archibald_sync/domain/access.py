"""Who asks, with what right, and what is remembered of it.

Instants are integers, milliseconds since the epoch, UTC, and end in ``_at``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.models import Role

KEY_MARK = "ask_"  # what every API key begins with
KEY_SHOWN = len(KEY_MARK) + 6  # how many of its characters everybody may see who sees its name


class CallerKind(StrEnum):
    """How somebody who asks has proved who they are."""

    USER = "user"
    KEY = "key"
    FOREIGN = "foreign"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; ``id`` is stable, differs between all callers, and is a user's own number.

    ``user_id`` is None where no account of ours stands behind the caller.
    """

    kind: CallerKind
    id: int | str
    name: str
    role: Role
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A machine's key as it may be shown: never with its secret.

    Its right is ``role``, and never more than that of the user ``user_id``, who answers
    for it.
    """

    id: int
    name: str
    prefix: str
    role: Role
    user_id: int
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    revoked_at: int | None = None


class AuditOutcome(StrEnum):
    """How an act ended."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody did or tried; ``actor`` is None where nobody proved who they are."""

    action: str
    outcome: AuditOutcome
    actor: str | None = None
    kind: CallerKind | None = None
    target: str | None = None
    detail: Mapping[str, object] | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An act as it stands in the audit log."""

    id: int
    at: int
    act: Act


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted: those that agree with everything that is not None.

    ``since_at`` is the first instant that counts, ``until_at`` the first that does not.
    Without ``has_renewals`` those entries are left out that say that a login went on: each
    open page makes one every few minutes.
    """

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    outcome: AuditOutcome | None = None
    since_at: int | None = None
    until_at: int | None = None
    has_renewals: bool = True


@dataclass(frozen=True, slots=True)
class Failures:
    """What counts against one account or address.

    How often logging in has failed, until when to wait therefore, and how many passwords are
    being looked at right now.
    """

    count: int = 0
    blocked_until_at: int = 0
    under_way: int = 0


@dataclass(frozen=True, slots=True)
class Patience:
    """How many failures are free, and how long the longest wait after them is."""

    free: int
    longest_s: int

    def wait_s(self, failures: int) -> int:
        """Return how many seconds to wait after so many failures."""
        surplus = failures - self.free
        return 0 if surplus < 0 else min(2 ** min(surplus, 30), self.longest_s)
