"""The part of the XLSX connector that runs in a child process: it alone uses calamine.

What the file says about itself is checked first: an archive may inflate without end,
and a cell may hold an error, which calamine gives as an empty one.
"""

from __future__ import annotations

from itertools import islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any

import msgspec
import python_calamine
import xxhash

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.files.archive import check_archive
from archibald_sync.sources.headers import column_positions, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_encode = msgspec.msgpack.Encoder().encode
_BATCH_ROWS = 1000
_MAX_SHAPES = 1000
_PLAIN = frozenset({str, float, int, bool})


def read(
    path: str,
    sheet: str | int,
    header_row: int,
    columns: Sequence[str],
    seed: int,
    max_inflated_bytes: int,
) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the headers as one row, then lists of (fingerprint, cells in msgpack).

    The latter is a pair: the cells in the order of ``columns``, and the places of those
    that are dates, times or durations, which msgpack holds as text in ISO 8601.

    Raises:
        SourceError: The file is not the workbook that was agreed.
    """
    with open(path, "rb") as file:  # noqa: PTH123  # a descriptor of our parent
        rows = _rows(file, sheet, max_inflated_bytes)
        headers = [_header(cell) for cell in next(islice(rows, header_row - 1, None), ())]
        if not any(headers):
            message = f"the sheet has no headers in row {header_row}; correct header_row"
            raise SourceFormatError(message, code="source_no_header")
        pick = _picker(column_positions(headers, columns))
        encoder = _Encoder(seed)
        yield [tuple(headers)]
        while chunk := list(islice(rows, _BATCH_ROWS)):
            if batch := encoder.batch(map(pick, chunk)):
                yield batch


class _Encoder:
    """Makes fingerprint and bytes of rows."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        # Most rows have the same types in the same places: where the odd ones are.
        self._odd: dict[tuple[type, ...], list[int]] = {}

    def batch(self, records: Iterator[tuple[Any, ...]]) -> list[tuple[bytes, bytes]]:
        """Return fingerprint and bytes of each row that is not blank."""
        digest, seed = xxhash.xxh3_128_digest, self._seed
        raws = [self._raw(cells) for cells in records if any(cell != "" for cell in cells)]
        return [(digest(raw, seed), raw) for raw in raws]

    def _raw(self, cells: tuple[Any, ...]) -> bytes:
        types = tuple(map(type, cells))
        odd = self._odd.get(types)
        if odd is None:
            odd = [place for place, one in enumerate(types) if one not in _PLAIN]
            if len(self._odd) < _MAX_SHAPES:
                self._odd[types] = odd
        return _encode((cells, odd))


def _rows(file: IO[bytes], sheet: str | int, max_inflated_bytes: int) -> Iterator[list[Any]]:
    archive = check_archive(file, max_inflated_bytes)
    file.seek(0)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(file)
        name = _sheet_name(book.sheet_names, sheet)
        archive.refuse_errors(name)
        return iter(book.get_sheet_by_name(name).iter_rows())
    except python_calamine.CalamineError as exc:
        message = f"the workbook cannot be read ({type(exc).__name__}); save it anew as .xlsx"
        raise SourceFormatError(message, code="source_xlsx") from exc


def _sheet_name(names: Sequence[str], sheet: str | int) -> str:
    if isinstance(sheet, int) and sheet <= len(names):
        return names[sheet - 1]
    if isinstance(sheet, str) and sheet in names:
        return sheet
    message = f"the workbook has no sheet {sheet!r}; it has: {shown(names)}"
    raise SourceFormatError(message, code="source_sheet_missing")


def _header(cell: object) -> str:
    return cell if isinstance(cell, str) else str(cell)


def _picker(positions: Sequence[int]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    if len(positions) == 1:
        only = positions[0]
        return lambda row: (row[only],)
    return itemgetter(*positions)
