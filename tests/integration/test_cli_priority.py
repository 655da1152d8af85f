"""`priority`: a lease for as long as a command runs, whatever becomes of it."""

from __future__ import annotations

import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from support import wait_for

from archibald_sync.bootstrap import build_services
from archibald_sync.config import load_settings

if TYPE_CHECKING:
    from cli_support import Instance


def held_by(instance: Instance) -> list[str]:
    """Return who holds priority."""
    return [one["owner"] for one in json.loads(instance.run("priority", "list", "--json").stdout)]


def test_hold_runs_the_command_under_a_lease(instance: Instance) -> None:
    """The lease is there while the command runs, gone afterwards, and its code is ours."""
    script = (
        "import subprocess, sys; subprocess.run([sys.executable, '-m', 'archibald_sync.cli', "
        "'priority', 'list']); sys.exit(7)"
    )
    hold = ("priority", "hold", "--owner", "orders", "--reason", "order 4711", "--wait", "1", "--")

    code, out, err = instance.call(*hold, sys.executable, "-c", script)

    assert (code, err) == (7, "")
    assert out.splitlines()[0].split() == ["OWNER", "SINCE", "UNTIL", "REASON"]
    assert out.splitlines()[1].startswith("orders")
    assert out.splitlines()[1].endswith("order 4711")
    assert held_by(instance) == []


def test_hold_passes_options_to_the_command(instance: Instance) -> None:
    """What stands behind -- belongs to the command, dashes or not."""
    code, out, _ = instance.call("priority", "hold", "--", "echo", "--ttl", "-x")

    assert (code, out) == (0, "--ttl -x\n")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 128 + 15), (signal.SIGINT, 128 + 2), (signal.SIGHUP, 129)]
)
def test_signals_reach_the_command(instance: Instance, number: signal.Signals, code: int) -> None:
    """A signal ends the command; the lease ends with it, and the exit code tells."""
    hold = ("priority", "hold", "--owner", "orders", "--", "sleep", "60")

    with instance.process(*hold, stdin=-3) as process:
        wait_for(lambda: held_by(instance) == ["orders"])
        # The lease comes before the command: let that begin.
        wait_for(lambda: children_of(process.pid))
        process.send_signal(number)
        process.wait(20)

    assert process.returncode == code
    assert held_by(instance) == []


def children_of(pid: int) -> str:
    """Return the children of a process, empty for none."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:  # noqa: PTH123
        return children.read()


def test_a_killed_hold_ends_by_its_ttl(instance: Instance) -> None:
    """A lease whose holder was killed is gone when its seconds are over."""
    hold = ("priority", "hold", "--owner", "orders", "--ttl", "1", "--", "sleep", "3")

    with instance.process(*hold) as process:
        wait_for(lambda: held_by(instance) == ["orders"])
        process.kill()

    wait_for(lambda: held_by(instance) == [])


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [("no-such-command", 127, "no such command"), ("/", 126, "not executable")],
)
def test_commands_that_cannot_run(instance: Instance, command: str, code: int, words: str) -> None:
    """The exit codes are those that a shell gives, and no lease is left."""
    result = instance.run("priority", "hold", "--", command)

    assert result.exit_code == code
    assert words in result.stderr
    assert held_by(instance) == []


def test_a_sync_that_does_not_give_way_in_time(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command begins all the same, and is told about it."""
    monkeypatch.setattr(
        "archibald_sync.services.priority.PriorityManager.is_quiet", lambda _self: False
    )
    monkeypatch.setattr(
        "archibald_sync.services.priority.PriorityManager.wait_until_quiet",
        lambda _self, _wait_s: False,
    )

    result = instance.run("priority", "hold", "--wait", "1", "--", "true")

    assert result.exit_code == 0
    assert "still giving way" in result.stderr


def test_list(instance: Instance) -> None:
    """Leases of everybody are shown, with the names that the API uses."""
    nobody = instance.run("priority", "list").stdout
    services = build_services(load_settings())
    services.priority.take("a\x1b[31m", "why")
    services.storage.close()

    lease = json.loads(instance.run("priority", "list", "--json").stdout)[0]

    assert nobody == "Nobody holds priority.\n"
    assert set(lease) == {"id", "owner", "reason", "takenAt", "expiresAt"}
    assert "\x1b" not in instance.run("priority", "list").stdout


@pytest.mark.parametrize("ttl", ["0", "601"])
def test_wrong_ttl(instance: Instance, ttl: str) -> None:
    """A lease lasts 1 to 600 seconds."""
    assert instance.run("priority", "hold", "--ttl", ttl, "--", "true").exit_code == 2
