"""Ask the owner to start, stop or run, and say truthfully what became of it.

Any process may ask: it writes an intent, which the owner carries out, wherever it
is. Whoever asked waits a moment for the answer.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from archibald_sync.domain.models import IntentKind, IntentState
from archibald_sync.domain.policy import MAX_INTERVAL_MINUTES, MIN_INTERVAL_MINUTES
from archibald_sync.errors import InvalidInputError, KeyReusedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.models import Intent
    from archibald_sync.domain.schedule_ports import Schedule

ANSWER_WAIT_S = 2.0
_POLL_S = 0.02
_WISH_TTL_S = 24 * 3600.0
_RUN_TTL_S = 60.0
# What still counts when the owner comes late; a run is asked for now.
_WISHES = frozenset({IntentKind.START, IntentKind.STOP})


class ScheduleService:
    """Start, stop and run, as an admin asks for them."""

    def __init__(self, schedule: Schedule, *, answer_wait_s: float = ANSWER_WAIT_S) -> None:
        """Ask through ``schedule``, and wait ``answer_wait_s`` seconds for each answer."""
        self._schedule = schedule
        self._answer_wait_s = answer_wait_s

    # A repeated ``idempotency_key`` gives the first answer, and does nothing more.

    def start(
        self,
        interval_minutes: object,
        requested_by: str | None,
        idempotency_key: str | None = None,
    ) -> Intent:
        """Ask that the schedule runs every ``interval_minutes``: a whole number, 1 to 1440.

        Raises:
            InvalidInputError: The interval is anything else.
            KeyReusedError: The key was used before with another interval.
        """
        parameters = {"intervalMinutes": valid_interval(interval_minutes)}
        return self._ask(IntentKind.START, parameters, requested_by, idempotency_key)

    def stop(
        self,
        requested_by: str | None,
        idempotency_key: str | None = None,
        *,
        cancel: bool = False,
    ) -> Intent:
        """Ask that no run begins any more; with ``cancel`` the one at work ends too.

        Raises:
            KeyReusedError: The key was used before with another ``cancel``.
        """
        return self._ask(IntentKind.STOP, {"cancel": cancel}, requested_by, idempotency_key)

    def run_now(
        self,
        requested_by: str | None,
        idempotency_key: str | None = None,
        *,
        is_dry_run: bool = False,
    ) -> Intent:
        """Ask for a run at once.

        Raises:
            KeyReusedError: The key was used before for a run of the other kind.
        """
        parameters = {"dryRun": is_dry_run}
        return self._ask(IntentKind.RUN, parameters, requested_by, idempotency_key)

    def approve(
        self, run_id: str, requested_by: str | None, idempotency_key: str | None = None
    ) -> Intent:
        """Ask for a run that may apply the plan for which ``run_id`` was held.

        Raises:
            KeyReusedError: The key was used before for another held run.
        """
        return self._ask(IntentKind.APPROVE, {"runId": run_id}, requested_by, idempotency_key)

    def roll_back(
        self, session_id: str, requested_by: str | None, *, keeps_schedule: bool = False
    ) -> Intent:
        """Ask for a run that undoes a session and all after it.

        The schedule is stopped by it unless it is kept: the next sync would bring the
        source's state back.
        """
        parameters = {"sessionId": session_id, "keepSchedule": keeps_schedule}
        return self._ask(IntentKind.ROLLBACK, parameters, requested_by)

    def boot(self, policy: str, boot_id: str) -> None:
        """Record that the service booted: once a boot, however many processes say so.

        Args:
            policy: ``start``, ``keep`` or ``off``.
            boot_id: What all processes of this boot have in common.
        """
        parameters = {"policy": policy}
        key = f"boot:{boot_id}"
        self._schedule.add_intent(
            IntentKind.BOOT, parameters, None, ttl_s=None, idempotency_key=key
        )

    def answer(self, intent: Intent, wait_s: float) -> Intent:
        """Return ``intent`` once it is answered, or as it stands after ``wait_s`` seconds."""
        deadline = time.monotonic() + wait_s
        pause = threading.Event()
        current = self._schedule.intent(intent.id)
        while current.state is IntentState.PENDING and time.monotonic() < deadline:
            pause.wait(_POLL_S)
            if self._schedule.has_changed():
                current = self._schedule.intent(intent.id)
        return current

    def _ask(
        self,
        kind: IntentKind,
        parameters: Mapping[str, object],
        requested_by: str | None,
        idempotency_key: str | None = None,
    ) -> Intent:
        intent = self._schedule.add_intent(
            kind,
            parameters,
            requested_by,
            ttl_s=_WISH_TTL_S if kind in _WISHES else _RUN_TTL_S,
            idempotency_key=idempotency_key and f"{kind}:{idempotency_key}",
        )
        if dict(intent.parameters) != dict(parameters):
            raise KeyReusedError
        return self.answer(intent, self._answer_wait_s)


def valid_interval(interval_minutes: object) -> int:
    """Return an interval that a schedule may have.

    Raises:
        InvalidInputError: It is no whole number from 1 to 1440.
    """
    is_whole = isinstance(interval_minutes, int) and not isinstance(interval_minutes, bool)
    if is_whole and MIN_INTERVAL_MINUTES <= interval_minutes <= MAX_INTERVAL_MINUTES:  # type: ignore[operator]
        return interval_minutes  # type: ignore[return-value]
    expected = f"expected a whole number of minutes from {MIN_INTERVAL_MINUTES} to "
    raise InvalidInputError("intervalMinutes", f"{expected}{MAX_INTERVAL_MINUTES}")
