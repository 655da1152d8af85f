"""Dry runs: the whole truth about a plan, and not a trace of it in the catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, catalogue_of, record, wait_for
from web_support import SYNC, Api

from archibald_sync.cli.planned import echo_plan
from archibald_sync.domain.models import PlanKind, Role, RunOutcome, RunRequest, Trigger
from archibald_sync.errors import (
    InvalidInputError,
    NotFoundError,
    RunCancelled,
    StorageFullError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.services.events import sync_completed, sync_failure

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.ports import Control

DRY = RunRequest(Trigger.MANUAL, "anna", is_dry_run=True)
FULL = catalogue_of(120)


def everything(world: World) -> list[tuple[Any, ...]]:
    """Return every row of the catalogue and its change log, with all that belongs to them."""
    tables = ("products", "product_changes", "catalogue_state", "catalogue_marks")
    return [tuple(r) for table in tables for r in world.database.rows(f"SELECT * FROM {table}")]  # noqa: S608


def entries(world: World, kind: PlanKind, limit: int = 500) -> list[dict[str, Any]]:
    """Return all entries of one kind of the newest run's plan, read page by page."""
    run_id, found, start = world.runs()[-1]["id"], [], 0
    while True:
        page, following = world.monitoring.plan_page(run_id, kind, start, limit)
        found += [dict(entry) for entry in page]
        if following is None:
            return found
        assert len(page) == limit
        start = following


def test_dry_run_shows_everything_and_writes_nothing(
    world: World, source: FakeSource, capsys: pytest.CaptureFixture[str]
) -> None:
    """Created, updated, missing, restored and rejected rows are all there; no row is written."""
    source.records = FULL
    world.run()
    source.records = FULL[2:]
    world.run()
    world.run()
    source.records = [*FULL[1:4], record(5, name="new"), *FULL[6:], record(999)]
    source.records += [record(7000 + n, minQty="many") for n in range(30)] + [record(0, id="0")]
    before = everything(world)

    end = world.run(request=DRY)

    assert end.outcome is RunOutcome.COMPLETED
    assert everything(world) == before
    assert [one["id"] for one in entries(world, PlanKind.CREATED)] == ["000999K2"]
    assert entries(world, PlanKind.CREATED)[0]["values"]["name"] == "H999.104.023"
    change = {"field": "name", "old": "H5.104.023", "new": "new"}
    assert entries(world, PlanKind.UPDATED) == [{"id": "000005K2", "changes": [change]}]
    assert entries(world, PlanKind.MISSING) == [{"id": "000006K2", "isDeleted": False}]
    assert entries(world, PlanKind.RESTORED) == [{"id": "000002K2"}]
    rejected = sorted(entries(world, PlanKind.REJECTED, limit=7), key=lambda one: one["row"])
    assert len(rejected) == 31
    assert rejected[0] == {
        "row": 120,
        "field": "minQty",
        "value": "'many'",
        "reason": "expected a number in plain notation",
    }
    assert rejected[-1]["reason"] == "expected an id"
    capsys.readouterr()
    echo_plan(world.monitoring, world.runs()[-1]["id"])
    lines = capsys.readouterr().out.splitlines()
    assert {line[0] for line in lines} == set("+~-^!")
    assert '~ 000005K2: name "H5.104.023" -> "new"' in lines
    assert "- 000006K2: missing, kept for now" in lines
    assert "^ 000002K2: restored" in lines
    assert "! row 120: minQty 'many': expected a number in plain notation" in lines


def test_dry_run_says_what_would_hold_the_plan(world: World, source: FakeSource) -> None:
    """All guards are reported; the run itself completes, and nobody is alarmed."""
    source.records = catalogue_of(1000)
    world.run()
    source.records = catalogue_of(300)
    source.declared_total = 1000
    signals: list[object] = []

    with (
        sync_completed.connected_to(lambda _sender, **_fields: signals.append(1)),
        sync_failure.connected_to(lambda _sender, **_fields: signals.append(1)),
    ):
        end = world.run(request=DRY)

    run = world.runs()[-1]
    assert (end.outcome, run["outcome"], run["isDryRun"]) == (RunOutcome.COMPLETED,) * 2 + (True,)
    guards = [one["guard"] for one in run["summary"]["objections"]]
    assert guards == ["total_mismatch", "too_few_rows"]
    assert run["detail"].startswith("dry run, nothing was written: the plan would be held: ")
    assert run["summary"]["counts"]["missing"] == 700
    assert len(run["summary"]["missing"]) == 20
    assert signals == []


def test_dry_run_counts_as_no_sync(world: World, source: FakeSource) -> None:
    """Metrics, history, last times and the state are those of the syncs alone."""
    source.records = catalogue_of(1000)
    world.run()
    source.records = catalogue_of(300)
    world.run()
    before = (world.monitoring.metrics(), world.sessions(), world.history.last_times())

    source.records = catalogue_of(1000)
    world.run(request=DRY)

    assert (world.monitoring.metrics(), world.sessions(), world.history.last_times()) == before
    last = world.monitoring.situation().last_run
    assert last is not None
    assert last["outcome"] == RunOutcome.HELD
    run = world.monitoring.run(world.runs()[-1]["id"])
    assert run is not None
    assert [session["itemsUnchanged"] for session in run["sessions"]] == [1000]


def test_dry_run_is_seen_while_it_works(world: World, source: FakeSource) -> None:
    """A dry run at work is not quiet, shows its progress, and keeps other runs away."""
    source.records = FULL
    control = RunControl()
    seen: list[tuple[bool, Any]] = []

    def look(_control: Control) -> None:
        status = world.monitoring.status()
        seen.append((world.monitoring.is_quiet(), status["progress"]["runId"]))

    source.pause = look
    world.run(control, DRY)

    assert seen
    assert seen == [(False, world.runs()[-1]["id"])] * len(seen)


def test_dry_run_that_is_cut_short(world: World, source: FakeSource) -> None:
    """A dry run retries, can be cancelled, and is cleared away when its owner is lost."""
    source.records = FULL
    source.failures = [TransientSourceError("down")]
    assert world.run(request=DRY).attempts == 2

    def cancel(control: Control) -> None:
        assert isinstance(control, RunControl)
        control.stop(RunCancelled("requested", "cancelled"))

    source.pause = cancel
    assert world.run(request=DRY).outcome is RunOutcome.CANCELLED
    claim = world.sync.claim(DRY, world.own())
    assert world.history.interrupt_orphans(claim.epoch, None) == [claim.run_id]
    sessions = world.history.sessions_of(claim.run_id)
    assert [session["status"] for session in sessions] == ["interrupted"]
    assert world.monitoring.is_quiet()


def test_held_plan_is_kept_for_a_look(world: World, source: FakeSource) -> None:
    """What was held can be looked at entry by entry; what was applied cannot."""
    source.records = catalogue_of(1000)
    world.run()
    with pytest.raises(NotFoundError, match="is not kept"):
        entries(world, PlanKind.CREATED)
    source.records = catalogue_of(300)
    world.run()

    assert len(entries(world, PlanKind.MISSING, limit=97)) == 700


def test_plan_is_held_even_where_it_cannot_be_kept(
    world: World, source: FakeSource, tmp_path: Path
) -> None:
    """No room to keep the entries: a dry run fails, a held plan stays held."""
    source.records = catalogue_of(1000)
    world.run()
    (tmp_path / "plans").touch()
    source.records = catalogue_of(300)

    held, dry = world.run(), world.run(request=DRY)

    assert (held.outcome, held.reason) == (RunOutcome.HELD, "too_few_rows")
    assert (dry.outcome, dry.reason) == (RunOutcome.FAILED, StorageFullError.code)


def test_last_plan_of_a_run_counts(world: World, source: FakeSource) -> None:
    """A run that makes a second plan keeps that one."""
    entry = (PlanKind.RESTORED, {"id": "A"})
    source.records = FULL
    world.run(request=DRY)
    run_id = world.runs()[-1]["id"]

    world.plans.keep(run_id, [entry])

    assert world.plans.page(run_id, PlanKind.RESTORED, 0, 9) == ([{"id": "A"}], None)
    assert world.plans.page(run_id, PlanKind.CREATED, 0, 9) == ([], None)


def test_only_the_last_plans_are_kept(world: World, source: FakeSource, tmp_path: Path) -> None:
    """Old plans make room; what a crash left half-written goes with the next one."""
    source.records = FULL
    (tmp_path / "plans" / ".new-lost").mkdir(parents=True)
    for _ in range(7):
        world.run(request=DRY)

    kept = sorted(path.name for path in (tmp_path / "plans").iterdir())
    assert kept == sorted(run["id"] for run in world.runs()[-5:])
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.glob("plans/*/*"))


def test_pages_begin_at_entries_only(world: World, source: FakeSource) -> None:
    """A start in the middle of an entry is refused, one behind the end gives nothing."""
    source.records = FULL
    world.run(request=DRY)
    run_id = world.runs()[-1]["id"]

    with pytest.raises(InvalidInputError):
        world.plans.page(run_id, PlanKind.CREATED, 7, 10)
    with pytest.raises(InvalidInputError):
        world.plans.page(run_id, PlanKind.CREATED, 10**9, 10)
    with pytest.raises(NotFoundError):
        world.plans.page("../plans", PlanKind.CREATED, 0, 10)
    assert world.plans.page(run_id, PlanKind.RESTORED, 0, 10) == ([], None)


# Over HTTP, with a driver that owns the resource.


def test_dry_run_over_http(world: World, source: FakeSource) -> None:
    """202 and a run to look at; its plan comes page by page."""
    source.records = FULL
    api = Api.with_owner(world)

    answer = api.call("POST", SYNC, json={"dryRun": True})
    wait_for(lambda: world.history.active_run_id() is None)
    url = f"{SYNC}/runs/{answer.json['runId']}"
    run = api.call("GET", url, Role.VIEWER).json
    first = api.call("GET", f"{url}/plan?kind=created&limit=100", Role.VIEWER).json
    rest = api.call("GET", f"{url}/plan?kind=created&cursor={first['next']}", Role.VIEWER).json

    assert answer.status_code == 202
    assert (run["isDryRun"], run["outcome"]) == (True, "completed")
    assert (len(first["entries"]), len(rest["entries"]), rest["next"]) == (100, 20, None)
    assert world.products() == {}
    assert world.monitoring.metrics().total_syncs == 0


@pytest.mark.parametrize(
    ("query", "field"),
    [("", "kind"), ("?kind=all", "kind"), ("?kind=created&cursor=x", "cursor")],
)
def test_wrong_questions_about_a_plan(
    world: World, source: FakeSource, query: str, field: str
) -> None:
    """What is wrong with the question is named."""
    source.records = FULL
    world.run(request=DRY)
    url = f"{SYNC}/runs/{world.runs()[-1]['id']}/plan"

    answer = Api(world).call("GET", f"{url}{query}")

    assert (answer.status_code, answer.json["field"]) == (400, field)


def test_plan_of_an_unknown_or_applied_run_is_not_found(world: World, source: FakeSource) -> None:
    """404 says whether the run or only its plan is not there."""
    source.records = FULL
    world.run()
    api = Api(world)

    unknown = api.call("GET", f"{SYNC}/runs/x/plan?kind=created")
    applied = api.call("GET", f"{SYNC}/runs/{world.runs()[-1]['id']}/plan?kind=created")

    assert (unknown.status_code, applied.status_code) == (404, 404)
    assert "is not kept" in applied.json["detail"]
