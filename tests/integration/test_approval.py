"""A held plan that an admin approves: applied once, that plan, past those guards only."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, catalogue_of, record, wait_for
from web_support import SYNC, Api

from archibald_sync.domain.models import (
    IntentKind,
    IntentState,
    Role,
    RunOutcome,
    RunRequest,
    Trigger,
)
from archibald_sync.errors import NotFoundError, PermanentSourceError, RefusedError
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from archibald_sync.domain.models import RunEnd
    from archibald_sync.domain.ports import Control

FULL = catalogue_of(1000)


def held_run(world: World, source: FakeSource, records: list[dict[str, object]]) -> str:
    """Fill the catalogue, let ``records`` be held, and return the id of that run."""
    source.records = FULL
    world.run()
    source.records = records
    assert world.run().outcome is RunOutcome.HELD
    return str(world.runs()[-1]["id"])


def approve(world: World, run_id: str) -> RunEnd:
    """Approve a run as the owner does, and work on the run that begins by it."""
    request = RunRequest(Trigger.MANUAL, "anna", approves=run_id)
    with world.database.transaction():
        claim = world.sync.claim(request, world.own())
    return world.sync.run(claim, RunControl())


def test_approved_plan_is_applied(world: World, source: FakeSource) -> None:
    """The plan that was held is written, and both runs say who approved what."""
    run_id = held_run(world, source, [record(n, name="new") for n in range(1, 1001)])

    end = approve(world, run_id)

    assert end.outcome is RunOutcome.COMPLETED
    assert {row["name"] for row in world.products().values()} == {"new"}
    held, applied = world.runs()[-2:]
    assert (held["id"], held["approvedBy"]) == (run_id, "anna")
    assert held["approvedAt"] == applied["startedAt"]
    assert applied["approves"] == run_id


def test_approval_is_good_for_one_run(world: World, source: FakeSource) -> None:
    """Whatever became of the run that it began, an approval cannot be used again."""
    run_id = held_run(world, source, FULL[:300])
    source.failures = [PermanentSourceError("down")]
    assert approve(world, run_id).outcome is RunOutcome.FAILED

    with pytest.raises(RefusedError, match="approved by anna already") as refusal:
        approve(world, run_id)

    assert refusal.value.code == "approved_before"
    assert world.run().outcome is RunOutcome.HELD
    assert len(world.products()) == 1000


def test_approval_for_another_plan_is_not_used(world: World, source: FakeSource) -> None:
    """A plan that differs by more than a hundredth in a count is held in spite of it."""
    run_id = held_run(world, source, FULL[:300])
    source.records = FULL[:290]

    end = approve(world, run_id)

    assert (end.outcome, end.reason) == (RunOutcome.HELD, "too_few_rows")
    assert "extracted 290 instead of 300" in str(end.detail)
    assert len(world.products()) == 1000
    source.records = FULL[:291]
    assert approve(world, world.runs()[-1]["id"]).outcome is RunOutcome.COMPLETED


def test_guard_that_did_not_hold_the_plan_is_not_passed(world: World, source: FakeSource) -> None:
    """An approval opens the guards that it was given for, and no other."""
    run_id = held_run(world, source, FULL[:600])
    source.declared_total = 700

    end = approve(world, run_id)

    assert (end.outcome, end.reason) == (RunOutcome.HELD, "total_mismatch")
    assert world.runs()[-1]["summary"]["objections"][0]["guard"] == "total_mismatch"


def test_source_that_was_mended_needs_no_approval(world: World, source: FakeSource) -> None:
    """Where nothing speaks against the new plan, the approved one does not matter."""
    run_id = held_run(world, source, FULL[:300])
    source.records = FULL

    assert approve(world, run_id).outcome is RunOutcome.COMPLETED


def test_only_the_newest_held_run_can_be_approved(world: World, source: FakeSource) -> None:
    """An unknown run, one that was not held, and one with a newer one are refused."""
    first = held_run(world, source, FULL[:300])
    source.records = FULL[:200]
    world.run()

    with pytest.raises(RefusedError, match="held later") as newer:
        approve(world, first)
    with pytest.raises(RefusedError, match="only a held one") as completed:
        approve(world, world.runs()[0]["id"])
    with pytest.raises(NotFoundError):
        approve(world, "products-run-0")

    assert (newer.value.code, completed.value.code) == ("newer_held", "not_held")
    assert [run["approvedAt"] for run in world.runs()] == [None] * 3


# Over HTTP, with a driver that owns the resource.


def call(api: Api, run_id: str) -> Any:  # noqa: ANN401  # an answer of the test client
    """Approve a run over HTTP as an admin."""
    return api.call("POST", f"{SYNC}/runs/{run_id}/approve", Role.ADMIN)


def test_approval_over_http(world: World, source: FakeSource) -> None:
    """The owner begins the run; the second approval is refused with the reason."""
    run_id = held_run(world, source, FULL[:300])
    api = Api.with_owner(world)

    answer = call(api, run_id)
    wait_for(lambda: world.history.active_run_id() is None)
    again = call(api, run_id)

    assert answer.status_code == 202
    new = answer.json["runId"]
    assert answer.headers["Location"].endswith(f"/runs/{new}")
    shown = api.call("GET", f"{SYNC}/runs/{new}").json
    assert (shown["outcome"], shown["approves"]) == ("completed", run_id)
    assert (again.status_code, again.json["code"]) == (409, "approved_before")
    assert "approved by" in again.json["detail"]


def test_approval_that_is_repeated_gives_the_first_answer(world: World, source: FakeSource) -> None:
    """An admin who lost the answer learns which run began, and begins no other."""
    first, run_id = held_run(world, source, FULL[:300]), held_run(world, source, FULL[:200])
    api = Api.with_owner(world)
    token = {"Authorization": f"Bearer {api.token(api.user(Role.ADMIN))}"}
    headers = {**token, "Idempotency-Key": "k"}

    answer = api.client.post(f"{SYNC}/runs/{run_id}/approve", headers=headers)
    wait_for(lambda: world.history.active_run_id() is None)
    begun = len(world.runs())
    again = api.client.post(f"{SYNC}/runs/{run_id}/approve", headers=headers)
    other = api.client.post(f"{SYNC}/runs/{first}/approve", headers=headers)

    assert (answer.status_code, again.status_code) == (202, 202)
    assert again.json == answer.json
    assert again.headers["Location"] == answer.headers["Location"]
    assert (other.status_code, other.json["code"]) == (409, "key_reused")
    assert len(world.runs()) == begun


def test_run_that_cannot_be_approved_over_http(world: World, source: FakeSource) -> None:
    """Unknown is 404, not held is 409, and neither begins a run."""
    source.records = FULL
    world.run()
    api = Api.with_owner(world)

    unknown = call(api, "products-run-0")
    completed = call(api, world.runs()[0]["id"])

    assert (unknown.status_code, completed.status_code) == (404, 409)
    assert completed.json["code"] == "not_held"
    assert len(world.runs()) == 1


def test_approval_while_a_run_is_at_work(world: World, source: FakeSource) -> None:
    """One run at a time: 409 names the one at work, and the approval is not used up."""
    run_id = held_run(world, source, FULL[:300])
    api, gate = Api.with_owner(world), threading.Event()

    def pause(_control: Control) -> None:
        gate.wait(20)

    source.pause = pause
    at_work = api.call("POST", SYNC).json["runId"]
    answer = call(api, run_id)
    gate.set()

    assert (answer.status_code, answer.json["code"]) == (409, "sync_in_progress")
    assert answer.json["runId"] == at_work
    held = world.history.run(run_id)
    assert held is not None
    assert held["approvedAt"] is None


def test_approval_that_nobody_hears_is_no_longer_valid_later(
    world: World, source: FakeSource
) -> None:
    """Without an owner the wish is recorded for a minute, not for a day."""
    run_id = held_run(world, source, FULL[:300])
    api = Api(world)

    answer = call(api, run_id)

    assert answer.status_code == 503
    (wish,) = world.schedule.pending_intents()
    assert (wish.kind, wish.state) == (IntentKind.APPROVE, IntentState.PENDING)
    assert wish.expires_at == wish.requested_at + 60_000
