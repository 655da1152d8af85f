"""Take a private copy of a file, so that nobody can change it while it is read.

The copy has no name: it vanishes with the process, whatever becomes of it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import msgspec
import xxhash

from archibald_sync.errors import (
    NotModified,
    PermanentSourceError,
    SourceAuthError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.sources.files.arrival import (
    Stamp,
    await_complete,
    expected_sha256,
    stamp_of,
    unreadable,
)
from archibald_sync.sources.http import HttpClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.files.settings import Drop, FileSettings
    from archibald_sync.sources.http_settings import HttpSettings

_CHUNK_BYTES = 1024 * 1024
_SNIFFED_BYTES = 65536


class Validator(msgspec.Struct, frozen=True, omit_defaults=True):
    """What tells a file that we have read from another: shown to it the next time.

    ``reading`` says from where and how it was read.
    """

    reading: str
    digest: str = ""
    etag: str = ""
    last_modified: str = ""
    size: int = -1
    mtime_ns: int = -1


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A complete copy of the file; ``name`` is what messages call it.

    ``has_length`` says whether the server told how long it is, so that we know that
    nothing is missing.
    """

    file: IO[bytes]
    name: str
    validator: Validator
    content_type: str = ""
    has_length: bool = True


@contextlib.contextmanager
def take_snapshot(settings: FileSettings, known: Validator, control: Control) -> Iterator[Snapshot]:
    """Copy the file; the copy is gone after the block.

    Raises:
        NotModified: It is the file that ``known`` describes.
        TransientSourceError: It is not there, not complete, or there is no room for it.
        PermanentSourceError: It is too large, too old, or no file that we can read.
        RunStopped: ``control`` ended the run.
    """
    try:
        with tempfile.TemporaryFile(dir=settings.scratch) as copy:
            if settings.http is not None:
                snapshot = _download(settings.http, settings.max_bytes, copy, known, control)
            elif settings.drop is not None:
                snapshot = _copy(settings.drop, settings.max_bytes, copy, known, control)
            else:
                raise AssertionError("settings with faults are never used")
            copy.flush()
            yield snapshot
    except OSError as exc:
        message = f"no copy can be kept in {settings.scratch}: {exc.strerror}"
        raise TransientSourceError(message, code="source_scratch") from exc


def refuse_web_page(snapshot: Snapshot) -> None:
    """Refuse what a server sends in the place of a file.

    Raises:
        SourceAuthError: It is a login page.
        SourceFormatError: It is another page.
    """
    snapshot.file.seek(0)
    start = snapshot.file.read(_SNIFFED_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    snapshot.file.seek(0)
    if not start.startswith(b"<") and "html" not in snapshot.content_type:
        return
    if b"password" in start:
        message = f"{snapshot.name} is a login page; check the credentials"
        raise SourceAuthError(message, code="source_login_page")
    raise SourceFormatError(f"{snapshot.name} is a web page", code="source_html")


def _download(
    http: HttpSettings, max_bytes: int, copy: IO[bytes], known: Validator, control: Control
) -> Snapshot:
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.last_modified}
    headers = {name: value for name, value in conditions.items() if value}
    client = HttpClient(http)
    try:
        answer = client.get(http.url, {}, control, max_bytes, headers, copy)
    finally:
        client.close()
    validator = Validator(
        reading=known.reading,
        digest=_digest(copy, known, control),
        etag=answer.headers.get("ETag", ""),
        last_modified=answer.headers.get("Last-Modified", ""),
    )
    is_chunked = "chunked" in answer.headers.get("Transfer-Encoding", "").lower()
    has_length = is_chunked or "Content-Length" in answer.headers
    return Snapshot(copy, "the answer", validator, answer.content_type, has_length)


def _copy(
    drop: Drop, max_bytes: int, copy: IO[bytes], known: Validator, control: Control
) -> Snapshot:
    stamp = await_complete(drop, Stamp(known.size, known.mtime_ns), control)
    wanted = expected_sha256(drop)
    sha256 = hashlib.sha256()
    for chunk in _chunks(drop):
        control.checkpoint()
        sha256.update(chunk)
        copy.write(chunk)
        if copy.tell() > max_bytes:
            message = f"{drop.path.name} is longer than {max_bytes} bytes; raise "
            message += "max_bytes in source.toml if that is right"
            raise PermanentSourceError(message, code="source_too_large")
    if stamp_of(drop) != stamp or copy.tell() != stamp.size:
        message = f"{drop.path.name} changed while it was read"
        raise TransientSourceError(message, code="source_file_changed")
    if wanted is not None and sha256.hexdigest() != wanted:
        message = f"{drop.path.name} is not the file that its checksum is of"
        raise TransientSourceError(message, code="source_checksum")
    validator = Validator(
        reading=known.reading,
        digest=_digest(copy, known, control),
        size=stamp.size,
        mtime_ns=stamp.mtime_ns,
    )
    return Snapshot(copy, drop.path.name, validator)


def _chunks(drop: Drop) -> Iterator[bytes]:
    try:
        # A pipe in the place of the file must not hold us up.
        descriptor = os.open(drop.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        file = open(descriptor, "rb")  # noqa: PTH123, SIM115  # of a descriptor; closed below
    except OSError as exc:
        raise unreadable(drop.path, exc) from exc
    with file:
        while True:
            try:
                chunk = file.read(_CHUNK_BYTES)
            except OSError as exc:
                raise unreadable(drop.path, exc) from exc
            if not chunk:
                return
            yield chunk


def _digest(copy: IO[bytes], known: Validator, control: Control) -> str:
    """Return the fingerprint of a copy.

    Raises:
        NotModified: It is the one that is known.
    """
    fingerprint = xxhash.xxh3_128()
    copy.seek(0)
    for chunk in iter(lambda: copy.read(_CHUNK_BYTES), b""):
        control.checkpoint()
        fingerprint.update(chunk)
    copy.seek(0)
    if fingerprint.hexdigest() == known.digest:
        raise NotModified("the file is the one that was read before")
    return fingerprint.hexdigest()
