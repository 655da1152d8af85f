"""XLSX: a sheet's typed cells, its columns found by the headers.

The file is parsed in a child process, which sends each row's fingerprint and bytes; a
row is decoded here only when it is new. Cells keep the type that Excel gave them: a
number needs no notation, and a date is one whatever it looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from archibald_sync.domain.normalise import Notation
from archibald_sync.domain.resources import FieldType
from archibald_sync.sources.child import ChildLimits, read_in_child
from archibald_sync.sources.connector import Connector
from archibald_sync.sources.files.settings import FILE_KEYS, read_file_settings
from archibald_sync.sources.files.source import Batch, FileSource

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from archibald_sync.domain.models import Decode
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.files.snapshot import Snapshot
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.table import TableReader

KEYS = (*FILE_KEYS, "sheet", "max_inflated_bytes", "max_memory_mib", "parse_timeout_s")
_READER = "archibald_sync.sources.files.workbook_reader:read"
_ACCEPT = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet, */*;q=0.5"
_MIB = 1024 * 1024
# Beyond it a float no longer tells neighbouring whole numbers apart.
_EXACT_INTEGERS = 2**53
_HALF_A_SECOND = timedelta(milliseconds=500)
_DATE_SHAPES = {Notation.PLAIN: "%Y-%m-%dT%H:%M:%S", Notation.ITALIAN: "%d/%m/%Y %H:%M:%S"}
_row = msgspec.msgpack.Decoder(tuple[list[object], list[int]])


@dataclass(frozen=True, slots=True)
class SheetSettings:
    """Which sheet to read, by name or counted from 1, and how large it may inflate."""

    sheet: str | int = 1
    header_row: int = 1
    max_inflated_bytes: int = 1024 * _MIB


class Workbook:
    """Reads XLSX."""

    def __init__(self, settings: SheetSettings, limits: ChildLimits, mapping: FieldMapping) -> None:
        """Read the sheet of ``settings``, whose columns ``mapping`` names, within ``limits``."""
        self._settings = settings
        self._limits = limits
        self._mapping = mapping

    def read(self, snapshot: Snapshot, control: Control) -> Generator[Batch, None, None]:
        """Yield all rows in batches; at least one, which may be empty.

        Raises:
            TransientSourceError: The file breaks off, or it took too long.
            PermanentSourceError: It is not the workbook that was agreed, or too large.
            RunStopped: ``control`` ended the run.
        """
        settings, mapping, descriptor = self._settings, self._mapping, snapshot.file.fileno()
        arguments = (
            f"/dev/fd/{descriptor}",
            settings.sheet,
            settings.header_row,
            mapping.columns,
            mapping.seed,
            settings.max_inflated_bytes,
        )
        limits = self._limits
        batches = read_in_child(_READER, arguments, limits, control, (descriptor,))
        try:
            (headers,) = next(batches)
            is_first = True
            for rows in batches:
                is_first = False
                fingerprints, records = zip(*rows, strict=True)
                yield Batch(headers, fingerprints, self._decoder(records))
            if is_first:
                yield Batch(headers, (), self._decoder(()))
        finally:
            batches.close()

    def _decoder(self, records: Sequence[bytes]) -> Decode:
        mapping = self._mapping
        return lambda indexes: [_decoded(records[index], mapping) for index in indexes]


def _decoded(record: bytes, mapping: FieldMapping) -> tuple[object, ...]:
    cells, moments = _row.decode(record)
    for place in moments:
        is_date = mapping.types[place] is FieldType.DATETIME
        cells[place] = _moment(cells[place], mapping.notation) if is_date else [cells[place]]
    return tuple(
        value if type(value) is str else _delivered(value, declared)
        for value, declared in zip(cells, mapping.types, strict=True)
    )


def _moment(text: object, notation: Notation) -> object:
    """Return a date of a cell as text in ``notation``; a time without a date fits no field."""
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return [text]
    # A fraction of a day is seldom a whole number of seconds.
    return (moment + _HALF_A_SECOND).strftime(_DATE_SHAPES[notation])


def _delivered(value: object, declared: FieldType) -> object:
    """Return a cell that is no text as its field takes it; what does not fit stays as it is.

    Excel keeps whole numbers as fractions without any, and makes numbers of ids.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) <= _EXACT_INTEGERS:
        value = int(value)
    if declared is FieldType.TEXT and type(value) is int:
        return str(value)
    return value


def _make(reader: TableReader, mapping: FieldMapping) -> FileSource:
    settings = read_file_settings(reader, accept=_ACCEPT)
    timeout_s = reader.number("parse_timeout_s", 300, 0.01, 3600)
    limits = ChildLimits(
        memory_bytes=reader.integer("max_memory_mib", 1024, 64, 65536) * _MIB,
        cpu_s=int(timeout_s) + 1,
        deadline_s=timeout_s,
    )
    sheet = SheetSettings(
        sheet=_sheet(reader),
        header_row=settings.header_row,
        max_inflated_bytes=reader.integer("max_inflated_bytes", 1024 * _MIB, 1, 2**40),
    )
    mapping = mapping.read_as(f"{sheet.sheet!r} {sheet.header_row}")
    return FileSource(settings, mapping, Workbook(sheet, limits, mapping))


def _sheet(reader: TableReader) -> str | int:
    if isinstance(reader.table.get("sheet", 1), str):
        if not reader.text("sheet", ""):
            reader.fault("sheet", "is empty", "write the name of a sheet, or its number")
        return reader.text("sheet", "")
    return reader.integer("sheet", 1, 1, 10_000)


CONNECTOR = Connector(KEYS, _make, Notation.ITALIAN)
