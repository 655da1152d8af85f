"""The catalogue as CSV: one moment of it, in constant memory, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import tempfile
from contextlib import ExitStack
from io import TextIOWrapper
from typing import IO, TYPE_CHECKING, Any

from archibald_sync.domain.resources import FieldType
from archibald_sync.scratch import room_in
from archibald_sync.web.csv_cells import safe_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archibald_sync.domain.resources import Resource

_IN_MEMORY_BYTES = 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_OWN_COLUMNS = ("createdAt", "updatedAt", "deletedAt")


def csv_file(resource: Resource, records: Iterable[Mapping[str, Any]]) -> IO[bytes]:
    """Return ``records`` as UTF-8 CSV with a header row, to be closed by the caller.

    They are all read first, into a file that vanishes: a slow reader must not keep the
    database at one moment for minutes.

    Raises:
        StorageFullError: There is no room for the file.
    """
    with room_in(None), ExitStack() as opened:
        spooled = opened.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))
        text = TextIOWrapper(spooled, "utf-8", newline="")
        writer = csv.writer(text)
        columns = (*resource.field_names, *_OWN_COLUMNS)
        texts = {one.name for one in resource.fields if one.type is FieldType.TEXT}
        writer.writerow(columns)
        writer.writerows(
            [_cell(record[name], is_text=name in texts) for name in columns] for record in records
        )
        text.detach()
        spooled.seek(0)
        opened.pop_all()
        return spooled


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what ``file`` holds, and close it at the end."""
    with file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _cell(value: object, *, is_text: bool) -> object:
    """Return a value that no spreadsheet calculates; a number may begin with a minus."""
    return safe_cell(value) if is_text and isinstance(value, str) else value
