"""How the names of a source become our fields, and what that means for fingerprints."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import xxhash

from archibald_sync.domain.normalise import Notation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.resources import FieldType, Resource
    from archibald_sync.sources.table import TableReader

# Raise it when the same bytes are to be read as other values than before.
_READING_VERSION = 1


class FieldMapping:
    """Our fields, the key first, with the source's name of each, their types, and the notation."""

    def __init__(
        self, columns: Mapping[str, str], types: Sequence[FieldType], notation: Notation
    ) -> None:
        """Map each of our fields to the source's column."""
        self.fields = tuple(columns)
        self.columns = tuple(columns.values())
        self.types = tuple(types)
        self.notation = notation
        self._text = f"{_READING_VERSION}|{notation}|{sorted(columns.items())!r}"

    def read_as(self, manner: str) -> FieldMapping:
        """Return the same mapping with values read in a connector's own ``manner``."""
        columns = dict(zip(self.fields, self.columns, strict=True))
        mapping = FieldMapping(columns, self.types, self.notation)
        mapping._text += f"|{manner}"
        return mapping

    @cached_property
    def version(self) -> str:
        """Return what changes whenever the mapping does."""
        return xxhash.xxh3_64_hexdigest(self._text.encode())

    @cached_property
    def seed(self) -> int:
        """Return a seed for source hashes, so that another mapping gives others."""
        return xxhash.xxh3_64_intdigest(self._text.encode())


def read_mapping(reader: TableReader, resource: Resource, notation: Notation) -> FieldMapping:
    """Return the mapping of ``resource`` from its keys ``fields`` and ``notation``.

    Args:
        reader: The table; faults are remembered there.
        resource: What is mapped.
        notation: How the source writes numbers and dates unless the table says.
    """
    table = reader.subtable("fields")
    reader.refuse_unknown(table, resource.field_names, "fields.")
    for name, theirs in table.items():
        if not isinstance(theirs, str) or not theirs:
            reader.fault(f"fields.{name}", "is no text", "write the source's name of the field")
    if resource.key.name not in table:
        remedy = f'write {resource.key.name} = "…", the source\'s name of the key'
        reader.fault(f"fields.{resource.key.name}", "the key is not mapped", remedy)
    columns = {name: str(table[name]) for name in resource.field_names if name in table}
    word = reader.word("notation", tuple(Notation), notation)
    types = [resource.fields_by_name[name].type for name in columns]
    return FieldMapping(columns, types, Notation(word))
