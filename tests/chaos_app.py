"""The service for gunicorn as tests run it: minutes that last seconds, leases that end sooner.

The API, the table and the settings go on to count in whole minutes, with one as the
least. Only the port through which the scheduler reads its schedule says what a minute
is, and here it is ``CHAOS_MINUTE_S`` seconds. ``CHAOS_TTL_S`` is the owner's lease, and
``CHAOS_LATE_S`` how late the owner learns that it is over: a run must notice by itself.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from archibald_sync import app as application
from archibald_sync import bootstrap
from archibald_sync.domain.policy import OWNER_LEASE_TTL_S, OWNER_RENEWAL_S
from archibald_sync.scheduler import driver
from archibald_sync.scheduler.ownership import Ownership
from archibald_sync.services import worker
from archibald_sync.storage.schedule import SqliteSchedule
from archibald_sync.web.security import public

if TYPE_CHECKING:
    from types import ModuleType

    from flask import Flask

    from archibald_sync.domain.models import SchedulerState

MINUTE_S = float(os.environ.get("CHAOS_MINUTE_S", "60"))
TTL_S = float(os.environ.get("CHAOS_TTL_S", str(OWNER_LEASE_TTL_S)))
LATE_S = float(os.environ.get("CHAOS_LATE_S", "0"))
LOITER_S = 4.0


class FastSchedule:
    """The port of the schedule, with minutes of ``MINUTE_S`` seconds."""

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401  # passed on
        """Stand in front of a real schedule."""
        self._schedule = SqliteSchedule(*arguments)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the schedule has
        """Leave everything else to the schedule."""
        return getattr(self._schedule, name)

    def state(self) -> SchedulerState:
        """Return the state, its interval in minutes of a minute's real length."""
        state = self._schedule.state()
        minutes: Any = state.interval_minutes * MINUTE_S / 60
        return replace(state, interval_minutes=minutes)

    def set_next_due(self, next_due_at: float, epoch: int) -> None:
        """Keep the due time, which a broken interval may have made a fraction."""
        self._schedule.set_next_due(round(next_due_at), epoch)


class LateOwnership(Ownership):
    """An ownership that is renewed ``LATE_S`` seconds late."""

    def renew(self) -> bool:
        """Prolong the lease, or let go, after a while."""
        time.sleep(LATE_S)  # what makes it late
        return super().renew()


def _compose() -> None:
    """Give the composition root the other schedule, and the lease its other length."""
    parts: dict[str, Any] = {
        "SqliteSchedule": FastSchedule,
        "Ownership": partial(LateOwnership, ttl_s=TTL_S),
    }
    _replace(bootstrap, **parts)
    _replace(driver, OWNER_RENEWAL_S=min(OWNER_RENEWAL_S, TTL_S / 4))
    _replace(worker, OWNER_LEASE_TTL_S=TTL_S)


def _replace(module: ModuleType, **parts: object) -> None:
    """Put ``parts`` in the place of what ``module`` has under their names."""
    unknown = parts.keys() - vars(module).keys()
    if unknown:
        raise RuntimeError(f"{module.__name__} has no {', '.join(sorted(unknown))} to replace")
    vars(module).update(parts)


def create_app() -> Flask:
    """Return the service, with one more page: ``/loiter`` blocks its worker for seconds."""
    _compose()
    app = application.create_app()
    app.add_url_rule("/loiter", "loiter", public(_loiter))
    return app


def _loiter() -> str:
    print("loitering", flush=True)  # noqa: T201  # the test waits for it
    time.sleep(LOITER_S)  # what blocks the worker
    return "done\n"
