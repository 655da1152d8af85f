"""The command line as a whole: its list, its errors, its exit codes."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from archibald_sync import __version__, errors
from archibald_sync.cli import root
from archibald_sync.cli.exits import OUTCOMES, ExitCode, exit_code, message
from archibald_sync.cli.root import COMMANDS, cli, load
from archibald_sync.domain.models import RunOutcome


@pytest.mark.parametrize("name", COMMANDS)
def test_list_shows_each_commands_own_line(name: str) -> None:
    """The list of commands, which imports nothing, says what the commands say."""
    command = load(COMMANDS[name])

    assert command.name == name
    assert command.get_short_help_str(200) == COMMANDS[name].line


def test_version() -> None:
    """The version is that of the package."""
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"archibald-sync {__version__}\n"


def test_unknown_command_is_wrong_usage() -> None:
    """A command that does not exist is named."""
    result = CliRunner().invoke(cli, ["nothing"])

    assert result.exit_code == ExitCode.USAGE
    assert "nothing" in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError([errors.ConfigFault("KEY", "wrong", "write it right")]), 2),
        (errors.InvalidInputError("name", "expected letters"), 2),
        (errors.TransientSourceError("no answer"), 1),
        (errors.SourceAuthError("refused"), 1),
        (errors.NotFoundError("no user"), 1),
        (errors.PlanHeld("empty", "held"), 3),
        (errors.RunCancelled("shutdown", "ended"), 4),
        (errors.SyncInProgressError("r1"), 5),
        (errors.StorageBusyError("busy"), 6),
        (errors.SchemaVersionError("newer"), 6),
        (PermissionError(13, "Permission denied", "/var/x"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    """The kind of an error decides the exit code, wherever it was raised."""
    assert exit_code(error) == code


def test_every_outcome_has_its_exit_code() -> None:
    """No outcome of a run is forgotten, and only a completed one counts as done."""
    assert set(OUTCOMES) == set(RunOutcome)
    assert [one for one, code in OUTCOMES.items() if code == 0] == [RunOutcome.COMPLETED]


def test_system_errors_are_named_with_their_file() -> None:
    """What the system refused is told in a sentence, not as a Python value."""
    assert (
        message(PermissionError(13, "Permission denied", "/var/x")) == "/var/x: Permission denied"
    )
    assert message(OSError(28, "No space left on device")) == "No space left on device"


def test_errors_are_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours ends a command with one sentence and no traceback."""

    def fail(_entry: object) -> None:
        raise errors.StorageBusyError("the database is busy")

    monkeypatch.setattr(root, "load", fail)

    result = CliRunner().invoke(cli, ["status"])

    assert result.exit_code == ExitCode.STORAGE
    assert result.stderr == "error: the database is busy\n"
    assert result.stdout == ""


def test_nobody_reads_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed pipe is no error of ours: click ends the command quietly."""

    def fail(_entry: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(root, "load", fail)

    result = CliRunner().invoke(cli, ["status"])

    assert result.exit_code == 1
    assert "error:" not in result.stderr


def test_codes_are_stable() -> None:
    """Scripts rely on these numbers."""
    assert json.loads(json.dumps({code.name: code for code in ExitCode})) == {
        "DONE": 0,
        "FAILED": 1,
        "USAGE": 2,
        "HELD": 3,
        "CANCELLED": 4,
        "NOT_DONE": 5,
        "STORAGE": 6,
    }
