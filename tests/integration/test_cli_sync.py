"""`sync`, `status`, `history`, `start` and `stop`, with and without a service beside them."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from cli_support import Instance, SmallErp, made_instance, small_erp
from support import wait_for

from archibald_sync.bootstrap import build_driver, build_services
from archibald_sync.cli import syncing
from archibald_sync.config import load_settings
from archibald_sync.services import schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.bootstrap import Services


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


@contextmanager
def service() -> Iterator[Services]:
    """Drive the resource from this process, as a service beside the command does."""
    services = build_services(load_settings())
    driver = build_driver(services, services.resources["products"].resource, has_schedule=False)
    driver.start()
    try:
        wait_for(lambda: driver.is_owner)
        yield services
    finally:
        driver.stop()
        services.storage.close()


def test_sync_completes(instance: Instance, erp: SmallErp) -> None:
    """One run, its counts, exit code 0; the second finds nothing new."""
    first = instance.call("sync")
    second = instance.run("sync", "--no-progress")

    assert first[0] == 0, first
    assert first[1].startswith("completed: 5 read, 5 created, 0 updated, 0 deleted")
    assert "[ProductSyncService] Manual sync successful (attempt 1)" in first[2]
    assert second.exit_code == 0
    assert "5 read, 0 created, 0 updated, 0 deleted, 0 restored, 5 unchanged" in second.stdout


def test_sync_with_a_progress_bar(
    instance: Instance, erp: SmallErp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where somebody watches, the bar is drawn on standard error; the answer stays clean."""
    monkeypatch.setattr(syncing, "has_terminal", lambda: True)

    result = instance.run("sync")

    assert result.exit_code == 0
    assert "5/5 rows" in result.stderr
    assert result.stdout.startswith("completed: 5 read")
    assert len(result.stdout.splitlines()) == 1


def test_failed_sync(instance: Instance, erp: SmallErp) -> None:
    """An ERP in trouble is exit code 1 after all attempts; history tells them."""
    erp.status = 500

    code, out, err = instance.call("sync", "--no-progress")
    history = json.loads(instance.run("history", "--json").stdout)

    assert (code, out) == (1, "")
    assert "failed: " in err
    assert "[ProductSyncService] All retry attempts exhausted" in err
    assert [session["status"] for session in history] == ["failed"] * 3
    assert [session["attempt"] for session in history] == [3, 2, 1]
    assert all(session["errorMessage"] for session in history)


def test_held_sync(instance: Instance, erp: SmallErp) -> None:
    """A plan that a guard refused is exit code 3, and nothing is written."""
    instance.run("sync")
    erp.records = []

    result = instance.run("sync", "--no-progress")

    assert result.exit_code == 3
    assert result.stderr.splitlines()[-1].startswith("held, nothing was written: ")
    assert json.loads(instance.run("status", "--json").stdout)["records"]["active"] == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_sync(instance: Instance, erp: SmallErp, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM end a run of this process at once, and the history says so."""
    erp.gate.clear()

    with instance.process("sync", "--no-progress") as process:
        assert erp.asked.wait(20)
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
    history = json.loads(instance.run("history", "--json").stdout)

    assert process.returncode == 4, err
    assert "interrupted: " in err
    assert "Traceback" not in err
    assert [session["status"] for session in history] == ["interrupted"]


def test_sync_follows_the_service(instance: Instance, erp: SmallErp) -> None:
    """Where a service owns the resource it does the work, and the command tells the outcome."""
    with service() as services:
        code, out, err = instance.call("sync")
        runs = services.resources["products"].monitoring.history(10)

    assert (code, err) == (0, "")
    assert out.startswith("completed: 5 read, 5 created")
    assert [session["requestedBy"].startswith("cli:") for session in runs] == [True]


def test_sync_needs_no_source_of_its_own_beside_a_service(
    instance: Instance, erp: SmallErp
) -> None:
    """Beside a service that reads from elsewhere, the demo ERP say, the command just asks."""
    with service():
        (instance.folder / "instance" / "source.toml").unlink()
        beside = instance.call("sync")
    alone = instance.call("sync")

    assert (beside[0], beside[2]) == (0, "")
    assert beside[1].startswith("completed: 5 read, 5 created")
    assert alone[0] == 2
    assert "source.toml" in alone[2]


def test_sync_attaches_to_a_run_at_work(instance: Instance, erp: SmallErp) -> None:
    """A run that is at work already is followed, and the command says so."""
    erp.gate.clear()

    with service() as services:
        run = services.resources["products"].schedule.run_now("somebody")
        assert erp.asked.wait(20)
        with instance.process("sync") as process:
            assert process.stderr is not None
            line = process.stderr.readline()
            erp.gate.set()
            out, _ = process.communicate(timeout=20)

    assert run.result is not None
    assert line == f"Run {run.result['runId']} is at work already; following it.\n"
    assert process.returncode == 0
    assert out.startswith("completed: 5 read")


def test_dry_run_does_not_attach_to_a_sync(instance: Instance, erp: SmallErp) -> None:
    """A run at work answers another question: exit code 5 names it."""
    erp.gate.clear()

    with service() as services:
        run = services.resources["products"].schedule.run_now("somebody")
        assert erp.asked.wait(20)
        result = instance.run("sync", "--dry-run")
        erp.gate.set()

    assert run.result is not None
    assert result.exit_code == 5
    assert f"run {run.result['runId']} is already working" in result.stderr


def test_leaving_a_run_of_the_service(instance: Instance, erp: SmallErp) -> None:
    """Ctrl-C only stops following a run of another process; that goes on."""
    erp.gate.clear()

    with service() as services:
        monitoring = services.resources["products"].monitoring
        services.resources["products"].schedule.run_now("somebody")
        assert erp.asked.wait(20)
        with instance.process("sync") as process:
            assert process.stderr is not None
            process.stderr.readline()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)
        working = monitoring.status()["state"]
        erp.gate.set()
        wait_for(lambda: monitoring.history(1)[0]["status"] == "completed")

    assert process.returncode == 4
    assert "goes on in the service" in err
    assert working == "running"


def test_sync_that_nobody_takes_on(
    instance: Instance, erp: SmallErp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that no process takes on is skipped: exit code 5."""
    monkeypatch.setattr(syncing, "_OWNER_WAIT_S", 0.1)
    monkeypatch.setattr(schedule, "_RUN_TTL_S", 5.0)
    monkeypatch.setattr("archibald_sync.scheduler.driver.Driver.start", lambda _driver: None)

    result = instance.run("sync")

    assert result.exit_code == 5
    assert "skipped" in result.stderr


def test_sync_without_a_source(instance: Instance) -> None:
    """A missing source.toml is exit code 2, before anything is asked for."""
    result = instance.run("sync")

    assert result.exit_code == 2
    assert "source.toml" in result.stderr


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

    with service() as services:
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
    with service() as services:
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

    with service() as services:
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


def test_interrupted_before_a_run_began(
    instance: Instance, erp: SmallErp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the owner has not answered yet ends the command as at any other moment."""

    def interrupt(_asked: object, _wish: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(syncing, "_ask", interrupt)

    result = instance.run("sync")

    assert result.exit_code == 4
    assert "interrupted: before the owner had answered" in result.stderr


def test_approve(instance: Instance, erp: SmallErp) -> None:
    """A held plan is approved once; the second time is refused with exit code 5."""
    instance.run("sync")
    erp.records = []
    instance.run("sync")
    run_id = json.loads(instance.run("status", "--json").stdout)["lastRun"]["id"]

    held_again = instance.run("approve", "nothing")
    approved = instance.call("approve", run_id)
    again = instance.run("approve", run_id)

    assert held_again.exit_code == 5
    assert "there is no run nothing" in held_again.stderr
    assert approved[0] == 0, approved
    assert approved[1].startswith("completed: 0 read")
    assert (again.exit_code, again.stdout) == (5, "")
    assert "approved by cli:" in again.stderr


def test_dry_run_with_diff(instance: Instance, erp: SmallErp) -> None:
    """Every entry of the plan is a line; nothing is written; 3 where it would be held."""
    first = instance.call("sync", "--dry-run", "--diff")
    instance.run("sync")
    erp.records = [{**erp.records[0], "NAME": "other\x1b[2J"}, *erp.records[2:], {"ITEMID": "9"}]
    second = instance.run("sync", "--dry-run", "--diff")
    erp.records = []
    held = instance.run("sync", "--dry-run")
    misused = instance.run("sync", "--diff")

    assert first[0] == 0, first
    lines = first[1].splitlines()
    assert lines[0] == '+ 000000K2: id "000000K2", name "H0"'
    assert lines[5].startswith("dry run: 5 read, 5 created")
    assert second.stdout.splitlines()[:3] == [
        '+ 9: id "9", name null',
        '~ 000000K2: name "H0" -> "other\\u001b[2J"',
        "- 000001K2: missing, kept for now",
    ]
    assert held.exit_code == 3
    assert "the plan would be held: the source delivered no row at all" in held.stderr
    assert misused.exit_code == 2
    assert json.loads(instance.run("status", "--json").stdout)["records"]["active"] == 5


def test_rollback(instance: Instance, erp: SmallErp) -> None:
    """Asked first; then the catalogue is as it was, and what comes next is said."""
    instance.run("sync")
    erp.records = [{**one, "NAME": "wrong"} for one in erp.records]
    instance.run("sync")
    session_id = json.loads(instance.run("history", "--json").stdout)[0]["id"]

    declined = instance.run("rollback", "--session", session_id, stdin="n\n")
    done = instance.call("rollback", "--session", session_id, "--yes")
    kept = instance.run("rollback", "--session", session_id, "--yes", "--keep-schedule")
    unknown = instance.run("rollback", "--session", "nothing", "--yes")

    assert declined.exit_code == 1
    assert "Undo session" in declined.output
    assert "is stopped" in declined.output
    assert done[0] == 0, done
    assert done[1].startswith("rolled back: 0 read, 0 created, 5 updated, 0 deleted")
    assert "Auto-sync is stopped" in done[2]
    assert "brings the state of the source back" in done[2]
    assert kept.stdout.startswith("rolled back: 0 read, 0 created, 0 updated")
    assert "Auto-sync is stopped" not in kept.stderr
    assert unknown.exit_code == 5
