"""States, outcomes, stages and roles as words for people, and the reasons for a state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATES = {
    "running": later("Syncing now"),
    "idle": later("In step"),
    "paused": later("Paused"),
    "stopped": later("Stopped"),
    "held": later("Held"),
    "failing": later("Failing"),
    "stale": later("Stale"),
}
_OUTCOMES = {
    "running": later("running"),
    "completed": later("completed"),
    "failed": later("failed"),
    "held": later("held"),
    "skipped": later("skipped"),
    "cancelled": later("cancelled"),
    "interrupted": later("interrupted"),
}
_STAGES = {
    "login": later("Logging in to the ERP"),
    "download": later("Reading from the ERP"),
    "parse": later("Understanding what was read"),
    "plan": later("Working out what changed"),
    "apply": later("Writing the changes"),
}
_ROLES = {
    "viewer": later("viewer"),
    "operator": later("operator"),
    "admin": later("admin"),
}
_ROLES_MEAN = {
    "viewer": later("sees everything"),
    "operator": later("also starts and stops"),
    "admin": later("also approves, manages users and keys"),
}
_TRIGGERS = {
    "schedule": later("by the schedule"),
    "catchUp": later("by the schedule, late"),
    "manual": later("by hand"),
    "rollback": later("a rollback"),
}
_REFUSALS = {
    400: later("That was not understood"),
    403: later("You may not do that"),
    404: later("There is nothing here"),
    405: later("That cannot be done here"),
    503: later("Not now"),
}
_OTHER_REFUSAL = later("Something went wrong")
LABELS = (later("Products"),)  # of the resources, as they are declared
# What the script says by itself.
SCRIPT = {
    "lostSince": later("Connection lost %s. Shown is what was known then."),
    "failed": later("That did not work: %s"),
    "unreachable": later("The service cannot be reached. Try again in a moment."),
    "done": later("Done."),
    "wrongPassword": later("Name or password is wrong."),
    "throttled": later("Too many attempts. Try again later."),
    "differs": later("This is not the same as above."),
    "notKept": later(
        "This browser did not keep the login: the page needs https, or localhost as its host."
    ),
}

# What stands for good news, for news and for trouble.
_TONES = {
    "idle": "good",
    "running": "busy",
    "paused": "warn",
    "stopped": "warn",
    "held": "bad",
    "failing": "bad",
    "stale": "bad",
    "completed": "good",
    "failed": "bad",
    "skipped": "calm",
    "cancelled": "warn",
    "interrupted": "warn",
}


def state(name: str) -> str:
    """Return the name of a state of the sync."""
    return _(_STATES.get(name, name))


def outcome(name: str | None) -> str:
    """Return the name of an outcome of a run, or of a status of a session; None still works."""
    return _(_OUTCOMES.get(name or "running", name or ""))


def stage(name: str) -> str:
    """Return what a session does at ``name``."""
    return _(_STAGES.get(name, name))


def role(name: str) -> str:
    """Return the name of a role."""
    return _(_ROLES.get(name, name))


def role_means(name: str) -> str:
    """Return what a role may do, beyond what the ones before it may."""
    return _(_ROLES_MEAN.get(name, name))


def trigger(name: str) -> str:
    """Return why a run was started."""
    return _(_TRIGGERS.get(name, name))


def refusal(status: int) -> str:
    """Return the title of an answer that is an error."""
    return _(_REFUSALS.get(status, _OTHER_REFUSAL))


def tone(name: str | None) -> str:
    """Return ``good``, ``busy``, ``calm``, ``warn`` or ``bad`` for a state or an outcome."""
    return _TONES.get(name or "running", "calm")


def script() -> dict[str, str]:
    """Return what the script says, in the language of this request."""
    return {key: _(text) for key, text in SCRIPT.items()}


def reason(status: Mapping[str, Any]) -> str:
    """Return why the sync is in its state, in one sentence.

    Args:
        status: What ``MonitoringService.status`` returned.
    """
    state_name = status["state"]
    if state_name == "paused":
        return _pause(status)
    if state_name == "stopped":
        by = status["changedBy"]
        return _("Stopped by %(name)s.", name=by) if by else _("Stopped by the settings.")
    if state_name == "stale":
        return _("No successful sync for three intervals.")
    if state_name in {"held", "failing"}:
        return _trouble(status)
    if state_name == "running":
        return _work(status)
    return _rest(status)


def _rest(status: Mapping[str, Any]) -> str:
    """Return how the last run ended, where nothing is wrong and nothing works."""
    last = status["lastRun"]
    if last is None:
        return _("Nothing has been synced yet; the first run is planned.")
    if last["outcome"] == "interrupted":
        return _("The last run was interrupted before it was done; the next one is planned.")
    if last["outcome"] == "cancelled":
        return _("The last run was cancelled; the next one is planned.")
    return _("The last sync went well, and the next one is planned.")


def _trouble(status: Mapping[str, Any]) -> str:
    if not (status["owner"] or {}).get("isLive"):
        return _("No process drives the schedule. Is the service running?")
    return str(status["reason"] or "")


def _work(status: Mapping[str, Any]) -> str:
    if status["progress"]:
        return _("The local copy stays as it is until the whole list has been read and judged.")
    return _("An attempt failed; the next one follows by itself.")


def _pause(status: Mapping[str, Any]) -> str:
    lease = status["priority"][0]
    names = {"owner": lease["owner"], "reason": lease["reason"]}
    if lease["reason"]:
        return _("%(owner)s goes first: %(reason)s.", **names)
    return _("%(owner)s goes first.", owner=names["owner"])
