"""`status`, `history`, `start` and `stop`, with and without a service beside them."""

from __future__ import annotations

import json

import pytest
from cli_support import Instance, SmallErp, driving_service
from support import wait_for

from archibald_sync.services import schedule


def test_status_without_a_service(instance: Instance) -> None:
    """Nobody drives the schedule, and status says so in words and in JSON."""
    text = instance.call("status")
    answer = json.loads(instance.run("status", "--json").stdout)

    assert text[0] == 0
    assert text[1].startswith("products failing: no process drives the schedule")
    assert (answer["state"], answer["owner"]) == ("failing", None)


def test_status_tells_owner_progress_and_priority(instance: Instance, erp: SmallErp) -> None:
    """What the rows hold is told: who drives, how far a run is, who goes first."""
    erp.gate.clear()

    with driving_service() as services:
        services.resources["products"].schedule.run_now("somebody")
        assert erp.asked.wait(20)
        running = instance.run("status").stdout
        lease = services.priority.take("orders", "order 4711")
        erp.gate.set()
        waiting = instance.run("status").stdout
        services.priority.release(lease.id)

    assert running.startswith("products running\n")
    assert "epoch 1, heartbeat" in running
    assert "download, 0/? pages, 0/? rows, attempt 1" in running
    assert "orders until" in waiting
    assert "order 4711" in waiting


def test_status_after_the_owner_has_gone(instance: Instance, erp: SmallErp) -> None:
    """The last owner is named, and that it is gone."""
    instance.run("sync")

    assert "none; the last was" in instance.run("status").stdout


def test_history(instance: Instance, erp: SmallErp) -> None:
    """Sessions are listed, the newest first, limited and by status."""
    empty = instance.run("history").stdout
    instance.run("sync")
    erp.status = 403
    instance.run("sync")

    table = instance.run("history").stdout.splitlines()
    completed = json.loads(instance.run("history", "--status", "completed", "--json").stdout)
    one = json.loads(instance.run("history", "--limit", "1", "--json").stdout)

    assert empty == "There are no such sessions.\n"
    assert table[0].split()[:2] == ["STARTED", "STATUS"]
    assert ["failed" in table[1], "completed" in table[2], len(table)] == [True, True, 3]
    assert [session["itemsCreated"] for session in completed] == [5]
    assert [session["status"] for session in one] == ["failed"]


def test_start_and_stop_with_a_service(instance: Instance, erp: SmallErp) -> None:
    """What the owner has carried out is told as done, and is so."""
    with driving_service() as services:
        status = services.resources["products"].monitoring.status
        started = instance.run("start", "--interval", "15")
        after_start = status()
        stopped = instance.run("stop")
        after_stop = status()

    assert started.exit_code == 0
    assert started.stdout.startswith("Auto-sync of products runs every 15 minutes, next at 2")
    assert (after_start["autoSync"], after_start["intervalMinutes"]) == ("started", 15)
    assert after_start["changedBy"].startswith("cli:")
    assert (stopped.exit_code, stopped.stdout) == (0, "Auto-sync of products is stopped.\n")
    assert after_stop["autoSync"] == "stopped"


def test_stop_with_cancel(instance: Instance, erp: SmallErp) -> None:
    """A run at work ends when that is asked for."""
    erp.gate.clear()

    with driving_service() as services:
        monitoring = services.resources["products"].monitoring
        services.resources["products"].schedule.run_now("somebody")
        assert erp.asked.wait(20)
        result = instance.run("stop", "--cancel")
        erp.gate.set()
        wait_for(lambda: monitoring.history(1)[0]["status"] == "cancelled")

    assert result.exit_code == 0


@pytest.mark.parametrize("arguments", [("start",), ("stop",)], ids=["start", "stop"])
def test_wishes_that_nobody_heard(
    instance: Instance, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a service nothing is claimed to be done: exit code 5."""
    monkeypatch.setattr(schedule.ScheduleService.__init__, "__kwdefaults__", {"answer_wait_s": 0.1})

    result = instance.run(*arguments)

    assert (result.exit_code, result.stdout) == (5, "")
    assert "Not applied yet" in result.stderr


@pytest.mark.parametrize("interval", ["0", "-1", "1441", "30.5", "abc"])
def test_wrong_intervals(instance: Instance, interval: str) -> None:
    """An interval out of range is wrong usage."""
    result = instance.run("start", "--interval", interval)

    assert result.exit_code == 2
    assert "--interval" in result.stderr
