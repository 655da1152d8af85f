"""What the table of a file in ``source.toml`` says, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.sources.http_settings import HttpSettings, read_http

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.sources.table import TableReader

_MIB = 1024 * 1024
_PATH_KEYS = ("settle_s", "wait_s", "checksum", "ready_marker", "max_age_hours")
_URL_KEYS = ("auth", "timeout_s")
FILE_KEYS = ("url", "path", *_URL_KEYS, *_PATH_KEYS, "max_bytes", "max_rows", "header_row")


@dataclass(frozen=True, slots=True)
class Drop:
    """A file that somebody else puts at ``path``, and how we know that it is complete.

    ``settle_s`` is how long it must not change, ``wait_s`` how long we wait for that.
    ``checksum`` is the file with its SHA-256, ``ready_marker`` one that is written after
    it. ``max_age_hours`` is how old it may be; None means as old as it likes.
    """

    path: Path
    settle_s: float = 5.0
    wait_s: float = 60.0
    checksum: Path | None = None
    ready_marker: Path | None = None
    max_age_hours: float | None = None


@dataclass(frozen=True, slots=True)
class FileSettings:
    """Where a file comes from, how large it may be, and which of its rows has headers.

    Exactly one of ``http`` and ``drop`` is set, unless there were faults. ``scratch`` is
    the folder for our copy; ``header_row`` counts from 1.
    """

    http: HttpSettings | None
    drop: Drop | None
    scratch: Path
    max_bytes: int
    max_rows: int
    header_row: int


def read_file_settings(reader: TableReader, *, accept: str) -> FileSettings:
    """Return the settings of a table; faults are remembered in ``reader``."""
    has_url, has_path = "url" in reader.table, "path" in reader.table
    if has_url == has_path:
        problem = "stand both there" if has_url else "are both missing"
        reader.fault("url, path", problem, "write one of them: where the file is")
    for key in _PATH_KEYS if has_url else _URL_KEYS:
        if key in reader.table and has_url != has_path:
            other = "path" if has_url else "url"
            reader.fault(key, "has no meaning here", f"leave it out, or write {other}")
    return FileSettings(
        http=read_http(reader, accept=accept) if has_url else None,
        drop=_read_drop(reader) if has_path else None,
        scratch=reader.scratch,
        max_bytes=reader.integer("max_bytes", 256 * _MIB, 1, 2**40),
        max_rows=reader.integer("max_rows", 2_000_000, 1, 100_000_000),
        header_row=reader.integer("header_row", 1, 1, 1000),
    )


def _read_drop(reader: TableReader) -> Drop:
    text = reader.text("path", "")
    if not text:
        reader.fault("path", "is empty", "write where the file is")
    path = (reader.folder / text).absolute()
    marker = reader.text("ready_marker", "")
    has_checksum = reader.flag("checksum", default=False)
    return Drop(
        path=path,
        settle_s=reader.number("settle_s", 5, 0, 600),
        wait_s=reader.number("wait_s", 60, 0, 3600),
        checksum=path.with_name(f"{path.name}.sha256") if text and has_checksum else None,
        ready_marker=path.parent / marker if marker else None,
        max_age_hours=(
            reader.number("max_age_hours", 24, 0.01, 24 * 365)
            if "max_age_hours" in reader.table
            else None
        ),
    )
