"""The catalogue: search, narrow and leaf through the local copy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template, request
from marshmallow import EXCLUDE, ValidationError

from archibald_sync.domain.models import Role
from archibald_sync.errors import InvalidInputError
from archibald_sync.web.catalogue import record_page, words_of
from archibald_sync.web.catalogue_schemas import list_query_schema
from archibald_sync.web.pages.days import start_of_day
from archibald_sync.web.pages.fields import label_of, label_of_name
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.layout import here, page_url
from archibald_sync.web.pages.values import marked, shortened, shown
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marshmallow import Schema

    from archibald_sync.domain.resources import Field, Resource

PAGE_SIZE = 50
_CHOICES = ("q", "group", "since", "includeDeleted", "sort")

bp = Blueprint("catalogue", __name__, url_prefix="/catalogue")


@dataclass(frozen=True, slots=True)
class Order:
    """A column by which the list can be sorted; ``direction`` is None where it is not."""

    field: str
    label: str
    direction: str | None
    url: str


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show the form and the first records that it asks for."""
    resource = here().resource
    return render_template(
        "page/catalogue.html",
        groups=here().catalogue.groups(),
        group_label=label_of_name(resource, resource.group_name or resource.group or ""),
        searched=[label_of_name(resource, name) for name in resource.searched],
        sorts=_sorts(resource),
        **_values(),
    )


@bp.get("/results")
@requires(Role.VIEWER)
def results() -> str:
    """Show only what was found."""
    return render_template("page/catalogue_results.html", **_values())


def _values() -> dict[str, Any]:
    resource, catalogue = here().resource, here().catalogue
    choices = _choices()
    query = _query(resource, choices)
    records, following = record_page(catalogue, query)
    words = words_of(query["q"])
    is_narrowed = any(choices.get(name) for name in _CHOICES[:3])
    return {
        "choices": choices,
        "records": records,
        "cells": lambda record: _cells(resource, record, words),
        "columns": _columns(resource, query, choices),
        "is_first": query["cursor"] is None,
        "is_narrowed": is_narrowed,
        "is_empty": not records and not is_narrowed and catalogue.is_empty(),
        "next_url": page_url("catalogue.index", **choices, cursor=following) if following else None,
        "first_url": page_url("catalogue.index", **choices),
        "has_words": bool(words),
    }


def _choices() -> dict[str, str]:
    """Return what the form was sent with: what is empty was not chosen."""
    asked = ((name, request.args.get(name, "").strip()) for name in _CHOICES)
    return {name: value for name, value in asked if value}


def _query(resource: Resource, choices: Mapping[str, str]) -> dict[str, Any]:
    """Return the choices as the API understands them.

    Raises:
        InvalidInputError: One of them is no such thing.
    """
    asked: dict[str, Any] = {**choices, "cursor": request.args.get("cursor"), "limit": PAGE_SIZE}
    if since := asked.pop("since", None):
        asked["updatedSince"] = start_of_day("since", since)
    try:
        loaded: dict[str, Any] = _schema(resource)(unknown=EXCLUDE).load(
            {name: value for name, value in asked.items() if value is not None}
        )
    except ValidationError as exc:
        field, messages = next(iter(dict(exc.messages_dict).items()))
        raise InvalidInputError(field, str(messages[0])) from exc
    return loaded


@cache
def _schema(resource: Resource) -> type[Schema]:
    return list_query_schema(resource)


def _columns(
    resource: Resource, query: Mapping[str, Any], choices: Mapping[str, str]
) -> list[tuple[Field, Order | None]]:
    """Return the columns of the list; a search has an order of its own, and none to choose."""
    fields = [resource.fields_by_name[name] for name in _listed(resource)]
    sorts = [] if query["q"] else [resource.key.name, resource.name_field]
    return [
        (
            one,
            _order(label_of(one), one.name, query["sort"], choices) if one.name in sorts else None,
        )
        for one in fields
    ]


def _order(label: str, name: str, sort: str, choices: Mapping[str, str]) -> Order:
    directions = {name: "ascending", f"-{name}": "descending"}
    direction = directions.get(sort)
    wanted = f"-{name}" if direction == "ascending" else name
    return Order(name, label, direction, page_url("catalogue.index", **{**choices, "sort": wanted}))


def _sorts(resource: Resource) -> list[tuple[str, str]]:
    """Return (value, label) of each order; the first is the usual one, and needs no value."""
    named = [resource.name_field] if resource.name_field else []
    labels = {name: label_of_name(resource, name) for name in (resource.key.name, *named)}
    upwards = [(name, _("%(field)s, upwards", field=label)) for name, label in labels.items()]
    downwards = [
        (f"-{name}", _("%(field)s, downwards", field=label)) for name, label in labels.items()
    ]
    newest = ("-updatedAt", _("Last change first"))
    return [("", upwards[0][1]), *upwards[1:], *downwards, newest]


def _listed(resource: Resource) -> tuple[str, ...]:
    """Return the fields that a list shows; a resource that declares none shows the first few."""
    return resource.listed or resource.field_names[:5]


def _cells(
    resource: Resource, record: Mapping[str, Any], words: tuple[str, ...]
) -> list[tuple[Field, Any]]:
    """Return each shown field with its value, as markup."""
    fields = (resource.fields_by_name[name] for name in _listed(resource))
    return [
        (one, marked(shortened(shown(record[one.name], one)), _wanted(resource, one, words)))
        for one in fields
    ]


def _wanted(resource: Resource, field: Field, words: tuple[str, ...]) -> tuple[str, ...]:
    """Return what may be marked in a field: only in those that are searched."""
    return words if field.name in resource.searched else ()
