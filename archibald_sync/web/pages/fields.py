"""What fields and their sections are called: the words of their declarations, translated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.web.pages.language import gettext, later

if TYPE_CHECKING:
    from archibald_sync.domain.resources import Field, Resource

# Of the resources, as they are declared.
LABELS = (
    later("Article id"),
    later("Article name"),
    later("Description"),
    later("Article group"),
    later("Pieces in a pack"),
    later("Search name"),
    later("Price unit"),
    later("Product group id"),
    later("Product group"),
    later("Smallest quantity"),
    later("In multiples of"),
    later("Largest quantity"),
    later("Figure"),
    later("Bulk article id"),
    later("Pack"),
    later("Shank"),
    later("Size"),
    later("Configuration"),
    later("Created by"),
    later("Created in the ERP"),
    later("Company"),
    later("Default quantity"),
    later("Displayed number"),
    later("Absolute discount"),
    later("Internal id"),
    later("Line discount"),
    later("Modified by"),
    later("Modified in the ERP"),
    later("Can be ordered"),
    later("Purchase price of a piece"),
    later("Standard configuration"),
    later("Standard quantity"),
    later("No longer made"),
    later("Unit"),
    later("VAT group"),
)
SECTIONS = (
    later("Article"),
    later("Group"),
    later("Instrument"),
    later("Packing"),
    later("Quantities"),
    later("Price"),
    later("In the ERP"),
)


def label_of(field: Field) -> str:
    """Return what a field is called."""
    return gettext(field.label) if field.label else field.name


def label_of_name(resource: Resource, name: str) -> str:
    """Return what the field ``name`` is called; one that is declared no more keeps its name."""
    field = resource.fields_by_name.get(name)
    return label_of(field) if field else name


def section_label(label: str) -> str:
    """Return what a section is called; the one of all the rest has no label of its own."""
    return gettext(label) if label else gettext("Other fields")
