"""Runs over real databases: what is written, what is recorded, what is left alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import FakeSource, World, catalogue_of, record, wait_for

from archibald_sync.domain.models import RunOutcome, Stage
from archibald_sync.errors import (
    Fenced,
    PermanentSourceError,
    Preempted,
    RunCancelled,
    SourceFormatError,
    SyncInProgressError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.services.events import sync_completed, sync_failure, sync_held
from archibald_sync.storage import plan_writer

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.ports import Control


def test_first_extract_creates_everything(world: World, source: FakeSource) -> None:
    """A first extract into an empty catalogue is stored whole, one change row a record."""
    source.records = catalogue_of(120)

    end = world.run()

    assert end.outcome is RunOutcome.COMPLETED
    session = world.sessions()[0]
    assert session["status"] == "completed"
    assert (session["itemsProcessed"], session["itemsCreated"], session["itemsUpdated"]) == (
        120,
        120,
        0,
    )
    assert len(world.products()) == 120
    assert {change[1] for change in world.changes()} == {"created"}


def test_unchanged_extract_writes_no_catalogue_row(world: World, source: FakeSource) -> None:
    """A second run over the same extract reports 0/0/0 and touches no row."""
    source.records = catalogue_of(120)
    world.run()
    before = [tuple(row) for row in world.database.rows("SELECT * FROM products ORDER BY rowId")]

    world.run()

    session = world.sessions()[-1]
    counts = [session[f"items{name}"] for name in ("Created", "Updated", "Deleted", "Restored")]
    assert counts == [0, 0, 0, 0]
    assert session["itemsUnchanged"] == 120
    after = [tuple(row) for row in world.database.rows("SELECT * FROM products ORDER BY rowId")]
    assert after == before


def test_changes_are_logged_field_by_field(world: World, source: FakeSource) -> None:
    """An update logs exactly the fields that differ, with both values."""
    source.records = catalogue_of(120)
    world.run()
    source.records = [record(1, name="new", minQty=2.50), *catalogue_of(120)[1:], record(999)]

    world.run()

    session = world.sessions()[-1]
    assert (session["itemsCreated"], session["itemsUpdated"]) == (1, 1)
    assert [change for change in world.changes() if change[1] == "updated"] == [
        ("000001K2", "updated", "name", "H1.104.023", "new"),
        ("000001K2", "updated", "minQty", "1", "2.5"),
    ]


def test_row_missing_twice_is_deleted_and_restored_on_return(
    world: World, source: FakeSource
) -> None:
    """A record is soft-deleted after two complete extracts without it, and comes back."""
    full = catalogue_of(120)
    source.records = full
    world.run()
    source.records = full[1:]

    world.run()
    assert "000001K2" in world.products()
    world.run()
    assert "000001K2" not in world.products()
    assert world.sessions()[-1]["itemsDeleted"] == 1
    source.records = full
    world.run()

    assert "000001K2" in world.products()
    assert world.sessions()[-1]["itemsRestored"] == 1
    kinds = [change[1] for change in world.changes() if change[0] == "000001K2"]
    assert kinds == ["created", "deleted", "restored"]


def test_row_missing_once_starts_over_when_it_reappears(world: World, source: FakeSource) -> None:
    """Only consecutive misses count."""
    full = catalogue_of(120)
    for records in (full, full[1:], full, full[1:]):
        source.records = records
        world.run()

    assert "000001K2" in world.products()


def test_filtered_extract_is_held_and_not_retried(world: World, source: FakeSource) -> None:
    """A catalogue that shrank to a tenth is held: nothing written, one attempt, a signal."""
    source.records = catalogue_of(4540)
    world.run()
    before = world.products()
    source.records = catalogue_of(419)
    held: list[dict[str, object]] = []

    with sync_held.connected_to(lambda _sender, **fields: held.append(fields)):
        end = world.run()

    assert end.outcome is RunOutcome.HELD
    assert end.attempts == 1
    assert world.products() == before
    run = world.runs()[-1]
    assert (run["outcome"], run["reason"]) == ("held", "too_few_rows")
    assert "419" in run["detail"]
    assert run["summary"]["counts"]["missing"] == 4121
    assert held[0]["code"] == "too_few_rows"
    assert world.sessions()[-1]["itemsUpdated"] == 0


@pytest.mark.parametrize("error", [TransientSourceError("down"), PermanentSourceError("no")])
def test_failed_extract_leaves_the_catalogue_alone(
    world: World, source: FakeSource, error: Exception
) -> None:
    """An extract that breaks half-way changes nothing, and the session says why."""
    source.records = catalogue_of(120)
    world.run()
    before = world.products()
    source.records = [record(number, name="wrong") for number in range(1, 121)]
    source.failures = [error] * 3

    end = world.run()

    assert end.outcome is RunOutcome.FAILED
    assert world.products() == before
    session = world.sessions()[-1]
    assert (session["status"], session["errorMessage"]) == ("failed", str(error))
    assert session["itemsProcessed"] == 0


def test_transient_failure_is_retried_and_recorded(world: World, source: FakeSource) -> None:
    """Each attempt has a session of its own; the run ends with the last one."""
    source.records = catalogue_of(10)
    source.failures = [TransientSourceError("down"), TransientSourceError("down")]

    end = world.run()

    assert (end.outcome, end.attempts) == (RunOutcome.COMPLETED, 3)
    assert [s["status"] for s in world.sessions()] == ["failed", "failed", "completed"]
    assert [s["attempt"] for s in world.sessions()] == [1, 2, 3]


def test_exhausted_attempts_send_one_failure_signal(world: World, source: FakeSource) -> None:
    """After the last attempt one signal tells attempts, code and message."""
    source.failures = [TransientSourceError("down", code="source_reset")] * 3
    failures: list[dict[str, object]] = []
    completions: list[object] = []

    with (
        sync_failure.connected_to(lambda _sender, **fields: failures.append(fields)),
        sync_completed.connected_to(lambda _sender, **_fields: completions.append(1)),
    ):
        end = world.run()

    assert end.outcome is RunOutcome.FAILED
    assert [(f["attempts"], f["code"], f["error"]) for f in failures] == [
        (3, "source_reset", "down")
    ]
    assert not completions
    assert len(world.sessions()) == 3


def test_permanent_failure_is_not_retried(world: World, source: FakeSource) -> None:
    """What a second try would repeat is tried once."""
    source.failures = [SourceFormatError("wrong shape")]

    end = world.run()

    assert (end.outcome, end.reason, end.attempts) == (RunOutcome.FAILED, "source_format", 1)


@pytest.mark.parametrize("key", [None, 17, ["a"]])
def test_wrong_type_in_a_key_fails_the_run(world: World, source: FakeSource, key: object) -> None:
    """A key that is not text fails the session with a code; nothing is written."""
    source.records = [*catalogue_of(10), record(11, id=key)]

    end = world.run()

    assert (end.outcome, end.reason) == (RunOutcome.FAILED, "source_key_type")
    assert world.products() == {}


def test_unforeseen_error_is_recorded_and_raised(world: World, source: FakeSource) -> None:
    """A bug ends its session and run as failed, without its text, and comes out."""
    source.failures = [ZeroDivisionError("secret")]
    claim = world.claim()

    with pytest.raises(ZeroDivisionError):
        world.sync.run(claim, RunControl())

    assert world.sessions()[0]["errorCode"] == "internal_error"
    assert "secret" not in str(world.sessions()[0]["errorMessage"])
    assert world.runs()[0]["outcome"] == "failed"


def test_second_claim_is_refused(world: World) -> None:
    """While a run works no other can be claimed, and the refusal names it."""
    claim = world.claim()

    with pytest.raises(SyncInProgressError) as refusal:
        world.claim()

    assert refusal.value.run_id == claim.run_id


def test_cancelled_run_stops_at_its_next_checkpoint(world: World, source: FakeSource) -> None:
    """A cancelled run writes nothing and says who cancelled it."""
    source.records = catalogue_of(120)
    control = RunControl()
    source.pause = lambda _control: control.stop(RunCancelled("requested", "cancelled by ada"))

    end = world.run(control)

    assert (end.outcome, end.reason) == (RunOutcome.CANCELLED, "requested")
    assert world.sessions()[0]["status"] == "cancelled"
    assert world.products() == {}


def test_shutdown_interrupts_and_leaves_the_run_due(world: World, source: FakeSource) -> None:
    """A run that the shutdown cut short is interrupted, and its slot stays due."""
    source.records = catalogue_of(120)
    epoch = world.own()
    world.schedule.begin(30, world.clock.now_ms() - 1000, None, epoch)
    due = world.schedule.state().next_due_at
    control = RunControl()
    source.pause = lambda _control: control.stop(RunCancelled("shutdown", "shut down"))

    end = world.run(control)

    assert (end.outcome, end.reason) == (RunOutcome.INTERRUPTED, "shutdown")
    assert world.schedule.state().next_due_at == due


def test_stop_ends_the_wait_between_attempts(tmp_path: Path, source: FakeSource) -> None:
    """No further attempt begins after a stop, and the wait for it ends at once."""
    world = World(tmp_path, source, delays_s=(60.0,))
    source.failures = [TransientSourceError("down")]
    control = RunControl()

    with world.running(control) as ends:
        wait_for(lambda: [s["status"] for s in world.sessions()] == ["failed"])
        control.end_retries()

    assert (ends[0].outcome, ends[0].reason) == (RunOutcome.CANCELLED, "stopped")
    assert source.extracts == 1
    world.close()


def test_fenced_run_writes_nothing(world: World, source: FakeSource) -> None:
    """Once another process owns the resource, the former owner's run leaves no trace."""
    source.records = catalogue_of(120)

    def lose_ownership(_control: Control) -> None:
        world.owner.release(world.own())
        world.owner.take("other", 60, has_flock=True)
        source.pause = lambda _control: None

    source.pause = lose_ownership

    end = world.run()

    assert (end.outcome, end.reason) == (RunOutcome.INTERRUPTED, "fenced")
    assert world.products() == {}
    assert world.sessions()[0]["status"] == "running"
    lease = world.owner.lease()
    assert lease is not None
    assert world.history.interrupt_orphans(lease.epoch, None) == [world.runs()[0]["id"]]
    assert world.sessions()[0]["status"] == "interrupted"
    with pytest.raises(Fenced):
        world.history.interrupt_orphans(lease.epoch - 1, None)


def test_priority_lease_preempts_and_the_run_goes_on_after_it(
    world: World, source: FakeSource
) -> None:
    """A lease ends the session as cancelled; the run works again once it is released."""
    source.records = catalogue_of(120)
    control = RunControl()
    lease = world.priority.take("ada", "order 17")
    world.priority.release(lease.id)

    def order_comes(_control: Control) -> None:
        source.pause = lambda _control: None
        taken = world.priority.take("ada", "order 17")
        world.sync.supervise(control)
        orders.append(taken.id)

    orders: list[str] = []
    source.pause = order_comes
    with world.running(control) as ends:
        wait_for(lambda: [s["status"] for s in world.sessions()] == ["cancelled"])
        assert world.monitoring.is_quiet()
        assert world.sessions()[0]["errorCode"] == "priority"
        world.priority.release(orders[0])

    assert (ends[0].outcome, ends[0].attempts, ends[0].detail) == (RunOutcome.COMPLETED, 1, None)
    assert [s["status"] for s in world.sessions()] == ["cancelled", "completed"]
    assert len(world.products()) == 120


def test_lease_taken_while_applying_rolls_back(world: World, source: FakeSource) -> None:
    """A run that is already writing gives way too: its transaction is rolled back."""
    source.records = catalogue_of(1200)
    control = RunControl()
    checks = 0
    original = control.checkpoint

    def checkpoint() -> None:
        nonlocal checks
        in_apply = world.database.connection().in_transaction
        checks += in_apply
        if in_apply and checks == 2:
            control.preempt(Preempted("an order"))
        original()

    control.checkpoint = checkpoint  # type: ignore[method-assign]

    end = world.run(control)

    assert end.outcome is RunOutcome.COMPLETED
    assert [s["status"] for s in world.sessions()] == ["cancelled", "completed"]
    assert len([c for c in world.changes() if c[1] == "created"]) == 1200


def test_row_edited_by_somebody_else_is_put_right(world: World, source: FakeSource) -> None:
    """An edit outside the sync is found by the next run, although the source is unchanged."""
    source.records = catalogue_of(120)
    world.run()
    world.database.connection().execute("UPDATE products SET name = 'x' WHERE id = '000007K2'")

    world.run()

    assert world.products()["000007K2"]["name"] == "H7.104.023"
    assert world.sessions()[-1]["itemsUpdated"] == 1


@pytest.mark.parametrize("was_edited", [False, True], ids=["once", "before-as-well"])
@pytest.mark.parametrize("becomes", ["updated", "refreshed"])
def test_edit_while_a_run_works_is_put_right_by_the_next(
    world: World, source: FakeSource, becomes: str, *, was_edited: bool
) -> None:
    """A row that is edited after it was compared is compared again, however it was written."""
    source.records = catalogue_of(120)
    world.run()
    execute = world.database.connection().execute
    edit = "UPDATE products SET {} WHERE id = '000007K2'"
    control = RunControl()
    enter = control.enter

    def edit_before_writing(stage: Stage) -> None:
        enter(stage)
        if stage is Stage.APPLY:
            execute(edit.format("minQty = '2'"))

    if was_edited:
        execute(edit.format("vatGroup = 5"))
    if becomes == "updated":
        source.records = [record(7, name="new"), *(r for r in catalogue_of(120) if r != record(7))]
    else:
        source.mapping_version = "2"
    control.enter = edit_before_writing  # type: ignore[method-assign]
    world.run(control)

    assert world.products()["000007K2"]["minQty"] == "2", "edited when all had been compared"
    world.run()
    assert world.products()["000007K2"]["minQty"] == "1"
    assert world.sessions()[-1]["itemsUpdated"] == 1


def test_records_that_change_in_different_fields_are_written_together(
    world: World, source: FakeSource
) -> None:
    """More than a statement takes of one kind and fewer of another: each gets its own values."""
    source.records = catalogue_of(400)
    world.run()
    changed = [
        record(n, name=f"N{n}", **({"minQty": n + 1} if n % 3 == 0 else {})) for n in range(1, 191)
    ]
    source.records = changed + catalogue_of(400)[190:]

    world.run()

    wanted = {str(one["id"]): one for one in source.records}
    found = world.products()
    assert {key: (row["name"], row["minQty"]) for key, row in found.items()} == {
        key: (row["name"], str(row["minQty"])) for key, row in wanted.items()
    }
    logged = [change for change in world.changes() if change[1] == "updated"]
    assert sorted(logged) == sorted(
        (one["id"], "updated", field, old, str(one[field]))
        for n, one in enumerate(changed, 1)
        for field, old in (("name", f"H{n}.104.023"), ("minQty", "1"))
        if str(one[field]) != old
    )


def test_fields_that_did_not_change_are_not_written(world: World, source: FakeSource) -> None:
    """What an update writes stands in the change log: other fields keep even their spelling."""
    source.records = [record(1, name="a  b"), *catalogue_of(120)[1:]]
    world.run()
    source.records = [record(1, name="a b", minQty=2), *catalogue_of(120)[1:]]

    world.run()

    assert world.products()["000001K2"] == {
        "id": "000001K2",
        "name": "a  b",
        "minQty": "2",
        "stopped": 0,
    }
    assert world.changes()[-1] == ("000001K2", "updated", "minQty", "1", "2")


def test_updates_of_many_rows_leave_edits_by_others_watched(
    world: World, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a large plan is written or given up, an edit after it is noticed."""
    monkeypatch.setattr(plan_writer, "_UPDATES_UNWATCHED", 5)
    source.records = catalogue_of(120)
    world.run()
    source.records = [record(n, name="new") for n in range(1, 41)] + catalogue_of(120)[40:]
    control = RunControl()
    original = control.checkpoint

    def checkpoint() -> None:
        if not is_watched(world):
            control.stop(RunCancelled("stopped", "in the midst of the updates"))
        original()

    control.checkpoint = checkpoint  # type: ignore[method-assign]

    assert world.run(control).outcome is RunOutcome.CANCELLED
    assert is_watched(world)
    assert world.run().outcome is RunOutcome.COMPLETED
    assert is_watched(world)


def is_watched(world: World) -> bool:
    """Return whether the trigger is there that notices edits by others."""
    query = "SELECT 1 FROM sqlite_schema WHERE name = 'products_foreign_edit'"
    return world.database.row(query) is not None


def test_columns_of_other_feeds_are_left_alone(world: World, source: FakeSource) -> None:
    """A sync writes only what its source delivers."""
    source.records = catalogue_of(120)
    world.run()
    execute = world.database.connection().execute
    execute("UPDATE products SET purchasePrice = '9.5'")
    source.records = [record(number, name=f"N{number}") for number in range(1, 41)] + catalogue_of(
        120
    )[40:]

    world.run()

    prices = {row[0] for row in execute("SELECT DISTINCT purchasePrice FROM products")}
    assert prices == {"9.5"}
    assert world.sessions()[-1]["itemsUpdated"] == 40


def test_new_mapping_reads_everything_anew_without_updates(
    world: World, source: FakeSource
) -> None:
    """A new mapping version decodes all records once; equal content is no update."""
    source.records = catalogue_of(120)
    world.run()
    source.mapping_version = "2"

    world.run()

    assert world.sessions()[-1]["itemsUpdated"] == 0
    hashes = {row[0] for row in world.database.rows("SELECT sourceHash FROM products")}
    known = set(world.catalogue.snapshot("2").row_by_hash)
    assert hashes == known
    assert world.catalogue.snapshot("2").is_same_mapping
