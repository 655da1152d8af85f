"""Runs at a glance, changes a day, and a run that waits between its attempts."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, SteppedClock, World, catalogue_of, record, wait_for

from archibald_sync.domain.models import RunRequest, Trigger
from archibald_sync.errors import TransientSourceError
from archibald_sync.services.control import RunControl
from archibald_sync.storage import history, overview, run_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Control

DAY_MS = 86_400_000


@pytest.fixture
def stepped(tmp_path: Path, source: FakeSource) -> Iterator[World]:
    """Return a service under a clock that the test moves."""
    world = World(tmp_path, source, clock=SteppedClock())
    yield world
    world.close()


def pass_time(world: World, duration_ms: int) -> None:
    """Let time pass, the owner alive all the while."""
    clock = world.clock
    assert isinstance(clock, SteppedClock)
    clock.wall += duration_ms
    clock.boot += duration_ms
    assert world.owner.renew(world.own_epoch(), 60)


def test_runs_come_with_counts_and_attempts(world: World, source: FakeSource) -> None:
    """A run at a glance says what its last session did, and each attempt how it ended."""
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("cut off")]
    world.run()

    (run,) = world.overview.runs(10)

    assert (run["outcome"], run["attempts"], run["maxAttempts"]) == ("completed", 2, 3)
    assert (run["itemsProcessed"], run["itemsCreated"]) == (3, 3)
    assert run["durationMs"] == run["endedAt"] - run["startedAt"]
    assert [one["status"] for one in run["sessions"]] == ["failed", "completed"]
    assert run["sessions"][0]["errorMessage"] == "cut off"


def test_pages_of_runs_neither_skip_nor_repeat(stepped: World, source: FakeSource) -> None:
    """Following the cursor through all runs, or through those of one outcome, gives each once."""
    source.records = catalogue_of(3)
    epoch = stepped.own()
    for number in range(7):
        pass_time(stepped, 60_000)
        if number % 3:
            stepped.run()
        else:
            stepped.history.record_skip(RunRequest(Trigger.SCHEDULE), epoch, "why", "so")

    def follow(outcome: str | None) -> list[str]:
        found: list[Any] = []
        while page := stepped.overview.runs(2, _place(found), outcome):
            found += page
        return [run["id"] for run in found]

    newest_first = [run["id"] for run in stepped.runs()][::-1]
    skipped = [run["id"] for run in stepped.runs() if run["outcome"] == "skipped"][::-1]
    assert follow(None) == newest_first
    assert follow("skipped") == skipped
    assert len(skipped) == 3


def test_runs_are_narrowed_by_trigger_and_outcome(stepped: World, source: FakeSource) -> None:
    """Both together, and each alone, page by page: each run that fits comes once."""
    source.records = catalogue_of(3)
    stepped.own()
    for request in (RunRequest(Trigger.MANUAL), RunRequest(Trigger.SCHEDULE)) * 3:
        pass_time(stepped, 60_000)
        stepped.run(request=request)
    stepped.history.record_skip(RunRequest(Trigger.MANUAL), stepped.own(), "why", "so")
    manual = [run["id"] for run in stepped.runs() if run["trigger"] == "manual"][::-1]

    def follow(**which: str) -> list[str]:
        found: list[Any] = []
        while page := stepped.overview.runs(2, _place(found), **which):
            found += page
        return [run["id"] for run in found]

    assert follow(trigger="manual") == manual
    assert follow(trigger="manual", outcome="skipped") == manual[:1]
    assert follow(trigger="manual", outcome="completed") == manual[1:]
    assert follow(trigger="rollback") == []


def test_neighbours_of_a_run(stepped: World) -> None:
    """The runs before and after, also where two began at the same moment."""
    for _ in range(3):
        stepped.history.record_skip(RunRequest(Trigger.SCHEDULE), stepped.own(), "why", "so")
    first, second, third = stepped.runs()

    found = [stepped.overview.neighbours(run) for run in (first, second, third)]

    assert found == [(None, second["id"]), (first["id"], third["id"]), (second["id"], None)]


def test_last_good_session_read_everything_and_applied_it(
    stepped: World, source: FakeSource
) -> None:
    """Failed, held and dry ones do not count, short-cuts neither, nor what came later."""
    source.records, source.validator = catalogue_of(200), "v1"
    stepped.run()
    good = stepped.sessions()[0]
    pass_time(stepped, 60_000)
    stepped.run()
    assert stepped.sessions()[-1]["isShortcut"]
    source.records, source.validator = catalogue_of(2), "v2"
    pass_time(stepped, 60_000)
    stepped.run()
    stepped.run(request=RunRequest(Trigger.MANUAL, is_dry_run=True))
    held = stepped.runs()[-2]

    found = stepped.overview.last_good_before(held["startedAt"])

    assert found is not None
    assert (found["id"], found["itemsProcessed"]) == (good["id"], 200)
    assert found["coverage"] == good["coverage"]
    assert stepped.overview.last_good_before(good["startedAt"]) is None


def test_changes_of_a_session_are_its_own(world: World, source: FakeSource) -> None:
    """Those of the sessions around it are not among them, and pages neither skip nor repeat."""
    source.records = catalogue_of(3)
    world.run()
    source.records = [record(1, name="a"), record(2, name="b"), *catalogue_of(3)[2:], record(4)]
    world.run()
    world.run()
    source.records = [record(1, name="c"), *source.records[1:]]
    world.run()
    first, second, third, fourth = world.sessions()

    log = world.change_ids()

    def ids(session: Any, limit: int = 10, after: int | None = None) -> list[int]:  # noqa: ANN401
        return [one["id"] for one in world.reading.changes_of_session(session, limit, after)]

    assert ids(first) == log[:3]
    assert ids(second) == log[3:6]
    assert ids(second, 2) == log[3:5]
    assert ids(second, 2, log[4]) == log[5:6]
    assert ids(second, after=log[1]) == log[3:6]
    assert ids(second, after=log[5]) == []
    assert ids(third) == []
    assert ids(fourth) == log[6:]


def _place(found: list[Any]) -> tuple[int, str] | None:
    return (found[-1]["startedAt"], found[-1]["id"]) if found else None


def test_statistics_leave_dry_runs_out(world: World, source: FakeSource) -> None:
    """A dry run is no sync: neither in the list nor in the rate nor in the changes."""
    source.records = catalogue_of(3)
    world.run()
    world.run(request=RunRequest(Trigger.MANUAL, is_dry_run=True))

    statistics = world.overview.statistics()

    assert [run["outcome"] for run in statistics["runs"]] == ["completed"]
    assert statistics["successRate"] == {"counted": 1, "completed": 1, "percent": 100.0}
    assert statistics["changesPerDay"][-1]["created"] == 3


def test_statistics_look_at_so_many_runs_only(stepped: World, source: FakeSource) -> None:
    """Older runs change no figure."""
    stepped.run()  # an empty extract is held
    source.records = catalogue_of(3)
    for _ in range(2):
        pass_time(stepped, 60_000)
        stepped.run()

    assert stepped.overview.statistics(2)["successRate"]["percent"] == 100.0
    assert stepped.overview.statistics(3)["successRate"]["counted"] == 3


def test_changes_are_tallied_by_day(stepped: World, source: FakeSource) -> None:
    """Each of thirty days (UTC) has its counts, also the days without any change."""
    source.records = catalogue_of(4)
    stepped.run()
    pass_time(stepped, 2 * DAY_MS)
    source.records = [record(1, name="other"), *catalogue_of(4)[1:], record(5)]
    stepped.run()
    source.records = source.records[:-1]
    pass_time(stepped, 60_000)
    stepped.run()
    pass_time(stepped, 60_000)
    stepped.run()
    source.records = [*source.records, record(5)]
    pass_time(stepped, 60_000)
    stepped.run()

    days = stepped.overview.changes_per_day()

    assert len(days) == 30
    none = {"created": 0, "updated": 0, "deleted": 0, "restored": 0, "renamed": 0}
    assert _counts(days[-3]) == {**none, "created": 4}
    assert _counts(days[-2]) == none
    assert _counts(days[-1]) == {**none, "created": 1, "updated": 1, "deleted": 1, "restored": 1}
    assert days[-1]["day"] > days[-2]["day"] > days[-3]["day"]


def _counts(day: dict[str, Any]) -> dict[str, int]:
    return {name: count for name, count in day.items() if name != "day"}


def test_tally_is_rolled_back_with_its_changes(world: World, source: FakeSource) -> None:
    """What was not written is not counted: the tally stands or falls with its transaction."""
    source.records = catalogue_of(3)
    with pytest.raises(ZeroDivisionError), world.database.transaction():
        claim = world.claim()
        world.sync.run(claim, RunControl())
        raise ZeroDivisionError

    assert _counts(world.overview.changes_per_day()[-1])["created"] == 0


def test_wait_between_attempts_is_in_the_rows(tmp_path: Path, source: FakeSource) -> None:
    """While a run waits, every process can tell which attempt follows, and when."""
    world = World(tmp_path, source, delays_s=(60.0,))
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("the ERP is away")]
    control = RunControl()
    before = world.clock.now_ms()

    with world.running(control) as ends:
        wait_for(lambda: world.runs()[-1]["nextAttemptAt"] is not None)
        status = world.monitoring.status()
        control.end_retries()

    current = status["currentRun"]
    assert (status["state"], status["progress"]) == ("running", None)
    assert status["reason"] == "attempt 1 of 3 failed: the ERP is away"
    assert (current["attempt"], current["maxAttempts"]) == (1, 3)
    assert current["lastError"] == "the ERP is away"
    assert before + 60_000 <= current["nextAttemptAt"] <= world.clock.now_ms() + 60_000
    assert ends[0].outcome == "cancelled"
    assert world.runs()[-1]["nextAttemptAt"] is None
    assert world.monitoring.status()["currentRun"] is None
    world.close()


def test_next_attempt_ends_the_wait(world: World, source: FakeSource) -> None:
    """An attempt that has begun is no longer announced."""
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("once")]
    seen: list[Any] = []

    def look(_control: Control) -> None:
        seen.append(world.monitoring.status()["currentRun"])

    source.pause = look
    world.run()

    assert [(one["attempt"], one["nextAttemptAt"]) for one in seen] == [(1, None), (2, None)]


def test_run_that_lost_its_owner_waits_for_nothing(world: World, source: FakeSource) -> None:
    """A wait of a dead process is shown to nobody, and ended by the next owner."""
    source.records = catalogue_of(3)
    claim = world.claim()
    world.history.await_attempt(claim.run_id, world.clock.now_ms() + 60_000, claim.epoch)
    world.owner.release(claim.epoch)

    assert world.monitoring.status()["currentRun"] is None
    assert world.overview.runs(1)[0]["nextAttemptAt"] is None
    epoch = world.owner.take("next", 60, has_flock=True)
    assert epoch is not None
    world.history.interrupt_orphans(epoch, None)
    assert world.runs()[-1]["nextAttemptAt"] is None


def test_eta_follows_from_earlier_readings(stepped: World, source: FakeSource) -> None:
    """A session of as many rows is expected to take as long as the one before."""
    source.records = catalogue_of(100)
    source.declared_total = 100
    seen: list[Any] = []

    def look(_control: Control) -> None:
        seen.append(stepped.monitoring.status()["progress"]["etaAt"])
        pass_time(stepped, 10_000)

    source.pause = look
    stepped.run()
    source.records = [*catalogue_of(100)[1:], record(101)]
    stepped.run()

    began = stepped.sessions()[-1]["startedAt"]
    assert seen == [None, None, began + 20_000, began + 20_000]


def test_eta_in_the_past_is_no_promise(stepped: World, source: FakeSource) -> None:
    """A session that takes longer than ever before has no expected end."""
    source.records = catalogue_of(10)
    stepped.run()
    gate = threading.Event()

    def wait(_control: Control) -> None:
        pass_time(stepped, 60_000)
        gate.set()
        assert stepped.monitoring.status()["progress"]["etaAt"] is None

    source.pause = wait
    assert stepped.run().outcome == "completed"
    assert gate.is_set()


def _plan(world: World, sql: str) -> str:
    names = (
        "resource", "syncType", "startedAt", "id", "outcome", "withDry", "limit", "ids", "day",
        "runId", "status", "after", "upTo", "withSkipped", "trigger",
    )  # fmt: skip
    parameters = {**dict.fromkeys(names, 1), "ids": '["a"]'}
    rows = world.database.rows(f"EXPLAIN QUERY PLAN {sql}", parameters)
    return "\n".join(row["detail"] for row in rows)


@pytest.mark.parametrize(
    "sql",
    [
        *overview.Q.values(),
        run_lines.Q["lines_after"],
        run_lines.Q["extent"],
        run_lines.Q["forget_lines"],
        history.Q["past_efforts"],
        history.Q["active_run"],
        history.Q["running_session"],
        history.Q["sessions_of_run"],
        history.Q["sessions_before"],
        history.Q["sessions_before_of_status"],
    ],
)
def test_no_read_model_scans_a_table(world: World, sql: str) -> None:
    """Each finds its rows by an index, in their order: it costs the same at any age."""
    plan = _plan(world, sql)

    scanned = [line for line in plan.splitlines() if line.startswith("SCAN")]
    # A bounded inner query, and the list of ids that is asked for.
    assert all("json_each" in line or "subquery" in line for line in scanned), plan
    if "LIMIT :limit" in sql:
        assert "TEMP B-TREE" not in plan


def test_sessions_of_a_rare_status_are_not_looked_for_among_all(world: World) -> None:
    """They have an index of their own: the two that were held in a million are found at once."""
    found = "idx_sync_sessions_status (syncType=? AND status=? AND (startedAt,id)<"

    assert found in _plan(world, history.Q["sessions_before_of_status"])


@pytest.mark.parametrize("name", ["last_runs", "last_changes_after"])
def test_what_was_begun_last_is_not_looked_for(world: World, name: str) -> None:
    """It is read from the end of the table, not sorted: the status costs the same at any age."""
    assert "TEMP B-TREE" not in _plan(world, history.Q[name])
