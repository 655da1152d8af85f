"""The change log for people: what happened to a record, as one entry with all its fields."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from archibald_sync.web.pages.fields import label_of_name
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later
from archibald_sync.web.pages.values import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.resources import Resource

# What happens once, what is said of so many, and the tone of both.
_KINDS = {
    "created": (later("creation"), later("created"), "good"),
    "updated": (later("update"), later("updated"), "busy"),
    "deleted": (later("deletion"), later("deleted"), "bad"),
    "restored": (later("return"), later("restored"), "warn"),
    "renamed": (later("renaming"), later("renamed"), "calm"),
}
KINDS = tuple(_KINDS)


@dataclass(frozen=True, slots=True)
class Edit:
    """What one field held before and after; an empty text is no value."""

    label: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What one session did to one record; ``renamed_from`` is the key that it had before."""

    id: int
    kind: str
    key: str
    name: str
    session_id: str
    changed_at: int
    edits: tuple[Edit, ...]
    renamed_from: str | None


def kind_label(kind: str) -> str:
    """Return the word for a kind of change."""
    return _(_KINDS[kind][0]) if kind in _KINDS else kind


def kind_counted(kind: str) -> str:
    """Return the word for a kind of change that stands behind a number of records."""
    return _(_KINDS[kind][1]) if kind in _KINDS else kind


def kind_tone(kind: str) -> str:
    """Return the tone of a kind of change, as badges and charts have it."""
    return _KINDS[kind][2] if kind in _KINDS else "calm"


def entries(
    changes: Sequence[Mapping[str, Any]],
    resource: Resource,
    records: Sequence[Mapping[str, Any]] = (),
) -> list[Entry]:
    """Return rows of the change log as entries, in their order.

    Args:
        changes: The rows; those of one record and session stand beside each other.
        resource: Whose.
        records: The records that they are about, for their names.
    """
    key, name = resource.change_key, resource.name_field
    names = {one[resource.key.name]: one[name] or "" for one in records} if name else {}
    groups = groupby(changes, lambda row: (row[key], row["sessionId"], row["changeType"]))
    return [_entry(list(rows), resource, names.get(of[0], "")) for of, rows in groups]


def _entry(rows: list[Mapping[str, Any]], resource: Resource, name: str) -> Entry:
    first = rows[0]
    kind = first["changeType"]
    # The log has the fields in the order in which they are declared, lists have it reversed.
    ordered = sorted(rows, key=lambda row: row["id"])
    return Entry(
        first["id"],
        kind,
        first[resource.change_key],
        name,
        first["sessionId"],
        first["changedAt"],
        tuple(_edit(row, resource) for row in ordered if kind == "updated" and row["field"]),
        str(first["oldValue"]) if kind == "renamed" else None,
    )


def _edit(row: Mapping[str, Any], resource: Resource) -> Edit:
    field = resource.fields_by_name.get(row["field"])
    old, new = (shown(row[value], field) for value in ("oldValue", "newValue"))
    return Edit(label_of_name(resource, row["field"]), old, new)
