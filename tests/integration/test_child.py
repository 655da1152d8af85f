"""Readers in a child process: what they yield, how they are limited, and that they end."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from support import wait_for

from archibald_sync.errors import (
    PermanentSourceError,
    RunCancelled,
    SourceError,
    SourceFormatError,
    StorageFullError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.child import ChildLimits, read_in_child

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

LIMITS = ChildLimits(deadline_s=60)
MIB = 1024 * 1024


def batches(
    reader: str, *arguments: object, limits: ChildLimits = LIMITS, control: RunControl | None = None
) -> Generator[list[tuple[Any, ...]], None, None]:
    """Run a reader of ``child_readers``."""
    return read_in_child(f"child_readers:{reader}", arguments, limits, control or RunControl())


def rows(reader: str, *arguments: object, limits: ChildLimits = LIMITS) -> list[tuple[Any, ...]]:
    """Return all rows of a reader."""
    return [row for rows in batches(reader, *arguments, limits=limits) for row in rows]


def failure(reader: str, *arguments: object, limits: ChildLimits = LIMITS) -> SourceError:
    """Return the error of a reader that delivers something first."""
    with pytest.raises(SourceError) as error:
        rows(reader, *arguments, limits=limits)
    return error.value


@pytest.fixture(autouse=True)
def _no_child_is_left() -> Iterator[None]:
    """Fail a test that leaves a child behind, dead or alive."""
    me = psutil.Process()
    before = {child.pid for child in me.children()}
    yield
    assert {child.pid for child in me.children()} <= before


def test_everything_comes_in_order() -> None:
    """A reader's batches arrive as it yields them, tuples with the types of their values."""
    read = rows("count", 1000)

    assert len(read) == 1000
    assert read[999] == (999, "n999", 0.5, None)
    assert {type(row) for row in read} == {tuple}
    assert rows("count", 0) == []


def test_a_batch_that_is_too_long_is_divided() -> None:
    """No frame is longer than both sides agreed; one row that is, is refused."""
    read = list(batches("wide", MIB, 40))
    assert len(read) > 1
    assert sum(len(batch) for batch in read) == 40

    assert failure("wide", 20 * MIB, 1).code == "source_reader_memory_limit"


def test_what_a_library_prints_goes_nowhere() -> None:
    """Output on stdout or stderr does not disturb the frames."""
    assert rows("chatter") == [(1,)]


def test_no_secret_reaches_a_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child has no variable of ours but a few harmless ones, and outlives a SIGTERM to all."""
    monkeypatch.setenv("ERP_TOKEN", "s3cret")
    monkeypatch.setenv("JWT_SECRET_KEY", "s3cret")

    names = {row[0] for row in rows("environment")}

    assert "PYTHONPATH" in names
    assert not names & {"ERP_TOKEN", "JWT_SECRET_KEY"}


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("format", SourceFormatError, "source_column_missing"),
        ("transient", TransientSourceError, "source_file_missing"),
    ],
)
def test_errors_of_a_reader_arrive_as_raised(kind: str, error: type, code: str) -> None:
    """An error of the tree keeps its class, code and message."""
    raised = failure("refuse", kind)

    assert (type(raised), raised.code) == (error, code)
    assert str(raised) in {"the header is missing", "the file is away"}


def test_a_bug_tells_its_place_but_no_value() -> None:
    """Any other error says what and where, never with which values."""
    raised = failure("stumble")

    assert (type(raised), raised.code) == (PermanentSourceError, "source_reader_failed")
    assert "KeyError at child_readers.py:" in str(raised)
    assert "s3cret" not in str(raised)


def test_a_reader_that_does_not_exist_is_a_failure() -> None:
    """A reader that cannot be imported fails the extract."""
    assert failure("nobody").code == "source_reader_failed"


@pytest.mark.parametrize(
    ("arguments", "error", "code"),
    [
        (("crash", signal.SIGSEGV), PermanentSourceError, "source_reader_crashed"),
        (("crash", signal.SIGABRT), PermanentSourceError, "source_reader_crashed"),
        (("crash", signal.SIGXCPU), PermanentSourceError, "source_reader_cpu"),
        (("crash", signal.SIGKILL), TransientSourceError, "source_reader_memory"),
        (("abort_as_rust_does",), PermanentSourceError, "source_reader_memory_limit"),
        (("vanish",), PermanentSourceError, "source_reader_crashed"),
    ],
)
def test_a_crash_is_an_error(arguments: tuple[Any, ...], error: type, code: str) -> None:
    """A child that dies in mid-work, or ends without saying so, fails the extract."""
    raised = failure(*arguments)

    assert (type(raised), raised.code) == (error, code)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS knows no limit of memory")
def test_memory_is_limited() -> None:
    """A reader that wants more memory than it may have fails, and nothing else does."""
    raised = failure("swallow", limits=ChildLimits(memory_bytes=128 * MIB, deadline_s=60))

    assert (type(raised), raised.code) == (PermanentSourceError, "source_reader_memory_limit")
    assert "128 MiB" in str(raised)


def test_processor_time_is_limited() -> None:
    """A reader that computes for too long is ended by the machine."""
    raised = failure("burn", limits=ChildLimits(cpu_s=1, deadline_s=100))

    assert (type(raised), raised.code) == (PermanentSourceError, "source_reader_cpu")


def test_wall_time_is_limited() -> None:
    """A child is killed at its deadline, even one that never lets go of the interpreter."""
    raised = failure("spin", limits=ChildLimits(deadline_s=0.5))

    assert (type(raised), raised.code) == (TransientSourceError, "source_timeout")


def test_a_slow_taker_does_not_evade_the_deadline() -> None:
    """The deadline counts while nobody takes batches: the child is gone, not waiting."""
    with closing(batches("flood", limits=ChildLimits(deadline_s=4))) as reading:
        next(reading)
        (child,) = psutil.Process().children()
        wait_for(lambda: child.status() == psutil.STATUS_ZOMBIE, 20)

        with pytest.raises(TransientSourceError) as error:
            for _ in reading:
                pass
        assert error.value.code == "source_timeout"


def test_a_stop_kills_the_child_at_once(tmp_path: Path) -> None:
    """A run that must end kills the child that it waits for, and says why it ended."""
    control, told = RunControl(), tmp_path / "pid"
    raised: list[BaseException] = []

    def work() -> None:
        try:
            list(batches("tell_pid", str(told), "spin", control=control))
        except RunCancelled as exc:
            raised.append(exc)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: told.exists() and told.read_text(), 30)
    control.stop(RunCancelled("requested", "stop"))
    thread.join(20)

    assert [type(exc) for exc in raised] == [RunCancelled]
    assert not psutil.pid_exists(int(told.read_text()))


def test_a_run_that_has_ended_starts_no_child() -> None:
    """Where the run must end already, no child is started."""
    control = RunControl()
    control.stop(RunCancelled("requested", "stop"))

    with pytest.raises(RunCancelled):
        next(batches("count", 1, control=control))


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_a_reading_that_is_given_up_ends_its_child(how: str) -> None:
    """Whoever wants no more batches leaves no child behind."""
    reading = batches("flood")
    next(reading)
    (child,) = psutil.Process().children()

    if how == "closed":
        reading.close()
    del reading
    gc.collect()

    assert not psutil.pid_exists(child.pid)


def test_a_child_stands_still_while_nobody_takes() -> None:
    """Batches that nobody takes stay in the child: neither process grows."""
    with closing(batches("flood")) as reading:
        next(reading)
        (child,) = psutil.Process().children()
        wait_for(lambda: child.status() == psutil.STATUS_SLEEPING)
        ours = psutil.Process().memory_info().rss

        for _ in range(500):
            next(reading)

        assert psutil.Process().memory_info().rss - ours < 32 * MIB
        assert child.memory_info().rss < 128 * MIB


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed takes its child along, however busy that is."""
    told = tmp_path / "pid"
    program = (
        "from archibald_sync.services.control import RunControl\n"
        "from archibald_sync.sources.child import ChildLimits, read_in_child\n"
        f"arguments = ({str(told)!r}, 'spin')\n"
        "limits = ChildLimits(deadline_s=60)\n"
        "list(read_in_child('child_readers:tell_pid', arguments, limits, RunControl()))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        wait_for(lambda: told.exists() and told.read_text(), 30)
        child = psutil.Process(int(told.read_text()))
        assert child.ppid() == parent.pid
    finally:
        parent.kill()
        parent.wait()

    wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_program_that_cannot_be_started_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that starts no more processes is a failure that may pass."""
    monkeypatch.setattr("archibald_sync.sources.child._COMMAND", ("/nowhere/python",))

    with pytest.raises(TransientSourceError) as error:
        rows("count", 1)

    assert error.value.code == "source_reader_start"


def test_a_machine_without_a_temporary_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No child is started whose complaints nobody could read."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))

    with pytest.raises(StorageFullError, match="missing; make room"):
        rows("count", 1)
