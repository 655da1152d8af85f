"""Fixtures that all tests share: an instance of its own for each, real databases, a fake source."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from cli_support import Instance, SmallErp, made_instance, small_erp
from support import FakeSource, World
from web_support import Api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Control

# Where the suite runs in the background it is ignored, and children inherit that: those that
# are interrupted would not notice.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def source() -> FakeSource:
    """Return a source whose records the test decides."""
    return FakeSource()


@pytest.fixture
def world(tmp_path: Path, source: FakeSource) -> Iterator[World]:
    """Return a service over real databases and ``source``; everything has ended afterwards."""
    world = World(tmp_path, source)
    yield world
    world.close()


@pytest.fixture(scope="module")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a service as above, for all tests of a module that only read."""
    world = World(tmp_path_factory.mktemp("world"), FakeSource())
    yield world
    world.close()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Return an instance that is ready to be used."""
    with made_instance(tmp_path, monkeypatch) as made:
        made.init()
        yield made


@pytest.fixture
def erp(instance: Instance) -> Iterator[SmallErp]:
    """Return the ERP that the instance reads from."""
    with small_erp() as serving:
        instance.read_from(serving.url)
        yield serving


@pytest.fixture
def gate(source: FakeSource) -> Iterator[threading.Event]:
    """Hold every run at its first page until the event is set."""
    gate = threading.Event()

    def pause(_control: Control) -> None:
        gate.wait(20)

    source.pause = pause
    yield gate
    gate.set()


@pytest.fixture
def api(world: World) -> Api:
    """Return an API whose resource nobody owns."""
    return Api(world)


@pytest.fixture
def owned(world: World) -> Api:
    """Return an API whose resource a real driver owns."""
    return Api.with_owner(world)


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    """Fail a test that leaves a thread of ours behind."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + 5
    while (left := _left(before)) and time.monotonic() < deadline:
        left[0].join(0.05)
    assert not left, f"threads left behind: {left}"


def _left(before: set[threading.Thread]) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one not in before and not one.daemon]
