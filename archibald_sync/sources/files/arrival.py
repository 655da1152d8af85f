"""Wait until a dropped file is complete: nobody must read what is still being written."""

from __future__ import annotations

import stat
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.errors import PermanentSourceError, SourceError, TransientSourceError

if TYPE_CHECKING:
    from os import stat_result
    from pathlib import Path

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.files.settings import Drop

_SECONDS_AN_HOUR = 3600
_LOOKS_A_SETTLING = 5
_SHA256_CHARACTERS = 64
_MAX_CHECKSUM_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file is written to."""

    size: int
    mtime_ns: int


def await_complete(drop: Drop, known: Stamp | None, control: Control) -> Stamp:
    """Return the stamp of a file that nobody has written to for as long as was asked.

    Args:
        drop: The file, and how we know that it is complete.
        known: The stamp with which it was read completely before: it need not settle anew.
        control: Ends the wait at any moment.

    Raises:
        TransientSourceError: The file is missing, empty, still being written, or its
            marker or checksum is not there yet.
        PermanentSourceError: It is too old, or no file that we can read.
        RunStopped: ``control`` ended the run.
    """
    stamp = stamp_of(drop)
    if drop.ready_marker is not None:
        _require_marker(drop.ready_marker, stamp)
    if stamp == known or drop.ready_marker is not None or drop.checksum is not None:
        return stamp
    return _settled(drop, stamp, control)


def stamp_of(drop: Drop) -> Stamp:
    """Return what the file looks like now.

    Raises:
        SourceError: It is missing, empty, too old, or no file that we can read.
    """
    found = _look(drop.path)
    name = drop.path.name
    if not stat.S_ISREG(found.st_mode):
        raise PermanentSourceError(f"{name} is no regular file", code="source_file_kind")
    age_hours = (time.time() - found.st_mtime) / _SECONDS_AN_HOUR
    if drop.max_age_hours is not None and age_hours > drop.max_age_hours:
        raise PermanentSourceError(
            f"{name} was written {age_hours:.1f} hours ago, more than the "
            f"{drop.max_age_hours:g} of max_age_hours: look at what writes it",
            code="source_file_stale",
        )
    if not found.st_size:
        raise TransientSourceError(f"{name} is empty so far", code="source_file_empty")
    return Stamp(found.st_size, found.st_mtime_ns)


def expected_sha256(drop: Drop) -> str | None:
    """Return the SHA-256 that the file must have, in hexadecimal, if one is asked for.

    Raises:
        SourceError: The file that should hold it is missing or holds something else.
    """
    if drop.checksum is None:
        return None
    _look(drop.checksum, "source_file_not_ready")
    try:
        with drop.checksum.open("rb") as file:
            words = file.read(_MAX_CHECKSUM_BYTES).decode("ascii", "replace").split()
    except OSError as exc:
        raise unreadable(drop.checksum, exc) from exc
    digest = words[0].lower() if words else ""
    if len(digest) == _SHA256_CHARACTERS and set(digest) <= set("0123456789abcdef"):
        return digest
    message = f"{drop.checksum.name} holds no SHA-256; write it as sha256sum does"
    raise TransientSourceError(message, code="source_checksum")


def unreadable(path: Path, exc: OSError) -> SourceError:
    """Return the error for a file that the machine does not let us read."""
    message = f"{path.name} cannot be read: {exc.strerror or type(exc).__name__}"
    if isinstance(exc, PermissionError):
        message += "; let the service's user read it, and enter its folder"
        return PermanentSourceError(message, code="source_file_forbidden")
    return TransientSourceError(message, code="source_file_unreadable")


def _look(path: Path, code_if_missing: str = "source_file_missing") -> stat_result:
    try:
        return path.stat()
    except FileNotFoundError as exc:
        message = f"{path.name} is not there: {path.parent}"
        raise TransientSourceError(message, code=code_if_missing) from exc
    except OSError as exc:
        raise unreadable(path, exc) from exc


def _require_marker(marker: Path, stamp: Stamp) -> None:
    if _look(marker, "source_file_not_ready").st_mtime_ns < stamp.mtime_ns:
        message = f"{marker.name} is older than the file that it should announce"
        raise TransientSourceError(message, code="source_file_not_ready")


def _settled(drop: Drop, stamp: Stamp, control: Control) -> Stamp:
    began_s = since_s = time.monotonic()
    told = threading.Event()
    with control.closing(told.set):
        while (quiet_s := time.monotonic() - since_s) < drop.settle_s:
            if time.monotonic() - began_s > drop.wait_s + drop.settle_s:
                message = f"{drop.path.name} is still being written after {drop.wait_s:g} s"
                raise TransientSourceError(message, code="source_file_busy")
            told.wait(min(drop.settle_s - quiet_s, drop.settle_s / _LOOKS_A_SETTLING))
            control.checkpoint()
            if (now := stamp_of(drop)) != stamp:
                stamp, since_s = now, time.monotonic()
    return stamp
