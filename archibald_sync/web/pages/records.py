"""One record: all its fields, its variants, and what happened to it. Adds to the catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask import render_template, request

from archibald_sync.domain.models import Role
from archibald_sync.errors import InvalidInputError
from archibald_sync.web.pages.catalogue import bp
from archibald_sync.web.pages.changelog import entries
from archibald_sync.web.pages.fields import label_of, section_label
from archibald_sync.web.pages.layout import here
from archibald_sync.web.pages.values import shown
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.resources import Field, Resource
    from archibald_sync.services.catalogue import CatalogueService

_CHANGES = 50
_MAX_QUANTITY = 999_999_999
_MAX_ID = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the variants fits the quantity ``wanted``; ``record`` is None where none does.

    ``is_number`` says whether a whole number was asked for at all.
    """

    wanted: str
    is_number: bool
    record: Mapping[str, Any] | None


@bp.get("/record/<path:key>")
@requires(Role.VIEWER)
def record(key: str) -> str:
    """Show the whole page of one record, deleted or not."""
    resource, catalogue = here().resource, here().catalogue
    found, _revision = catalogue.record(key)
    before = whole_number("before", _MAX_ID)
    changes = catalogue.changes_of(key, _CHANGES + 1, before)
    title = found[resource.name_field] if resource.name_field else None
    return render_template(
        "page/record.html",
        record=found,
        key=key,
        title=title or key,
        sections=_sections(resource, found),
        namesakes=catalogue.namesakes(found),
        variant_fields=_variant_fields(resource),
        choice=_choice(resource, catalogue, found),
        entries=entries(changes[:_CHANGES], resource),
        older=changes[_CHANGES - 1]["id"] if len(changes) > _CHANGES else None,
        is_newest=before is None,
    )


def whole_number(name: str, most: int) -> int | None:
    """Return the number that the query string has as ``name``, None where it has none.

    Raises:
        InvalidInputError: It is no whole number from 1 to ``most``.
    """
    text = request.args.get(name, "")
    if not text:
        return None
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(most)) else 0
    if not 1 <= number <= most:
        raise InvalidInputError(name, f"expected a whole number from 1 to {most}")
    return number


def _sections(
    resource: Resource, found: Mapping[str, Any]
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return each section's label, and the labels and values of its fields."""
    return [
        (
            section_label(section.label),
            [
                (label_of(field), shown(found[field.name], field))
                for field in (resource.fields_by_name[name] for name in section.fields)
            ],
        )
        for section in resource.shown_sections
    ]


def _variant_fields(resource: Resource) -> list[Field]:
    """Return the fields that tell records of one name apart, the key first."""
    rule = resource.variants
    if rule is None:
        names = tuple(name for name in resource.listed if name != resource.name_field)
    else:
        names = (resource.key.name, *rule.told_by, rule.multiple, rule.orderable, rule.stopped)
    return [resource.fields_by_name[name] for name in names]


def _choice(
    resource: Resource, catalogue: CatalogueService, found: Mapping[str, Any]
) -> Choice | None:
    """Return what fits the quantity of the form; None where none was asked for."""
    wanted = request.args.get("quantity", "").strip()
    name = found[resource.name_field] if resource.name_field else None
    if not wanted or not name or resource.variants is None:
        return None
    try:
        quantity = whole_number("quantity", _MAX_QUANTITY)
    except InvalidInputError:
        return Choice(wanted, is_number=False, record=None)
    chosen = catalogue.variants(name, Decimal(quantity or 0)).chosen
    return Choice(wanted, is_number=True, record=chosen)
