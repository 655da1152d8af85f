"""What a workbook's ZIP archive really holds, looked at before anybody parses it.

An archive's directory may lie, so each part is inflated here once, and thrown away.
The format is that of PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 and 4.4.
"""

from __future__ import annotations

import posixpath
import struct
import zipfile
import zlib
from typing import IO, TYPE_CHECKING
from xml.etree import ElementTree as ET

from archibald_sync.errors import SourceFormatError, TransientSourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHUNK_BYTES = 1024 * 1024
_MAX_PARTS = 10_000
_MAX_SMALL_PART_BYTES = 4 * 1024 * 1024
# Sheets shrink to a tenth, very regular ones to a fiftieth.
_MAX_RATIO, _RATIO_FLOOR_BYTES = 200, 16 * 1024 * 1024
_LOCAL_HEADER_BYTES = 30
_IS_ENCRYPTED = 0x1
_WORKBOOK, _RELATIONS = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
# An encrypted workbook is wrapped in the container of the old binary format.
_OLE = b"\xd0\xcf\x11\xe0"
_ERROR_CELL = b' t="e"'


class Archive:
    """An archive whose parts inflate to what its directory says."""

    def __init__(self, file: IO[bytes], parts: dict[str, zipfile.ZipInfo]) -> None:
        """Keep the parts of ``file``, and which of them have cells with errors."""
        self._file = file
        self._parts = parts
        self.parts_with_errors: set[str] = set()

    def refuse_errors(self, sheet: str) -> None:
        """Refuse a sheet with a cell such as #N/A: it would be read as an empty one.

        Raises:
            SourceFormatError: There is one.
        """
        if not self.parts_with_errors:
            return
        part = self._part_of(sheet)
        # What cannot be told apart may be the one.
        if part not in self._parts or part in self.parts_with_errors:
            message = f"a cell of sheet {sheet!r} holds an error such as #N/A; correct its formula"
            raise SourceFormatError(message, code="source_cell_error")

    def inflate(self, part: zipfile.ZipInfo) -> Iterator[bytes]:
        """Yield the content of a part, and no more than the directory says.

        Raises:
            SourceFormatError: There is more or less of it, or it is damaged.
        """
        left, checksum = part.file_size, 0
        for chunk in _inflated(self._file, part):
            left -= len(chunk)
            if left < 0:
                raise _bomb("a part that is longer than the directory says")
            checksum = zlib.crc32(chunk, checksum)
            yield chunk
        if left or checksum != part.CRC:
            message = "a part of the workbook is damaged; save it anew"
            raise SourceFormatError(message, code="source_zip")

    def _part_of(self, sheet: str) -> str:
        """Return the name of the part that holds a sheet; "" where that is not told."""
        for one in self._tree(_WORKBOOK).iterfind(".//{*}sheet"):
            if one.get("name") == sheet:
                relation = next((v for k, v in one.items() if k.endswith("}id")), "")
                for target in self._tree(_RELATIONS).iterfind("{*}Relationship"):
                    if target.get("Id") == relation:
                        path = posixpath.join("/xl", target.get("Target", ""))
                        return posixpath.normpath(path)[1:]
        return ""

    def _tree(self, name: str) -> ET.Element:
        part = self._parts.get(name)
        if part is None or part.file_size > _MAX_SMALL_PART_BYTES:
            raise SourceFormatError(f"the workbook has no usable {name}", code="source_zip")
        try:
            # We are in a child process that holds no secret and has little memory.
            return ET.fromstring(b"".join(self.inflate(part)))  # noqa: S314
        except ET.ParseError as exc:
            message = f"{name} of the workbook is damaged; save it anew"
            raise SourceFormatError(message, code="source_zip") from exc


def check_archive(file: IO[bytes], max_inflated_bytes: int) -> Archive:
    """Return the archive in ``file`` after each of its parts was inflated once.

    Raises:
        TransientSourceError: It breaks off.
        SourceFormatError: It is no workbook, is damaged, or inflates beyond measure.
    """
    parts = _directory(file)
    size, packed = file.seek(0, 2), 0
    total = sum(part.file_size for part in parts)
    if len(parts) > _MAX_PARTS:
        raise _bomb(f"more than {_MAX_PARTS} parts")
    if total > max_inflated_bytes:
        message = f"the workbook inflates to {total} bytes, more than {max_inflated_bytes}; "
        message += "raise max_inflated_bytes in source.toml if that is right"
        raise SourceFormatError(message, code="source_zip_bomb")
    if total > _RATIO_FLOOR_BYTES and total > _MAX_RATIO * size:
        raise _bomb(f"more than {_MAX_RATIO} times its size")
    archive = Archive(file, {part.filename: part for part in parts})
    for part in parts:
        packed += part.compress_size
        if packed > size:
            raise _bomb("parts that overlap")
        if _has_error_cell(archive.inflate(part)):
            archive.parts_with_errors.add(part.filename)
    return archive


def _directory(file: IO[bytes]) -> list[zipfile.ZipInfo]:
    start = file.read(4)
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
    except NotImplementedError as exc:
        message = "the workbook is packed in an unknown way; save it anew"
        raise SourceFormatError(message, code="source_zip") from exc
    except (zipfile.BadZipFile, struct.error, ValueError, OverflowError, OSError) as exc:
        if start == b"PK\x03\x04":
            message = "the workbook breaks off, or its directory is damaged"
            raise TransientSourceError(message, code="source_cut") from exc
        if start == _OLE:
            message = "the workbook is protected by a password, or an old .xls; save it as .xlsx"
            raise SourceFormatError(message, code="source_xls") from exc
        raise SourceFormatError("the file is no XLSX workbook", code="source_not_xlsx") from exc
    names = [part.filename for part in parts]
    if _WORKBOOK not in names:
        raise SourceFormatError("the file is no XLSX workbook", code="source_not_xlsx")
    if len(set(names)) < len(names):
        raise SourceFormatError("the workbook has a part twice", code="source_zip")
    return parts


def _inflated(file: IO[bytes], part: zipfile.ZipInfo) -> Iterator[bytes]:
    is_stored = part.compress_type == zipfile.ZIP_STORED
    if part.flag_bits & _IS_ENCRYPTED or not (
        is_stored or part.compress_type == zipfile.ZIP_DEFLATED
    ):
        message = f"{part.filename} of the workbook is packed in an unknown way; save it anew"
        raise SourceFormatError(message, code="source_zip")
    # Where the directory lies about its own place, parts seem to lie before the start.
    file.seek(max(part.header_offset, 0))
    header = file.read(_LOCAL_HEADER_BYTES)
    if part.header_offset < 0 or len(header) < _LOCAL_HEADER_BYTES:
        raise SourceFormatError("a part of the workbook is missing", code="source_zip")
    file.seek(sum(struct.unpack("<HH", header[26:30])), 1)
    left = part.compress_size
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    while left > 0 and (packed := file.read(min(left, _CHUNK_BYTES))):
        left -= len(packed)
        if is_stored:
            yield packed
        else:
            yield from _chunks(inflater, packed)


def _chunks(inflater: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    try:
        is_more = True
        while is_more:
            chunk = inflater.decompress(packed, _CHUNK_BYTES)
            yield chunk
            packed = inflater.unconsumed_tail
            # A full chunk may leave output behind, even where no input is left.
            is_more = len(chunk) == _CHUNK_BYTES or bool(packed)
    except zlib.error as exc:
        message = "a part of the workbook is damaged; save it anew"
        raise SourceFormatError(message, code="source_zip") from exc


def _has_error_cell(chunks: Iterator[bytes]) -> bool:
    """Return whether a part has the mark of a cell with an error; read it to its end."""
    found, tail = False, b""
    for chunk in chunks:
        found = found or _ERROR_CELL in tail + chunk[: len(_ERROR_CELL)] or _ERROR_CELL in chunk
        tail = chunk[-len(_ERROR_CELL) :]
    return found


def _bomb(what: str) -> SourceFormatError:
    message = f"the workbook would inflate to {what}; look at where it comes from"
    return SourceFormatError(message, code="source_zip_bomb")
