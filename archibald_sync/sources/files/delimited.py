"""CSV: one line a record, its columns found by the headers.

A row of another width than the headers, a byte that is no character and a last line
that breaks off fail the whole file: what is left of it could be anything.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, Any

import msgspec
import xxhash

from archibald_sync.domain.models import values_at
from archibald_sync.domain.normalise import Notation
from archibald_sync.errors import (
    PermanentSourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.sources.connector import Connector
from archibald_sync.sources.files.settings import FILE_KEYS, read_file_settings
from archibald_sync.sources.files.source import BATCH_ROWS, Batch, FileSource
from archibald_sync.sources.headers import column_positions

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.files.snapshot import Snapshot
    from archibald_sync.sources.mapping import FieldMapping
    from archibald_sync.sources.table import TableReader

KEYS = (*FILE_KEYS, "delimiter", "quote", "encoding", "final_newline")
# Each ends a line with the byte 10 and nothing else, so that lines are found first.
ENCODINGS = ("utf-8-sig", "utf-8", "cp1252", "iso-8859-1", "iso-8859-15")
_ACCEPT = "text/csv, text/plain;q=0.9, */*;q=0.5"
_MAX_LINE_BYTES = 1024 * 1024
_encode = msgspec.msgpack.Encoder().encode

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a CSV file is written; an empty ``quote`` means that nothing is quoted."""

    delimiter: str = ";"
    quote: str = '"'
    encoding: str = "utf-8-sig"
    final_newline: bool = True
    header_row: int = 1


class DelimitedFile:
    """Reads CSV."""

    def __init__(self, dialect: Dialect, mapping: FieldMapping) -> None:
        """Read files written in ``dialect`` whose columns ``mapping`` names."""
        self._dialect = dialect
        self._mapping = mapping

    def read(self, snapshot: Snapshot, control: Control) -> Generator[Batch, None, None]:
        """Yield all rows in batches; at least one, which may be empty.

        Raises:
            TransientSourceError: The file breaks off.
            PermanentSourceError: It is not the CSV that was agreed, or it cannot be told
                whether it is complete.
            RunStopped: ``control`` ended the run.
        """
        if not snapshot.has_length:
            message = f"{snapshot.name} does not say how long it is, so a part of it could pass "
            message += "for the whole; let the server send Content-Length"
            raise PermanentSourceError(message, code="source_no_length")
        rows = _rows(snapshot, self._dialect)
        headers = next(rows, None)
        if not headers:
            message = f"{snapshot.name} has no headers in line {self._dialect.header_row}; "
            raise SourceFormatError(f"{message}correct header_row", code="source_no_header")
        positions = column_positions(headers, self._mapping.columns)
        records = map(_picker(positions), rows)
        is_first = True
        while (batch := list(islice(records, BATCH_ROWS))) or is_first:
            control.checkpoint()
            yield Batch(headers, self._fingerprints(batch), partial(values_at, batch))
            is_first = False

    def _fingerprints(self, records: Sequence[Row]) -> list[bytes]:
        digest, seed = xxhash.xxh3_128_digest, self._mapping.seed
        return [digest(_encode(record), seed) for record in records]


def _picker(positions: Sequence[int]) -> Callable[[Sequence[str]], Row]:
    if len(positions) == 1:
        only = positions[0]
        return lambda row: (row[only],)
    return itemgetter(*positions)


def _rows(snapshot: Snapshot, dialect: Dialect) -> Iterator[list[str]]:
    """Yield the headers and all rows that are not blank, each as wide as the headers."""
    skipped = dialect.header_row - 1
    lines = islice(_lines(snapshot, dialect), skipped, None)
    reader = csv.reader(lines, strict=True, **_parameters(dialect))
    width = 0
    try:
        for row in reader:
            if not any(row):
                if not width:
                    return
                continue
            width = width or len(row)
            if len(row) != width:
                message = f"line {skipped + reader.line_num} of {snapshot.name} has {len(row)} "
                message += f"columns, its headers {width}; correct the file, or its quotes"
                raise SourceFormatError(message, code="source_row_width")
            yield row
    except csv.Error as exc:
        where = f"line {skipped + reader.line_num} of {snapshot.name}"
        raise SourceFormatError(f"{where} is no CSV: {exc}", code="source_csv") from exc


def _parameters(dialect: Dialect) -> dict[str, Any]:
    if dialect.quote:
        return {"delimiter": dialect.delimiter, "quotechar": dialect.quote}
    return {"delimiter": dialect.delimiter, "quoting": csv.QUOTE_NONE, "quotechar": None}


def _lines(snapshot: Snapshot, dialect: Dialect) -> Iterator[str]:
    """Yield the lines as text, each with its line break."""
    file: IO[bytes] = snapshot.file
    encoding, later = dialect.encoding, dialect.encoding.removesuffix("-sig")
    for number, line in enumerate(iter(partial(file.readline, _MAX_LINE_BYTES), b""), start=1):
        where = f"line {number} of {snapshot.name}"
        if not line.endswith(b"\n"):
            _check_last(file, where, dialect)
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError as exc:
            message = f"{where} is not {encoding} at byte {exc.start + 1}; "
            message += f"encoding may be one of: {', '.join(ENCODINGS)}"
            raise SourceFormatError(message, code="source_text_encoding") from exc
        if "\x00" in text:
            message = f"{where} holds NUL: its writer crashed, or it is UTF-16"
            raise SourceFormatError(message, code="source_nul")
        yield text
        # A mark of the byte order stands at the very start, and nowhere else.
        encoding = later


def _check_last(file: IO[bytes], where: str, dialect: Dialect) -> None:
    """Refuse a line without an end that is too long, or that is the last."""
    if file.read(1):
        message = f"{where} is longer than {_MAX_LINE_BYTES} bytes"
        raise SourceFormatError(message, code="source_line_too_long")
    if dialect.final_newline:
        message = f"{where} breaks off: its end is missing; if it is always like that, write "
        message += "final_newline = false"
        raise TransientSourceError(message, code="source_cut")


def _make(reader: TableReader, mapping: FieldMapping) -> FileSource:
    settings = read_file_settings(reader, accept=_ACCEPT)
    dialect = Dialect(
        delimiter=_character(reader, "delimiter", ";"),
        quote=_character(reader, "quote", '"', may_be_empty=True),
        encoding=reader.word("encoding", ENCODINGS, "utf-8-sig"),
        final_newline=reader.flag("final_newline", default=True),
        header_row=settings.header_row,
    )
    if dialect.delimiter == dialect.quote:
        reader.fault("quote", "is the delimiter", "write another character")
    mapping = mapping.read_as(repr(dialect))
    return FileSource(settings, mapping, DelimitedFile(dialect, mapping))


def _character(reader: TableReader, key: str, default: str, *, may_be_empty: bool = False) -> str:
    text = reader.text(key, default)
    is_empty = may_be_empty and not text
    if is_empty or (len(text) == 1 and text not in "\r\n\x00 "):
        return text
    reader.fault(key, f"{text!r} is not valid", "write one character")
    return default


CONNECTOR = Connector(KEYS, _make, Notation.ITALIAN)
