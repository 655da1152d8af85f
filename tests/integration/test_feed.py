"""Those who wait for the status to change: told at once, and with one thread for all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import World, wait_for

from archibald_sync.errors import StorageBusyError
from archibald_sync.services.feed import StatusFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONG_S = 20.0


def watchers() -> list[threading.Thread]:
    """Return the threads that watch for listeners."""
    return [one for one in threading.enumerate() if one.name == "status-feed"]


def feed_of(read: Callable[[], Mapping[str, Any]], ended: threading.Event) -> StatusFeed:
    """Return a feed that reads again and again, and sets ``ended`` at its end."""
    return StatusFeed(read, lambda: True, ended.set)


def test_first_status_comes_at_once_and_the_next_with_a_change(world: World) -> None:
    """A listener hears how things stand, and then what another process writes."""
    listener = world.feed.listen()
    try:
        first = listener.wait(LONG_S)
        thread = threading.Thread(target=lambda: world.priority.take("orders", "order 7", 60))
        thread.start()
        thread.join()
        second = listener.wait(LONG_S)
    finally:
        listener.close()

    assert first is not None
    assert second is not None
    assert (first.status["priority"], second.status["priority"][0]["owner"]) == ([], "orders")
    assert first.id != second.id


def test_same_status_has_the_same_id_in_every_process(world: World) -> None:
    """Whoever comes back to another process hears nothing twice."""
    world.own()
    feeds = [
        StatusFeed(world.monitoring.status, world.has_changed, world.close_connections)
        for _ in range(2)
    ]
    heard = []
    for feed in feeds:
        listener = feed.listen()
        heard.append(listener.wait(LONG_S))
        listener.close()

    assert heard[0] is not None
    assert heard[1] is not None
    assert heard[0].id == heard[1].id


def test_one_thread_serves_all_and_ends_with_the_last(world: World) -> None:
    """Ten listeners cost one thread; none cost none."""
    before = len(watchers())
    listeners = [world.feed.listen() for _ in range(10)]
    assert all(one.wait(LONG_S) for one in listeners)
    assert len(watchers()) == before + 1

    for one in listeners:
        one.close()
        one.close()

    wait_for(lambda: len(watchers()) == before)
    assert world.feed.listener_count == 0


def test_listener_after_the_last_one_hears_again(world: World) -> None:
    """The feed begins anew as often as somebody listens."""
    for _ in range(3):
        listener = world.feed.listen()
        assert listener.wait(LONG_S) is not None
        listener.close()


def test_stop_ends_all_listeners() -> None:
    """A process that stops lets everybody go, also one who comes a moment later."""
    ended = threading.Event()
    feed = feed_of(lambda: {"owner": None, "state": "idle"}, ended)
    listeners = [feed.listen() for _ in range(3)]
    assert all(one.wait(LONG_S) for one in listeners)

    feed.request_stop()

    wait_for(lambda: all(one.wait(0.05) is None and one.is_over for one in listeners))
    assert ended.wait(LONG_S)
    late = feed.listen()
    wait_for(lambda: late.is_over)
    late.close()


def test_database_in_trouble_ends_no_stream(caplog: pytest.LogCaptureFixture) -> None:
    """A status that cannot be read now is told when it can be read again."""
    answers: list[Any] = [StorageBusyError("busy"), {"owner": None, "state": "idle"}]

    def read() -> Mapping[str, Any]:
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        found: Mapping[str, Any] = answer
        return found

    ended = threading.Event()
    listener = feed_of(read, ended).listen()
    heard = listener.wait(LONG_S)
    listener.close()

    assert heard is not None
    assert heard.status["state"] == "idle"
    assert ended.wait(LONG_S)
    assert not caplog.records or "busy" in caplog.text


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_watcher_that_dies_takes_its_listeners_along() -> None:
    """Nobody listens on to what will never speak again."""
    ended = threading.Event()

    def read() -> Mapping[str, Any]:
        raise ZeroDivisionError

    listener = feed_of(read, ended).listen()

    wait_for(lambda: listener.is_over)
    assert ended.wait(LONG_S)
    listener.close()


def test_age_of_a_heartbeat_is_no_news() -> None:
    """What only the asking changes is not told again and again."""
    ages = iter(range(1_000_000))
    count = threading.Semaphore(0)

    def read() -> Mapping[str, Any]:
        count.release()
        return {"state": "idle", "owner": {"name": "one", "heartbeatAgeMs": next(ages)}}

    ended = threading.Event()
    listener = feed_of(read, ended).listen()
    assert listener.wait(LONG_S) is not None
    for _ in range(4):
        assert count.acquire(timeout=LONG_S)

    assert listener.wait(0.0) is None
    listener.close()
    assert ended.wait(LONG_S)
