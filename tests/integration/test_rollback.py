"""Rollbacks: the catalogue as it was, whatever happened since, and what happens afterwards."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from integration.test_delta_properties import EXTRACTS, LOOSE
from support import FIELDS, FakeSource, World, catalogue_of, record, wait_for

from archibald_sync.domain.models import IntentState, RunOutcome, RunRequest, Trigger
from archibald_sync.domain.normalise import fold
from archibald_sync.errors import NotFoundError, PermanentSourceError, RefusedError, RunCancelled
from archibald_sync.services.control import RunControl

FULL = catalogue_of(120)
Rows = dict[str, dict[str, Any]]


def rows(world: World) -> Rows:
    """Return all records with their states, deleted ones too; spaces folded."""
    columns = ", ".join((*FIELDS, "vatGroup", "missingRuns", "deletedAt"))
    found = world.database.rows(f"SELECT {columns} FROM products ORDER BY id")  # noqa: S608
    return {row["id"]: {**dict(row), "name": fold(row["name"] or "")} for row in found}


def alive(state: Rows) -> Rows:
    """Return the records that are not deleted."""
    return {key: row for key, row in state.items() if row["deletedAt"] is None}


def roll_back(world: World, session_id: str, **options: Any) -> Any:  # noqa: ANN401  # a RunEnd
    """Undo a session and all after it, as the owner does."""
    return world.run(request=RunRequest(Trigger.ROLLBACK, "anna", rolls_back=session_id, **options))


@LOOSE
@given(extracts=st.lists(EXTRACTS, min_size=2, max_size=5), undone=st.integers(0, 4))
def test_rollback_after_apply_is_the_identity(
    extracts: list[list[dict[str, Any]]], undone: int
) -> None:
    """Whatever was created, changed, missed, deleted, restored or renamed: it is as it was."""
    source = FakeSource()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), source)
        try:
            states = [rows(world)]
            for records in extracts:
                source.records = records
                assert world.run().outcome is RunOutcome.COMPLETED
                states.append(rows(world))
            index = min(undone, len(extracts) - 1)
            before, after = states[index], states[-1]

            assert roll_back(world, world.sessions()[index]["id"]).outcome is RunOutcome.COMPLETED

            now = rows(world)
            assert {key: now[key] for key in before} == before
            assert alive(now) == alive(before)
            assert world.catalogue.snapshot("1").coverage == world.catalogue.coverage()

            again = roll_back(world, world.sessions()[-1]["id"])
            assert again.outcome is RunOutcome.COMPLETED
            assert rows(world) == after
        finally:
            world.close()


@LOOSE
@given(first=EXTRACTS, second=EXTRACTS)
def test_sync_after_a_rollback_brings_the_source_back(
    first: list[dict[str, Any]], second: list[dict[str, Any]]
) -> None:
    """After a rollback the source still rules, and the sync after that changes nothing."""
    source = FakeSource()
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder), source)
        try:
            for records in (first, second):
                source.records = records
                world.run()
            wanted = rows(world)
            roll_back(world, world.sessions()[-1]["id"])

            world.run()

            assert rows(world) == wanted
        finally:
            world.close()


def test_rollback_is_a_session_of_its_own(world: World, source: FakeSource) -> None:
    """Counts, mode, log and times say what it was, and that it was no sync."""
    source.records = FULL
    world.run()
    source.records = [record(1, name="wrong"), *FULL[2:], record(900)]
    world.run()
    world.run()
    times, undone = world.history.last_times(), world.sessions()[1]["id"]

    end = roll_back(world, undone)

    session, run = world.sessions()[-1], world.runs()[-1]
    assert (end.outcome, run["outcome"]) == (RunOutcome.COMPLETED, "completed")
    assert (session["syncMode"], session["trigger"], session["requestedBy"]) == (
        "rollback",
        "rollback",
        "anna",
    )
    counts = ("Created", "Updated", "Deleted", "Restored")
    assert [session[f"items{name}"] for name in counts] == [0, 1, 1, 1]
    assert undone in run["detail"]
    log = world.changes()[-3:]
    assert ("000001K2", "updated", "name", "wrong", "H1.104.023") in log
    assert ("000002K2", "restored", None, None, None) in log
    assert ("000900K2", "deleted", None, None, None) in log
    now = world.history.last_times()
    assert (now["lastSuccessAt"], now["lastVerifiedAt"]) == (
        times["lastSuccessAt"],
        times["lastVerifiedAt"],
    )
    assert now["lastChangeAt"] == session["completedAt"]
    assert world.monitoring.metrics().total_syncs == 4


def test_next_sync_reads_everything(world: World, source: FakeSource) -> None:
    """No short-cut is taken over a catalogue that was set back."""
    source.records, source.validator = FULL, "v1"
    world.run()
    source.records, source.validator = [record(1, name="new"), *FULL[1:]], "v2"
    world.run()
    roll_back(world, world.sessions()[-1]["id"])
    assert world.products()["000001K2"]["name"] == "H1.104.023"

    world.run()

    assert world.sessions()[-1]["isShortcut"] is False
    assert world.products()["000001K2"]["name"] == "new"


def test_last_good_coverage_is_that_of_the_restored_catalogue(
    world: World, source: FakeSource
) -> None:
    """A column that an approval emptied is missed again after the rollback."""
    source.records = [record(n, name=f"N{n}" if n % 5 == 0 else "") for n in range(1, 201)]
    world.run()
    emptied = [record(n, name="") for n in range(1, 201)]
    source.records = emptied
    world.run()
    approval = RunRequest(Trigger.MANUAL, "anna", approves=world.runs()[-1]["id"])
    assert world.run(request=approval).outcome is RunOutcome.COMPLETED
    roll_back(world, world.sessions()[-1]["id"])

    end = world.run()

    assert (end.outcome, end.reason) == (RunOutcome.HELD, "coverage_lost")


def test_columns_of_other_feeds_are_left_alone(world: World, source: FakeSource) -> None:
    """Only what the sync wrote is undone."""
    source.records = FULL
    world.run()
    source.records = [record(n, name="wrong") for n in range(1, 51)] + FULL[50:]
    world.run()
    with world.database.transaction() as connection:
        connection.execute("UPDATE products SET vatGroup = 5")

    roll_back(world, world.sessions()[1]["id"])

    assert {row["vatGroup"] for row in rows(world).values()} == {5}
    assert {row["name"] for row in rows(world).values()} == {one["name"] for one in FULL}


@pytest.mark.parametrize("keeps", [True, False])
def test_schedule_is_stopped_unless_it_is_kept(
    world: World, source: FakeSource, *, keeps: bool
) -> None:
    """The next sync would bring the source's state back, so nobody starts it but people."""
    source.records = FULL
    world.run()
    world.schedule.begin(30, world.clock.now_ms() + 60_000, "boot", world.own())

    roll_back(world, world.sessions()[0]["id"], keeps_schedule=keeps)

    state = world.schedule.state()
    assert state.is_started is keeps
    assert state.changed_by == ("boot" if keeps else "anna")


def test_rows_that_are_gone_or_deleted_already_stay_so(world: World, source: FakeSource) -> None:
    """What others removed is not made up, and what came and went since is not touched."""
    source.records = FULL
    world.run()
    source.records = [record(n, name="wrong") for n in (1, 2)] + FULL[2:] + [record(900)]
    world.run()
    undone = world.sessions()[-1]["id"]
    source.records = source.records[:-1]
    world.run()
    world.run()
    gone = rows(world)["000900K2"]
    with world.database.transaction() as connection:
        connection.execute("DELETE FROM products WHERE id = '000001K2'")
        connection.execute("DELETE FROM products WHERE id = '000119K2'")

    end = roll_back(world, undone)

    assert end.outcome is RunOutcome.COMPLETED
    now = rows(world)
    assert now["000900K2"] == gone
    assert now["000002K2"]["name"] == "H2.104.023"
    assert {"000001K2", "000119K2"}.isdisjoint(now)


def test_field_that_is_no_longer_declared_is_left_alone(world: World, source: FakeSource) -> None:
    """A column that a declaration has given up belongs to somebody else."""
    source.records = FULL
    world.run()
    source.records = [record(1, name="wrong"), *FULL[1:]]
    world.run()
    with world.database.transaction() as connection:
        connection.execute("UPDATE product_changes SET field = 'given_up' WHERE field = 'name'")

    end = roll_back(world, world.sessions()[-1]["id"])

    assert end.outcome is RunOutcome.COMPLETED
    assert world.products()["000001K2"]["name"] == "wrong"


def test_what_cannot_be_undone_is_refused(world: World, source: FakeSource) -> None:
    """An unknown session, one that wrote nothing, one that the log no longer tells of."""
    source.records = FULL
    world.run()
    source.failures = [PermanentSourceError("down")]
    world.run()
    source.records = [record(1, name="new"), *FULL[1:]]
    world.run()
    first, failed, last = (session["id"] for session in world.sessions())
    before = rows(world)

    with pytest.raises(NotFoundError):
        roll_back(world, "products-sync-0")
    with pytest.raises(RefusedError, match="is failed and wrote nothing"):
        roll_back(world, failed)
    with world.database.transaction() as connection:
        connection.execute("DELETE FROM product_changes WHERE id <= ?", (world.change_ids()[49],))
    with pytest.raises(RefusedError, match="no longer reaches back") as refusal:
        roll_back(world, first)

    assert refusal.value.code == "log_too_short"
    assert rows(world) == before
    assert world.history.active_run_id() is None
    assert roll_back(world, last).outcome is RunOutcome.COMPLETED
    with world.database.transaction() as connection:
        connection.execute("UPDATE sync_sessions SET changesAfter = NULL")
    with pytest.raises(RefusedError, match="no longer reaches back"):
        roll_back(world, last)


def test_rollback_that_is_stopped_writes_nothing(world: World, source: FakeSource) -> None:
    """All of it or nothing: a stop in the midst leaves the catalogue as it was."""
    source.records = FULL
    world.run()
    before = rows(world)
    control = RunControl()
    control.stop(RunCancelled("requested", "cancelled"))
    request = RunRequest(Trigger.ROLLBACK, rolls_back=world.sessions()[0]["id"])

    end = world.run(control, request)

    assert end.outcome is RunOutcome.CANCELLED
    assert rows(world) == before


def test_owner_carries_a_rollback_out(world: World, source: FakeSource) -> None:
    """Asked for by any process, done by the owner; refused with the reason."""
    source.records = FULL
    world.run()
    driver = world.driver()
    driver.start()
    wait_for(lambda: driver.is_owner)
    session_id = world.sessions()[0]["id"]

    done = world.requests.roll_back(session_id, "anna")
    wait_for(lambda: world.history.active_run_id() is None)
    refused = world.requests.roll_back("nothing", "anna")

    assert done.state is IntentState.APPLIED
    assert world.products() == {}
    assert refused.state is IntentState.REJECTED
    assert (refused.result or {})["reason"] == "not_found"
