"""What stands in the audit log as words for people."""

from __future__ import annotations

from archibald_sync.domain.access import AuditOutcome
from archibald_sync.web.context import services
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later

_ACTS = {
    "auth.login": later("Login"),
    "auth.logout": later("Logout"),
    "auth.refresh": later("Renew a login"),
    "auth.change_password": later("Change own password"),
    "authenticate": later("Show a token or key"),
    "token": later("Make a token"),
    "users.add": later("Add a user"),
    "users.change": later("Change a user"),
    "users.reset_password": later("Reset a password"),
    "keys.add": later("Make a key"),
    "keys.revoke": later("Revoke a key"),
    "priority.take": later("Take priority"),
    "priority.renew": later("Renew priority"),
    "priority.release": later("Release priority"),
}
_SYNC_ACTS = {
    "start": later("start the schedule"),
    "stop": later("stop the schedule"),
    "run": later("start a run"),
    "approve": later("approve a held plan"),
    "rollback": later("roll back"),
}
_OUTCOMES = {
    AuditOutcome.DONE: later("done"),
    AuditOutcome.REFUSED: later("refused"),
    AuditOutcome.FAILED: later("failed"),
}


def act_words(action: str) -> str:
    """Return what was done in words; the name itself where it is unknown."""
    if action in _ACTS:
        return _(_ACTS[action])
    resource, _dot, act = action.partition(".")
    if act in _SYNC_ACTS and resource in services().resources:
        label = services().resources[resource].resource.label
        return f"{_(label)}: {_(_SYNC_ACTS[act])}"
    return action


def outcome_words(outcome: AuditOutcome) -> str:
    """Return how an act ended."""
    return _(_OUTCOMES[outcome])
