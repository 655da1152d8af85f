"""What follows upon a plan: `approve`, `sync --dry-run --diff` and `rollback`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli_support import Instance, SmallErp


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
