"""Runs, changes and plans as words for people: counts, reasons, values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from archibald_sync.domain.models import PlanKind, RunOutcome, Trigger
from archibald_sync.domain.resources import FieldType
from archibald_sync.web.pages import advice
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later, ngettext, number
from archibald_sync.web.pages.layout import has_page, here, page_url

if TYPE_CHECKING:
    from collections.abc import Mapping

LOST = "owner_lost"
OUTCOMES = tuple(RunOutcome)
TRIGGERS = tuple(Trigger)
KINDS = tuple(PlanKind)

_COUNTS = ("itemsCreated", "itemsUpdated", "itemsDeleted", "itemsRestored", "itemsRejected")
_CHANGES = {
    "created": later("creation"),
    "updated": later("update"),
    "deleted": later("deletion"),
    "restored": later("return"),
    "renamed": later("renaming"),
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
REJECTIONS = {
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
    created, updated, deleted, restored, rejected = (run[name] or 0 for name in _COUNTS)
    said = (
        (created, ngettext("%(n)s created", "%(n)s created", created, n=number(created))),
        (updated, ngettext("%(n)s updated", "%(n)s updated", updated, n=number(updated))),
        (deleted, ngettext("%(n)s deleted", "%(n)s deleted", deleted, n=number(deleted))),
        (restored, ngettext("%(n)s restored", "%(n)s restored", restored, n=number(restored))),
        (rejected, ngettext("%(n)s rejected", "%(n)s rejected", rejected, n=number(rejected))),
    )
    return [text for count, text in said if count]


def outcome_words(run: Mapping[str, Any]) -> str | None:
    """Return why a run ended as it did, in a sentence; None where its counts say it all."""
    if run["outcome"] in {None, RunOutcome.COMPLETED}:
        return None
    reason: str | None = advice.what(reason_of(run)) or run["detail"]
    return reason


def told(run: Mapping[str, Any]) -> str | None:
    """Return the sentence that was recorded of a run; None where the page has it in its words."""
    if run["isDryRun"] and run["outcome"] == RunOutcome.COMPLETED:
        return None
    detail: str | None = run["detail"]
    return detail


def would_be(summary: Mapping[str, Any]) -> str:
    """Return what a sync would do with the plan of a dry run."""
    if summary["objections"]:
        return _("Nothing was written. A sync with this plan would be held.")
    return _("Nothing was written. A sync would apply this plan.")


def reason_of(run: Mapping[str, Any]) -> str | None:
    """Return the code of how a run ended, also while nobody has recorded that it was lost."""
    is_lost = run["outcome"] == RunOutcome.INTERRUPTED and run["reason"] is None
    code: str | None = LOST if is_lost else run["reason"]
    return code


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
    return _(REJECTIONS.get(reason, reason))


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


def record_url(key: str) -> str | None:
    """Return the page of a record; None where there is no such page."""
    return page_url("catalogue.record", key=key) if has_page("catalogue.record") else None
