"""No room for temporary files: told as such, and harmless.

The database may be on another disk, so that everything else still works.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from chaos.troubles import AFTER, BEFORE, Service, filled, small_disk
from support import FakeSource, World, record
from web_support import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path


@contextmanager
def removed(folder: Path) -> Iterator[None]:
    """Take ``folder`` away inside the block."""
    away = folder.rename(folder.with_suffix(".away"))
    try:
        yield
    finally:
        away.rename(folder)


TROUBLES = {"full": filled, "missing": removed}


@pytest.fixture
def scratch(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return a folder for temporary files, a small disk where the test will fill it."""
    folder = tmp_path / "scratch"
    with ExitStack() as stack:
        if request.node.callspec.params["trouble"] is filled:
            stack.enter_context(small_disk(folder))
        else:
            folder.mkdir()
        yield folder


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_run_without_room_fails_and_the_next_one_is_made(
    tmp_path: Path,
    source: FakeSource,
    scratch: Path,
    trouble: Callable[[Path], AbstractContextManager[None]],
) -> None:
    """The run says that there is no room and where; nothing is written, and all goes on."""
    service = Service(tmp_path, source, busy_timeout_s=5.0, scratch=scratch)

    with trouble(scratch):
        run = service.ended_run(AFTER)

        assert (run["outcome"], run["reason"]) == ("failed", "storage_full")
        assert "folder scratch" in run["detail"]
        assert [one["errorCode"] for one in run["sessions"]] == ["storage_full"]
        assert service.holds(BEFORE)
        assert service.call("GET", "/readyz").status_code == 200
    service.complete_run(AFTER)
    assert service.holds(AFTER)
    service.close()


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_export_without_room_is_answered_as_such(
    world: World,
    source: FakeSource,
    scratch: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    trouble: Callable[[Path], AbstractContextManager[None]],
) -> None:
    """503 with a time to wait, the folder in the log, and the database is left alone."""
    source.records = [record(number, name="x" * 10_000) for number in range(1, 201)]
    world.run()
    api = Api(world)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    with trouble(scratch):
        answer = api.call("GET", "/api/products.csv")

        assert (answer.status_code, answer.json["code"]) == (503, "storage_full")
        assert int(answer.headers["Retry-After"]) > 0
        assert str(scratch) in caplog.text
        assert str(scratch) not in answer.text
    answer = api.call("GET", "/api/products.csv")
    assert (answer.status_code, answer.data.count(b"\n")) == (200, 201)
