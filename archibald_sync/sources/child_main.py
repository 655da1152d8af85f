"""The child's side of ``child``: take limits, read, send batches, end.

Run as ``python -m archibald_sync.sources.child_main``; the request comes on stdin, the
frames go out where stdout was. Whatever a library prints goes nowhere.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import select
import signal
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

from archibald_sync.errors import SourceError
from archibald_sync.sources.frames import (
    BATCH,
    END,
    FAILURE,
    MAX_FRAME_BYTES,
    PREFIX,
    Failure,
    Request,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIB = 1024 * 1024
# Libraries and mapped files count as address space too, but not as data.
_EXTRA_ADDRESS_SPACE_BYTES = 1024 * _MIB
_encode = msgspec.msgpack.encode


def main() -> None:
    """Serve the one request that comes on stdin."""
    for number in (signal.SIGTERM, signal.SIGINT):
        # Our parent is told as well, and ends us when it is ready.
        signal.signal(number, signal.SIG_IGN)
    out = _take_stdout()
    request = _request()
    _die_with_parent()
    with contextlib.suppress(BrokenPipeError):
        failure = _serve(request, out)
        body = b"" if failure is None else _encode(failure)
        _send(out, END if failure is None else FAILURE, body)
        out.close()


def _serve(request: Request, out: BinaryIO) -> Failure | None:
    """Send all batches; return what went wrong, if anything did."""
    try:
        _limit(request)
        module, _, function = request.reader.partition(":")
        for rows in getattr(import_module(module), function)(*request.arguments):
            _send_batch(out, rows)
    except BrokenPipeError:
        raise
    except SourceError as exc:
        return Failure(type(exc).__name__, exc.code, str(exc))
    except MemoryError:
        message = f"the reader needs more than {request.memory_bytes // _MIB} MiB"
        code = "source_reader_memory_limit"
        return Failure("PermanentSourceError", code, message)
    except BaseException as exc:  # noqa: BLE001  # a panic of a Rust library is no Exception
        return _bug(exc)
    return None


def _bug(exc: BaseException) -> Failure:
    """Say what failed and where, but not with which values: they may be anything."""
    where = traceback.extract_tb(exc.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"  # noqa: PTH119  # text only
    message = f"the reader failed: {type(exc).__name__} at {place}"
    return Failure("PermanentSourceError", "source_reader_failed", message)


def _send_batch(out: BinaryIO, rows: Sequence[tuple[Any, ...]]) -> None:
    body = _encode(rows)
    if len(body) <= MAX_FRAME_BYTES:
        _send(out, BATCH, body)
    elif len(rows) > 1:
        middle = len(rows) // 2
        _send_batch(out, rows[:middle])
        _send_batch(out, rows[middle:])
    else:
        raise MemoryError


def _send(out: BinaryIO, tag: int, body: bytes) -> None:
    out.write(PREFIX.pack(tag, len(body)))
    out.write(body)
    out.flush()


def _take_stdout() -> BinaryIO:
    """Return where frames go, and let nothing else write there."""
    private = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return private


def _request() -> Request:
    prefix = sys.stdin.buffer.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        raise SystemExit(1)
    return msgspec.msgpack.decode(sys.stdin.buffer.read(PREFIX.unpack(prefix)[1]), type=Request)


def _die_with_parent() -> None:
    """Let the kernel end us when stdin closes, whatever we are doing then.

    SIGIO comes when the other end of the pipe is gone, and ends a process that does not
    handle it: no thread of ours need run, so a library that holds the interpreter's
    lock cannot prevent it, and it is the parent process that counts, not its thread.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(0, fcntl.F_SETFL, fcntl.fcntl(0, fcntl.F_GETFL) | os.O_ASYNC)
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    if waiting.poll(0):
        raise SystemExit(1)


def _limit(request: Request) -> None:
    memory = request.memory_bytes
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: request.cpu_s,
        resource.RLIMIT_DATA: memory,
        resource.RLIMIT_AS: memory + _EXTRA_ADDRESS_SPACE_BYTES,
    }
    for number, most in wanted.items():
        _, hard = resource.getrlimit(number)
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        # macOS, on which only development happens, knows no limit of memory.
        with contextlib.suppress(*(() if sys.platform == "linux" else (ValueError, OSError))):
            resource.setrlimit(number, (soft, hard))
    os.nice(request.nice)


if __name__ == "__main__":
    main()
