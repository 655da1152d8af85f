"""What outlives a process about the ERP's session: cookies, logins made, a refusal.

One small file a user of the ERP, readable by us alone and replaced as a whole. A lock
beside it makes logins wait for each other, so that two processes never both log in.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING

import msgspec
import xxhash

from archibald_sync.errors import PermanentSourceError, TransientSourceError
from archibald_sync.sources.http import Cookie

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Control

_LOCK_PAUSE_S = 0.05
_SCRYPT = {"n": 2**14, "r": 8, "p": 1, "dklen": 32}


class SessionState(msgspec.Struct):
    """What the file holds; ``logins`` are instants in ms, ``refused`` a salted digest."""

    cookies: list[Cookie] = []
    logins: list[int] = []
    refused: str = ""
    refused_at: int = 0


_decode = msgspec.json.Decoder(SessionState).decode


class SessionFile:
    """The state of one user's session with one ERP."""

    def __init__(self, folder: Path, url: str, username: str) -> None:
        """Name the file; nothing is read or written yet."""
        name = xxhash.xxh3_64_hexdigest(f"{url}\n{username}".encode())
        self.path = folder / f"archibald-session-{name}.json"

    def load(self) -> SessionState:
        """Return the state; an empty one where the file is missing or damaged.

        Raises:
            PermanentSourceError: The file cannot be read.
        """
        try:
            return _decode(self.path.read_bytes())
        except (FileNotFoundError, msgspec.DecodeError):
            return SessionState()
        except OSError as exc:
            raise self._fault("read", exc) from exc

    def save(self, state: SessionState) -> None:
        """Replace the file, so that a crash leaves the old or the new one.

        Raises:
            PermanentSourceError: The file cannot be written.
        """
        draft = self.path.with_suffix(f".{os.getpid()}-{threading.get_ident()}.new")
        try:
            with open(draft, "wb", opener=_private) as file:
                file.write(msgspec.json.encode(state))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as exc:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise self._fault("write", exc) from exc

    @contextlib.contextmanager
    def locked(self, control: Control, timeout_s: float) -> Iterator[None]:
        """Keep other processes from logging in inside the block.

        Raises:
            TransientSourceError: Another process did not finish its login in time.
            PermanentSourceError: The lock cannot be made.
            RunStopped: ``control`` ended the run.
        """
        try:
            lock = open(self.path.with_suffix(".lock"), "wb", opener=_private)  # noqa: SIM115
        except OSError as exc:
            raise self._fault("write", exc) from exc
        with lock:
            deadline, pause = time.monotonic() + timeout_s, threading.Event()
            while not _has_locked(lock.fileno()):
                control.checkpoint()
                if time.monotonic() > deadline:
                    message = "another process has been logging in to the ERP for too long"
                    raise TransientSourceError(message, code="source_login_busy")
                pause.wait(_LOCK_PAUSE_S)
            yield

    def _fault(self, verb: str, exc: OSError) -> PermanentSourceError:
        message = f"cannot {verb} {self.path}: {exc.strerror}; correct its folder, or the key "
        return PermanentSourceError(f"{message}folder in source.toml", code="source_session_file")


def digest_of(secret: str, earlier: str = "") -> str:
    """Return a slow, salted digest of ``secret``, made with the salt of ``earlier`` if given.

    It tells whether something has changed without saying what it was.
    """
    salt = base64.b64decode(earlier.partition("$")[0]) if earlier else secrets.token_bytes(16)
    digest = hashlib.scrypt(secret.encode(), salt=salt, **_SCRYPT)
    return f"{base64.b64encode(salt).decode()}${digest.hex()}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _has_locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
