"""What dropped files must be before they are read, over CSV and XLSX."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
from file_support import catalogue, failure, file_source, of_path, read, values

from archibald_sync.demo.server import DemoErp
from archibald_sync.errors import (
    NotModified,
    PermanentSourceError,
    RunCancelled,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.files.arrival import await_complete
from archibald_sync.sources.files.settings import Drop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=("csv", "xlsx"))
def kind(request: pytest.FixtureRequest) -> str:
    """Return each kind of file."""
    return str(request.param)


@pytest.fixture
def erp() -> DemoErp:
    """Return the products that the files hold; nobody need serve them."""
    return DemoErp(rows=1200, drift=False)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Fail a test that leaves a temporary file behind."""
    yield
    scratch = tmp_path / "scratch"
    assert not scratch.exists() or not list(scratch.iterdir())


def test_files_that_cannot_be_read_have_their_codes(
    erp: DemoErp, tmp_path: Path, kind: str
) -> None:
    """A file that is missing, empty, or none at all says so."""
    source, path = of_path(erp, tmp_path, kind)

    path.unlink()
    raised = failure(source)
    assert (type(raised), raised.code) == (TransientSourceError, "source_file_missing")
    assert path.name in str(raised)

    path.touch()
    raised = failure(source)
    assert (type(raised), raised.code) == (TransientSourceError, "source_file_empty")

    path.unlink()
    path.mkdir()
    raised = failure(source)
    assert (type(raised), raised.code) == (PermanentSourceError, "source_file_kind")

    path.rmdir()
    os.mkfifo(path)
    assert failure(source).code == "source_file_kind"


def test_a_file_that_we_may_not_read_says_so(tmp_path: Path) -> None:
    """A file that is closed to the service is a permanent error that says what to do."""
    closed = tmp_path / "closed"
    closed.mkdir()
    (closed / "drop.csv").write_text("x")
    closed.chmod(0)

    with as_nobody(), pytest.raises(PermanentSourceError) as error:
        await_complete(Drop(closed / "drop.csv"), None, RunControl())

    assert error.value.code == "source_file_forbidden"
    assert "let the service's user read it" in str(error.value)
    closed.chmod(0o700)


@contextlib.contextmanager
def as_nobody() -> Iterator[None]:
    """Give up the right to read everything inside the block, for those who have it."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_grows_is_awaited(erp: DemoErp, tmp_path: Path) -> None:
    """What is still being written is not read before it has settled."""
    source, path = of_path(erp, tmp_path, "csv", settle_s=3)
    whole = path.read_bytes()
    path.write_bytes(whole[:100])

    def write() -> None:
        with path.open("ab") as file:
            for start in range(100, len(whole), len(whole) // 5):
                file.write(whole[start : start + len(whole) // 5])
                file.flush()
                threading.Event().wait(0.1)

    thread = threading.Thread(target=write)
    thread.start()
    pages = read(source)
    thread.join()

    assert values(source, pages) == catalogue(erp)


def test_a_file_that_never_settles_is_given_up(erp: DemoErp, tmp_path: Path) -> None:
    """A file that is written to for too long fails the attempt."""
    source, path = of_path(erp, tmp_path, "csv", settle_s=1.5, wait_s=0)
    over = threading.Event()

    def touch() -> None:
        while not over.wait(0.02):
            with path.open("ab") as file:
                file.write(b" ")

    thread = threading.Thread(target=touch)
    thread.start()
    try:
        raised = failure(source)
    finally:
        over.set()
        thread.join()

    assert (type(raised), raised.code) == (TransientSourceError, "source_file_busy")


def test_a_stop_ends_the_wait_for_a_file(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A run that must end does not wait until a file has settled."""
    source, _ = of_path(erp, tmp_path, kind, settle_s=600, wait_s=600)
    control = RunControl()
    timer = threading.Timer(0.2, control.stop, [RunCancelled("requested", "stop")])
    timer.start()

    with pytest.raises(RunCancelled):
        list(source.pages(control))
    timer.join()


def test_a_known_file_need_not_settle(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A file that is as it was when it was read needs no second wait."""
    source, _ = of_path(erp, tmp_path, kind)
    validator = read(source)[-1].validator

    patient = file_source(tmp_path, kind, path=f"drop.{kind}", settle_s=600)

    with pytest.raises(NotModified):
        read(patient, validator)


def test_a_checksum_proves_a_file(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """With a checksum a file needs no time to settle, but must be the one that is meant."""
    source, path = of_path(erp, tmp_path, kind, checksum=True, settle_s=600)
    raised = failure(source)
    assert (type(raised), raised.code) == (TransientSourceError, "source_file_not_ready")

    sums = tmp_path / f"{path.name}.sha256"
    sums.write_text("nonsense\n")
    assert failure(source).code == "source_checksum"
    sums.write_text("0" * 64)
    raised = failure(source)
    assert (type(raised), raised.code) == (TransientSourceError, "source_checksum")

    sums.write_text(f"{hashlib.sha256(path.read_bytes()).hexdigest().upper()}  {path.name}\n")
    assert len(read(source)) == 2


def test_a_marker_announces_a_file(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """With a marker a file is read once the marker is there, and newer than the file."""
    source, path = of_path(erp, tmp_path, kind, ready_marker="ready", settle_s=600)
    marker = tmp_path / "ready"
    assert failure(source).code == "source_file_not_ready"

    marker.touch()
    os.utime(marker, ns=(0, path.stat().st_mtime_ns - 1))
    raised = failure(source)
    assert (type(raised), raised.code) == (TransientSourceError, "source_file_not_ready")
    assert "older" in str(raised)

    os.utime(marker, ns=(0, path.stat().st_mtime_ns))
    assert len(read(source)) == 2


def test_an_old_file_is_refused(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A file that nobody has renewed for too long is an error, not an unchanged catalogue."""
    source, path = of_path(erp, tmp_path, kind, max_age_hours=24)
    validator = read(source)[-1].validator

    yesterday = time.time() - 25 * 3600
    os.utime(path, (yesterday, yesterday))

    raised = failure(source)
    assert (type(raised), raised.code) == (PermanentSourceError, "source_file_stale")
    assert "25.0 hours" in str(raised)
    with pytest.raises(PermanentSourceError):
        read(source, validator)
