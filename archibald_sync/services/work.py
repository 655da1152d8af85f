"""A run while it works: what was claimed, how to end it, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archibald_sync.domain.guards import Objection
    from archibald_sync.domain.models import Claim, PlanCounts
    from archibald_sync.domain.plan import Plan
    from archibald_sync.services.control import RunControl


@dataclass
class Work:
    """A run at work; ``counts`` is what was applied, once something was."""

    claim: Claim
    control: RunControl
    attempts: int = 0
    session_id: str | None = None
    plan: Plan | None = None
    objections: Sequence[Objection] = ()
    counts: PlanCounts | None = None

    @property
    def log_fields(self) -> dict[str, object]:
        """Return what the log lines of this run carry."""
        return {"runId": self.claim.run_id, "sessionId": self.session_id}
