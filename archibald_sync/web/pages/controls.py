"""Which acts are possible now, for whom, and why the others are not: decided here alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.models import Role
from archibald_sync.web.pages import words
from archibald_sync.web.pages.language import gettext as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.access import Caller


@dataclass(frozen=True, slots=True)
class Control:
    """An act that a page offers; ``obstacle`` says why it is impossible now, None that it is not.

    ``question`` is asked before what cannot be undone.
    """

    id: str
    label: str
    done: str
    obstacle: str | None = None
    question: str | None = None


def lacks_role(caller: Caller, needed: Role) -> str | None:
    """Return that ``caller`` may not act, in words; None where they may."""
    if caller.role.includes(needed):
        return None
    return _("Only for the role %(role)s or above.", role=words.role(needed))


def sync_controls(status: Mapping[str, Any], caller: Caller) -> dict[str, Control]:
    """Return the acts on a sync by their names.

    Args:
        status: What ``MonitoringService.status`` returned.
        caller: Who would act.
    """
    is_at_work = status["currentRun"] is not None
    refused = lacks_role(caller, Role.OPERATOR) or _no_owner(status)
    run_obstacle = refused or (_("A run is at work already.") if is_at_work else None)
    idle = None if is_at_work else _("No run is at work.")
    is_stopped = status["autoSync"] == "stopped"
    stopped = _("The schedule is stopped already.") if is_stopped else None
    return {
        "run": Control("run", _("Run now"), _("The run has begun."), run_obstacle),
        "dryRun": Control("dry-run", _("Dry run"), _("The dry run has begun."), run_obstacle),
        "cancel": Control(
            "cancel", _("Cancel run"), _("The run ends."), refused or idle, _cancel()
        ),
        "start": Control(
            "start", _start(is_stopped), _("Syncing every {intervalMinutes} minutes."), refused
        ),
        "stop": Control(
            "stop", _("Stop schedule"), _("The schedule is stopped."), refused or stopped, _stop()
        ),
    }


def approve_control(
    run: Mapping[str, Any], newest_held: str | None, status: Mapping[str, Any], caller: Caller
) -> Control:
    """Return the approval of the plan of a held run.

    Args:
        run: The row of the run.
        newest_held: The run that was held last: only that one can be approved.
        status: What ``MonitoringService.status`` returned.
        caller: Who would approve.
    """
    is_at_work = _("A run is at work already.") if status["currentRun"] else None
    obstacle = (
        lacks_role(caller, Role.ADMIN)
        or _settled(run, newest_held, status["lastSuccessAt"])
        or _no_owner(status)
        or is_at_work
    )
    return Control("approve", _("Approve this plan"), _("The run has begun."), obstacle, _approve())


def _settled(
    run: Mapping[str, Any], newest_held: str | None, last_success_at: int | None
) -> str | None:
    """Return why nobody needs to approve a plan any more; None where it waits for somebody."""
    if run["approvedAt"] is not None:
        return _("It was approved already: an approval is good for one run.")
    if run["id"] != newest_held:
        return _("Another plan was held later: look at that one.")
    if (last_success_at or 0) > run["startedAt"]:
        return _("A later sync went well: there is nothing left to approve.")
    return None


def _approve() -> str:
    return _(
        "Approve this plan? A new run reads the ERP again, and writes what it finds if it is the "
        "same as here within 1 %, past the guards that held it. It can be undone with a rollback "
        "only."
    )


def _start(is_stopped: bool) -> str:  # noqa: FBT001  # its only argument
    return _("Start schedule") if is_stopped else _("Change interval")


def _no_owner(status: Mapping[str, Any]) -> str | None:
    if (status["owner"] or {}).get("isLive"):
        return None
    return _("No process drives the schedule, so nobody could carry it out.")


def _cancel() -> str:
    return _(
        "End the run at work? What it has read is thrown away, the local copy stays as it is, "
        "and the schedule stops until it is started again."
    )


def _stop() -> str:
    return _(
        "Stop the schedule? No run begins any more until it is started again, and the local copy "
        "grows older. A run at work is finished."
    )
