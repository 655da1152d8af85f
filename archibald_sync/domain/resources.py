"""The kinds of things that are mirrored, each declared once.

The one field list of a resource drives decoding, hashing, the table, the change
log, the API and the tests: whatever a resource is, its declaration says.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property


class FieldType(StrEnum):
    """How a value is read, kept and compared."""

    TEXT = "text"
    INTEGER = "integer"
    DECIMAL = "decimal"  # kept as canonical decimal text: money is never a float
    BOOLEAN = "boolean"
    DATETIME = "datetime"  # kept as ISO text without zone: the ERP prints local time


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a resource; ``label`` is what people call it, its name where it is empty."""

    name: str
    type: FieldType
    description: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that people look at together."""

    label: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variants:
    """How the records of a resource are variants of each other: packs of one instrument.

    Records of one name are variants; an order of one counts in multiples of ``multiple``.
    A record with ``stopped``, or without ``orderable``, cannot be ordered. ``told_by`` are
    further fields in which they differ.
    """

    multiple: str
    orderable: str
    stopped: str
    told_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resource:
    """A kind of thing that is mirrored from the ERP.

    ``name`` is the plural that names table, sessions and URLs; ``singular`` names
    the change log; ``label`` starts sentences for people. ``fields[0]`` is the key.
    ``name_field`` is what people call a record by: where a key vanishes and another
    appears with the same name, the record was renamed; variants share it. ``searched``
    are the fields whose words can be searched for, ``group`` is the one by which a list
    can be narrowed, and ``group_name`` the one that says what a group is called. ``listed``
    are the fields that a list shows; ``sections`` is how all are shown of one record.
    """

    name: str
    singular: str
    label: str
    component: str
    fields: tuple[Field, ...]
    name_field: str | None = None
    searched: tuple[str, ...] = ()
    group: str | None = None
    variants: Variants | None = None
    group_name: str | None = None
    listed: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()

    @property
    def key(self) -> Field:
        """Return the field that identifies a record."""
        return self.fields[0]

    @property
    def change_table(self) -> str:
        """Return the name of the change log's table."""
        return f"{self.singular}_changes"

    @property
    def search_table(self) -> str:
        """Return the name of the table in which words are searched for."""
        return f"{self.singular}_search"

    @property
    def change_key(self) -> str:
        """Return the column of the change log that holds the record's key."""
        return f"{self.singular}Id"

    @cached_property
    def field_names(self) -> tuple[str, ...]:
        """Return the names of all fields, the key first."""
        return tuple(field.name for field in self.fields)

    @cached_property
    def fields_by_name(self) -> dict[str, Field]:
        """Return the fields by name."""
        return {field.name: field for field in self.fields}

    @cached_property
    def shown_sections(self) -> tuple[Section, ...]:
        """Return the sections; what stands in none of them comes last, without a label."""
        known = {name for section in self.sections for name in section.fields}
        rest = tuple(name for name in self.field_names if name not in known)
        return (*self.sections, Section("", rest)) if rest else self.sections


_TEXT, _INTEGER, _DECIMAL = FieldType.TEXT, FieldType.INTEGER, FieldType.DECIMAL
_BOOLEAN, _DATETIME = FieldType.BOOLEAN, FieldType.DATETIME

PRODUCTS = Resource(
    name="products",
    singular="product",
    label="Products",
    component="ProductSyncService",
    searched=("id", "name", "searchName", "description", "productGroupDescription"),
    group="productGroupId",
    variants=Variants(
        multiple="multipleQty",
        orderable="orderable",
        stopped="stopped",
        told_by=("package", "packageContent"),
    ),
    fields=(
        Field("id", _TEXT, "Article id, unique: 016869K2, 10012345 or a course code", "Article id"),
        Field("name", _TEXT, "figure.shank.size; pack variants share it", "Article name"),
        Field("description", _TEXT, "Description in Italian", "Description"),
        Field("groupCode", _TEXT, "Code of the article group", "Article group"),
        Field("packageContent", _INTEGER, "Pieces in one package", "Pieces in a pack"),
        Field("searchName", _TEXT, "Name to search by, usually the name", "Search name"),
        Field("priceUnit", _DECIMAL, "Number of pieces that the price is for", "Price unit"),
        Field("productGroupId", _TEXT, "Id of the product group, 5 digits", "Product group id"),
        Field("productGroupDescription", _TEXT, "Name of the product group", "Product group"),
        Field("minQty", _DECIMAL, "Smallest quantity of an order line", "Smallest quantity"),
        Field("multipleQty", _DECIMAL, "Quantities are multiples of this", "In multiples of"),
        Field("maxQty", _DECIMAL, "Largest quantity of an order line", "Largest quantity"),
        Field("figure", _TEXT, "Figure of the instrument", "Figure"),
        Field("bulkArticleId", _TEXT, "Article id without its pack suffix", "Bulk article id"),
        Field("package", _TEXT, "Pack variant: K0, K1, K2, K3, R0 …", "Pack"),
        Field("shank", _TEXT, "Shank: 104, 204, 314 …", "Shank"),
        Field("size", _TEXT, "Size, zero-padded; may be empty", "Size"),
        Field("configurationId", _TEXT, "Configuration: v.001", "Configuration"),
        Field("createdBy", _TEXT, "Who created the article in the ERP", "Created by"),
        Field(
            "createdAtSource",
            _DATETIME,
            "When it was created in the ERP, local time",
            "Created in the ERP",
        ),
        Field("dataAreaId", _TEXT, "Company in the ERP", "Company"),
        Field(
            "defaultQty", _DECIMAL, "Quantity that an order line starts with", "Default quantity"
        ),
        Field("displayProductNumber", _TEXT, "Product number as displayed", "Displayed number"),
        Field(
            "totalAbsoluteDiscount",
            _BOOLEAN,
            "Whether the absolute discount applies",
            "Absolute discount",
        ),
        Field(
            "productId", _TEXT, "Internal id, printed with a thousands dot: 4.691", "Internal id"
        ),
        Field("lineDiscount", _TEXT, "Code of the line discount", "Line discount"),
        Field("modifiedBy", _TEXT, "Who last modified the article in the ERP", "Modified by"),
        Field(
            "modifiedAtSource",
            _DATETIME,
            "When it was last modified in the ERP, local time",
            "Modified in the ERP",
        ),
        Field("orderable", _BOOLEAN, "Whether the article can be ordered", "Can be ordered"),
        Field("purchasePrice", _DECIMAL, "Purchase price of a piece", "Purchase price of a piece"),
        Field("standardConfigurationId", _TEXT, "Standard configuration", "Standard configuration"),
        Field("standardQty", _DECIMAL, "Standard quantity", "Standard quantity"),
        Field("stopped", _BOOLEAN, "Whether the article is no longer made", "No longer made"),
        Field("unitId", _TEXT, "Unit of measure", "Unit"),
        Field("vatGroup", _INTEGER, "VAT group: 5, 1 or 0", "VAT group"),
    ),
    name_field="name",
    group_name="productGroupDescription",
    listed=("id", "name", "description", "productGroupDescription", "package", "packageContent"),
    sections=(
        Section("Article", ("id", "name", "description", "searchName", "orderable", "stopped")),
        Section("Group", ("productGroupDescription", "productGroupId", "groupCode")),
        Section("Instrument", ("figure", "shank", "size")),
        Section("Packing", ("package", "packageContent", "bulkArticleId", "unitId")),
        Section("Quantities", ("multipleQty", "minQty", "maxQty", "defaultQty", "standardQty")),
        Section(
            "Price",
            ("purchasePrice", "priceUnit", "lineDiscount", "totalAbsoluteDiscount", "vatGroup"),
        ),
        Section(
            "In the ERP",
            (
                "productId",
                "displayProductNumber",
                "configurationId",
                "standardConfigurationId",
                "dataAreaId",
                "createdBy",
                "createdAtSource",
                "modifiedBy",
                "modifiedAtSource",
            ),
        ),
    ),
)

RESOURCES: dict[str, Resource] = {resource.name: resource for resource in (PRODUCTS,)}
