"""Runs that fail: what is retried, what is recorded, and what stays as it was."""

from __future__ import annotations

import pytest
from support import FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import RunOutcome
from archibald_sync.errors import (
    PermanentSourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.services.events import sync_completed, sync_failure


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
