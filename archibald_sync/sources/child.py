"""Read foreign files in a child process: limited, killable, and gone when it is over.

A parser of PDF or XLSX works on bytes that somebody else made: it may crash, loop or
swallow memory. Here it does so in a process of its own, which has no secret in its
environment, dies with its parent, and sends what it reads in bounded batches. This
module knows nothing of any format; ``child_main`` is the other side.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import astuple, dataclass
from typing import IO, TYPE_CHECKING, Any, Self

import msgspec

from archibald_sync.errors import (
    PermanentSourceError,
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.scratch import room_in
from archibald_sync.sources.frames import (
    BATCH,
    END,
    MAX_FRAME_BYTES,
    PREFIX,
    Failure,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from archibald_sync.domain.ports import Control

_MIB = 1024 * 1024
_PIPE_BYTES = _MIB
# A child that has said its last word ends at once.
_FAREWELL_S = 2.0
_COMMAND = (sys.executable, "-P", "-m", "archibald_sync.sources.child_main")
# What a child may know of our environment; the rest holds secrets.
_INHERITED = (
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "TMPDIR",
    "TZ",
    "COVERAGE_PROCESS_CONFIG",
)
_KINDS = (TransientSourceError, PermanentSourceError, SourceAuthError, SourceFormatError)
_CLASSES: dict[str, type[SourceError]] = {one.__name__: one for one in _KINDS}
# How Rust says that an allocation failed, before it aborts.
_RUST_OUT_OF_MEMORY = b"memory allocation of"

_batch = msgspec.msgpack.Decoder(list[tuple[Any, ...]])
_failure = msgspec.msgpack.Decoder(Failure)


@dataclass(frozen=True, slots=True)
class ChildLimits:
    """What a child may use.

    ``memory_bytes`` is of data, libraries left out; ``cpu_s`` of processor time;
    ``deadline_s`` of wall time from its start to its last batch, whoever is slow.
    """

    memory_bytes: int = 512 * _MIB
    cpu_s: int = 300
    deadline_s: float = 600.0
    nice: int = 5


def read_in_child(
    reader: str,
    arguments: tuple[Any, ...],
    limits: ChildLimits,
    control: Control,
    pass_fds: tuple[int, ...] = (),
) -> Generator[list[tuple[Any, ...]], None, None]:
    """Yield the batches that a reader yields in a child process; complete or an exception.

    The child has ended, and is no zombie, when the iterator ends, is closed, or fails.
    It stands still while nobody takes its batches.

    Args:
        reader: ``"package.module:function"``: a generator function that yields lists
            of tuples. It can be imported from where we can import it.
        arguments: What to call it with; plain values that msgpack can hold.
        limits: What the child may use.
        control: Ends the child at any moment.
        pass_fds: Open files that the child gets too; it finds them at ``/dev/fd/N``.

    Raises:
        SourceError: What the reader raised.
        TransientSourceError: The deadline passed (``source_timeout``), or the machine ran
            out of memory and killed it (``source_reader_memory``).
        PermanentSourceError: The child crashed (``source_reader_crashed``), failed
            (``source_reader_failed``) or exceeded its memory
            (``source_reader_memory_limit``) or processor time (``source_reader_cpu``).
        StorageFullError: There is no room for what the child complains of.
        RunStopped: ``control`` ended the run.
    """
    control.checkpoint()
    with _Child(reader, limits, pass_fds) as child, control.closing(child.kill):
        try:
            child.begin(Request(reader, arguments, *astuple(limits)))
            while (rows := child.batch()) is not None:
                yield rows
        except SourceError:
            # A child that was killed for a stop looks as if it had crashed.
            control.checkpoint()
            raise
    control.checkpoint()


class _Child:
    """One child process, from its start to its end."""

    def __init__(self, reader: str, limits: ChildLimits, pass_fds: tuple[int, ...]) -> None:
        self._reader = reader
        self._pass_fds = pass_fds
        self._limits = limits
        self._is_late = self._has_spoken = False
        self._timer = threading.Timer(limits.deadline_s, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        with room_in(None):
            self._complaints: IO[bytes] = tempfile.TemporaryFile()
        try:
            # stdin stays open: the child ends when it is closed, by us or by our death.
            self._process = subprocess.Popen(  # noqa: S603  # our own module
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                env=_environment(),
                process_group=0,
                pass_fds=self._pass_fds,
            )
        except OSError as exc:
            self._complaints.close()
            message = f"a child process cannot be started: {exc.strerror}"
            raise TransientSourceError(message, code="source_reader_start") from exc
        self._timer.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._timer.cancel()
        if self._has_spoken:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_FAREWELL_S)
        self.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._complaints):
            with contextlib.suppress(OSError):
                _opened(stream).close()

    def kill(self) -> None:
        """End the child now; from any thread, any number of times."""
        self._process.kill()

    def begin(self, request: Request) -> None:
        """Say what is to be read."""
        pipe = _opened(self._process.stdin)
        frame = msgspec.msgpack.encode(request)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            # A child with some room works while we do; more than this is privileged.
            with contextlib.suppress(OSError):
                fcntl.fcntl(_opened(self._process.stdout), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        try:
            pipe.write(PREFIX.pack(END, len(frame)) + frame)
            pipe.flush()
        except OSError as exc:
            raise self._verdict() from exc

    def batch(self) -> list[tuple[Any, ...]] | None:
        """Return the next batch; None after the last.

        Raises:
            SourceError: The child failed, in whatever way.
        """
        tag, length = PREFIX.unpack(self._read(PREFIX.size))
        if length > MAX_FRAME_BYTES:
            raise self._fault("sent nonsense", "source_reader_failed")
        body = self._read(length)
        self._has_spoken = tag != BATCH
        if tag == END:
            return None
        try:
            if tag == BATCH:
                return _batch.decode(body)
            failure = _failure.decode(body)
        except msgspec.DecodeError as exc:
            raise self._fault("sent nonsense", "source_reader_failed") from exc
        raise _CLASSES.get(failure.kind, PermanentSourceError)(failure.message, code=failure.code)

    def _read(self, length: int) -> bytes:
        content = _opened(self._process.stdout).read(length)
        if len(content) < length:
            raise self._verdict()
        return content

    def _expire(self) -> None:
        self._is_late = True
        self.kill()

    def _verdict(self) -> SourceError:
        """Return why a child ended that has not said so itself."""
        status = self._process.wait()
        if self._is_late:
            message = f"the reader took longer than {self._limits.deadline_s:g} s"
            return TransientSourceError(message, code="source_timeout")
        limits, name = self._limits, _signal_name(status)
        if status == -signal.SIGXCPU:
            what = f"used more than {limits.cpu_s} s of processor time"
            return self._fault(what, "source_reader_cpu")
        if status == -signal.SIGKILL:
            message = "the reader was killed, as the machine does when it runs out of memory"
            return TransientSourceError(message, code="source_reader_memory")
        if status == -signal.SIGABRT and self._ran_out_of_memory():
            what = f"needs more than {limits.memory_bytes // _MIB} MiB"
            return self._fault(what, "source_reader_memory_limit")
        return self._fault(f"crashed ({name})", "source_reader_crashed")

    def _ran_out_of_memory(self) -> bool:
        self._complaints.seek(0)
        return _RUST_OUT_OF_MEMORY in self._complaints.read(64 * 1024)

    def _fault(self, what: str, code: str) -> PermanentSourceError:
        message = f"the reader {self._reader.rpartition(':')[2]} {what}; look at what it reads"
        return PermanentSourceError(message, code=code)


def _environment() -> dict[str, str]:
    known = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # The child imports what we import, from wherever we were started.
    return {**known, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def _opened(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise AssertionError("the stream was asked for as a pipe")
    return stream


def _signal_name(status: int) -> str:
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"exit {status}"
