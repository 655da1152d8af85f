"""The log lines of a run: kept with it, bounded, and never in its way."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, catalogue_of, wait_for
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.errors import TransientSourceError
from archibald_sync.logs import ComponentLogger
from archibald_sync.services.journal import MAX_MESSAGE

if TYPE_CHECKING:
    from archibald_sync.domain.ports import Control


@pytest.fixture
def source(source: FakeSource) -> FakeSource:
    """Return a source with a few records."""
    source.records = catalogue_of(3)
    return source


def messages(world: World) -> list[str]:
    """Return the messages that are kept of the newest run."""
    return [line["message"] for line in log_of(world)["lines"]]


def log_of(world: World) -> dict[str, Any]:
    """Return the log of the newest run."""
    return world.overview.log(world.runs()[-1]["id"])


def talk(source: FakeSource, count: int, sentence: str = "line %d") -> None:
    """Let the source say something ``count`` times an extract."""

    def speak(_control: Control) -> None:
        for number in range(count):
            ComponentLogger("Source").info(sentence, number)

    source.pause = speak


def test_lines_of_a_run_tell_what_happened(world: World, source: FakeSource) -> None:
    """What the plan's log shows of a run is there afterwards, attempt by attempt."""
    source.failures = [TransientSourceError("cut off")]
    world.run()

    log = log_of(world)

    assert messages(world) == [
        "Auto-sync failed (attempt 1)",
        "Attempt 1: cut off",
        "Retrying in 0ms (attempt 2/3)",
        "Auto-sync successful (attempt 2)",
    ]
    assert [line["number"] for line in log["lines"]] == [1, 2, 3, 4]
    assert {line["component"] for line in log["lines"]} == {"ProductSyncService"}
    assert [line["level"] for line in log["lines"]] == ["error", "warning", "info", "info"]
    assert log["lines"][0]["fields"]["sessionId"] == world.sessions()[0]["id"]
    assert (log["cut"], log["next"]) == (0, 4)


def test_sources_and_other_threads_are_heard(world: World, source: FakeSource) -> None:
    """A line counts by the thread of the run, or by the run that it names; others do not."""

    def speak(_control: Control) -> None:
        run_id = world.runs()[-1]["id"]
        ComponentLogger("Source").info("from the source")
        ComponentLogger("Source").debug("below the level")

        def elsewhere() -> None:
            ComponentLogger("Desk").warning("from elsewhere", extra={"runId": run_id})
            ComponentLogger("API").info("of nobody")
            ComponentLogger("API").info("of another run", extra={"runId": "another"})

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    source.pause = speak
    world.run()
    ComponentLogger("API").info("afterwards")

    assert messages(world)[:2] == ["from the source", "from elsewhere"]
    assert len(messages(world)) == 3


@pytest.mark.parametrize("is_kept_between", [True, False])
def test_first_and_last_lines_are_kept(
    world: World, source: FakeSource, *, is_kept_between: bool
) -> None:
    """Of a run that talks without end 500 lines are kept, and what is cut is said."""

    def speak(_control: Control) -> None:
        for number in range(1, 2001):
            ComponentLogger("Source").info("line %d", number)
            if is_kept_between and number % 300 == 0:
                world.sync.keep_lines()

    source.pause = speak
    world.run()

    log = log_of(world)
    numbers = [line["number"] for line in log["lines"]]
    assert numbers == [*range(1, 251), *range(1752, 2002)]
    assert log["cut"] == 1501
    rows = world.database.row("SELECT COUNT(*) FROM run_lines")
    assert rows is not None
    assert rows[0] == 500


def test_long_lines_are_cut(world: World, source: FakeSource) -> None:
    """No single line fills the database."""

    def speak(_control: Control) -> None:
        ComponentLogger("Source").info("x" * 100_000, extra={"more": "y" * 100_000})

    source.pause = speak
    world.run()

    line = log_of(world)["lines"][0]
    assert len(line["message"]) == MAX_MESSAGE
    assert line["fields"] == {}


def test_lines_survive_up_to_the_last_heartbeat(world: World, source: FakeSource) -> None:
    """What a run had logged when the owner last showed that it lives is in the database."""
    seen: list[list[str]] = []

    def speak(_control: Control) -> None:
        ComponentLogger("Source").info("before the heartbeat")
        beat = threading.Thread(target=world.sync.keep_lines)
        beat.start()
        beat.join()
        ComponentLogger("Source").info("after it")
        seen.append(messages(world))

    source.pause = speak
    world.run()

    assert seen == [["before the heartbeat"]]
    assert messages(world)[:2] == ["before the heartbeat", "after it"]


def test_heartbeat_of_a_real_owner_keeps_lines(
    world: World, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner keeps them by itself while the run is still at work."""
    monkeypatch.setattr("archibald_sync.scheduler.driver.OWNER_RENEWAL_S", 0.1)
    gate = threading.Event()

    def speak(_control: Control) -> None:
        ComponentLogger("Source").info("at work")
        gate.wait(20)

    source.pause = speak
    driver = world.driver()
    driver.start()
    try:
        wait_for(lambda: driver.is_owner)
        world.requests.run_now("ada", None)
        wait_for(lambda: world.runs() and messages(world) == ["at work"])
    finally:
        gate.set()


def test_run_that_cannot_keep_lines_completes(world: World, source: FakeSource) -> None:
    """A log that cannot be written is no reason to fail."""
    with world.database.transaction() as connection:
        connection.execute("ALTER TABLE run_lines RENAME TO elsewhere")

    assert world.run().outcome == "completed"
    assert len(world.products()) == 3


def test_fenced_run_keeps_no_lines(world: World, source: FakeSource) -> None:
    """Who no longer owns the resource writes nothing, not even what it logged."""

    def lose(_control: Control) -> None:
        ComponentLogger("Source").info("too late")
        world.owner.release(world.own_epoch())
        assert world.owner.take("another", 60, has_flock=True)

    source.pause = lose
    assert world.run().reason == "fenced"

    assert messages(world) == []


def test_unchanged_run_costs_one_transaction_more(world: World, source: FakeSource) -> None:
    """The lines of a short run are written once, when it has ended."""
    world.run()
    statements: list[str] = []
    connection = world.database.connection()
    connection.set_trace_callback(statements.append)
    world.run()
    connection.set_trace_callback(None)

    writes, is_open, of_lines = 0, False, 0
    for statement in statements:
        if statement.startswith("BEGIN IMMEDIATE"):
            writes, is_open = writes + 1, False
        elif "INTO run_lines" in statement and not is_open:
            of_lines, is_open = of_lines + 1, True
    assert of_lines == 1
    assert messages(world) == ["Auto-sync successful (attempt 1)"]


def test_lines_go_with_their_run(world: World, source: FakeSource) -> None:
    """Whoever prunes runs prunes their lines."""
    world.run()
    with world.database.transaction() as connection:
        connection.execute("DELETE FROM sync_sessions")
        connection.execute("DELETE FROM sync_runs")

    row = world.database.row("SELECT COUNT(*) FROM run_lines")
    assert row is not None
    assert row[0] == 0


def test_foreign_texts_stay_out(world: World, source: FakeSource) -> None:
    """An error that nobody foresaw is named; neither its text nor its traceback is kept."""

    def fail(_control: Control) -> None:
        raise RuntimeError("canary-in-a-foreign-error")

    source.pause = fail
    with pytest.raises(RuntimeError):
        world.run()

    assert "unexpected error (RuntimeError)" in "\n".join(messages(world))
    assert "canary" not in str(log_of(world))


def test_log_over_http(world: World, source: FakeSource) -> None:
    """Lines come page by page; an unknown run is 404."""
    talk(source, 5)
    world.run()
    api, run_id = Api(world), world.runs()[-1]["id"]
    path = f"{SYNC}/runs/{run_id}/log"

    first = api.call("GET", f"{path}?limit=4", Role.VIEWER).json
    rest = api.call("GET", f"{path}?after={first['next']}", Role.VIEWER).json
    end = api.call("GET", f"{path}?after={rest['next']}", Role.VIEWER).json

    assert [line["message"] for line in first["lines"]] == [f"line {number}" for number in range(4)]
    assert [line["number"] for line in rest["lines"]] == [5, 6]
    assert end == {"lines": [], "cut": 0, "next": 6}
    assert set(first["lines"][0]) == {
        "number", "loggedAt", "level", "component", "message", "fields",
    }  # fmt: skip
    assert api.call("GET", f"{SYNC}/runs/none/log", Role.VIEWER).status_code == 404
    assert api.call("GET", f"{path}?limit=501", Role.VIEWER).status_code == 400
