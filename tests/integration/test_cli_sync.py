"""`sync`, with and without a service beside it."""

from __future__ import annotations

import json
import signal

import pytest
from cli_support import Instance, SmallErp, driving_service
from support import wait_for

from archibald_sync.cli import syncing
from archibald_sync.services import schedule


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
    with driving_service() as services:
        code, out, err = instance.call("sync")
        runs = services.resources["products"].monitoring.history(10)

    assert (code, err) == (0, "")
    assert out.startswith("completed: 5 read, 5 created")
    assert [session["requestedBy"].startswith("cli:") for session in runs] == [True]


def test_sync_needs_no_source_of_its_own_beside_a_service(
    instance: Instance, erp: SmallErp
) -> None:
    """Beside a service that reads from elsewhere, the demo ERP say, the command just asks."""
    with driving_service():
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

    with driving_service() as services:
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

    with driving_service() as services:
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

    with driving_service() as services:
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
