"""Runs, changes and plans as words for people: counts, reasons, values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from archibald_sync.domain.models import PlanKind, RunOutcome, Trigger
from archibald_sync.domain.resources import FieldType
from archibald_sync.web.pages import advice
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later, number
from archibald_sync.web.pages.layout import has_page, here, page_url

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTCOMES = tuple(RunOutcome)
TRIGGERS = tuple(Trigger)
KINDS = tuple(PlanKind)

_COUNTS = {
    "itemsCreated": later("%(n)s created"),
    "itemsUpdated": later("%(n)s updated"),
    "itemsDeleted": later("%(n)s deleted"),
    "itemsRestored": later("%(n)s restored"),
    "itemsRejected": later("%(n)s rejected"),
}
_CHANGES = {
    "created": later("created"),
    "updated": later("updated"),
    "deleted": later("deleted"),
    "restored": later("restored"),
    "renamed": later("renamed"),
}
_KINDS = {
    "created": later("Created"),
    "updated": later("Updated"),
    "missing": later("Missing"),
    "restored": later("Restored"),
    "renamed": later("Renamed"),
    "rejected": later("Rejected"),
}
_LEVELS = {
    "debug": later("debug"),
    "info": later("info"),
    "warning": later("warning"),
    "error": later("error"),
    "critical": later("critical"),
}
_LEVEL_TONES = {"warning": "warn", "error": "bad", "critical": "bad"}
# What domain.normalise and domain.delta say about a value that does not fit.
_REJECTIONS = {
    "expected text": later("expected text"),
    "expected a whole number": later("expected a whole number"),
    "expected a number": later("expected a number"),
    "expected true or false": later("expected true or false"),
    "expected a date and time": later("expected a date and time"),
    "expected a date that exists": later("expected a date that exists"),
    "expected an id": later("expected an id"),
}


def counts(run: Mapping[str, Any]) -> list[str]:
    """Return what a run did, at a glance: only what is not nothing."""
    return [
        _(text, n=number(run[name])) for name, text in _COUNTS.items() if run[name]
    ]  # fmt: skip


def outcome_words(run: Mapping[str, Any]) -> str | None:
    """Return why a run ended as it did, in a sentence; None where its counts say it all."""
    if run["outcome"] in {None, RunOutcome.COMPLETED}:
        return None
    reason: str | None = advice.what(run["reason"]) or run["detail"]
    return reason


def session_words(session: Mapping[str, Any]) -> str:
    """Return why a session ended as it did."""
    return advice.what(session["errorCode"]) or str(session["errorMessage"])


def change(kind: str) -> str:
    """Return the name of a kind of change."""
    return _(_CHANGES.get(kind, kind))


def kind(name: str) -> str:
    """Return the name of a part of a plan."""
    return _(_KINDS.get(name, name))


def level(name: str) -> str:
    """Return the name of the level of a log line."""
    return _(_LEVELS.get(name, name))


def level_tone(name: str) -> str:
    """Return how loud a log line of this level is."""
    return _LEVEL_TONES.get(name, "calm")


def rejection(reason: str) -> str:
    """Return what was expected of a value that does not fit."""
    return _(_REJECTIONS.get(reason, reason))


def value(field: str | None, given: Any) -> str | None:  # noqa: ANN401  # any value of a record
    """Return the value of a field as people write it; None where it is empty."""
    if given is None or given == "":
        return None
    declared = here().resource.fields_by_name.get(field or "")
    if declared is not None and declared.type is FieldType.BOOLEAN:
        return _("yes") if given else _("no")
    if declared is not None and declared.type is FieldType.DATETIME:
        return str(given).replace("T", " ")
    return str(given)


def linked(text: str) -> Markup:
    """Return ``text``, escaped, in which the ids of runs and sessions lead to their pages."""
    name = here().resource.name
    parts = re.split(rf"(\b{re.escape(name)}-(?:run|sync)-[0-9]+\b)", text)
    return Markup("").join(
        _link(part) if index % 2 else escape(part) for index, part in enumerate(parts)
    )


def _link(some_id: str) -> Markup:
    if "-run-" in some_id:
        url = page_url("history.run.index", run_id=some_id)
    else:
        url = page_url("history.session", session_id=some_id)
    return Markup('<a href="{}">{}</a>').format(url, some_id)


def follow_url() -> str:
    """Return the page of a run whose id is not known yet; the script fills in ``{runId}``."""
    return page_url("history.run.index", run_id="RUN").replace("RUN", "{runId}")


def record_url(key: str) -> str | None:
    """Return the page of a record; None where there is no such page."""
    return page_url("catalogue.record", key=key) if has_page("catalogue.record") else None
