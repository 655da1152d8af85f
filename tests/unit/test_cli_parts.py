"""Small parts of the command line: who asks, where the service is, early signals."""

from __future__ import annotations

import getpass
import os
import signal
from typing import TYPE_CHECKING

import click
import pytest

from archibald_sync.cli.instance import requester
from archibald_sync.cli.priority import passing_signals_to
from archibald_sync.cli.root import COMMANDS, cli
from archibald_sync.cli.serving import own_command, welcome

if TYPE_CHECKING:
    from pathlib import Path


def test_the_group_knows_its_commands() -> None:
    """Shell completion and others that ask get all commands, and nothing for a wrong name."""
    context = click.Context(cli)

    assert cli.list_commands(context) == list(COMMANDS)
    assert cli.get_command(context, "nothing") is None


def test_requester_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wishes carry the name of the operating system's user."""
    monkeypatch.setattr(getpass, "getuser", lambda: "anna")

    assert requester() == "cli:anna"


def test_requester_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have no name; that is no reason to fail."""

    def fail() -> str:
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr(getpass, "getuser", fail)

    assert requester() == "cli"


@pytest.mark.parametrize(
    ("bind", "url"),
    [
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("0.0.0.0:80", "http://127.0.0.1:80"),
        ("[::1]:3000", "http://[::1]:3000"),
        (":3000", "http://127.0.0.1:3000"),
    ],
)
def test_welcome_names_an_address_that_can_be_called(bind: str, url: str) -> None:
    """The curl line works from this machine, whatever the service listens on."""
    assert welcome(bind).splitlines()[-1].endswith(f'" {url}/api/products/sync/metrics')


def test_welcome_of_a_socket() -> None:
    """A socket has no URL, so none is made up."""
    assert welcome("unix:/run/x.sock") == "The service listens on unix:/run/x.sock."


def test_own_command_is_short_where_the_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name where it is on the path, else the path from this folder, else the whole path."""
    script = tmp_path / "bin" / "archibald-sync"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setattr("sys.argv", [str(script)])
    monkeypatch.setenv("PATH", "/nowhere")
    whole = own_command()
    monkeypatch.chdir(tmp_path)
    relative = own_command()
    monkeypatch.setenv("PATH", str(script.parent))

    assert (whole, relative, own_command()) == (
        str(script),
        os.path.join("bin", "archibald-sync"),  # noqa: PTH118  # as text
        "archibald-sync",
    )


def test_a_signal_before_the_command_began() -> None:
    """It ends the command line, with the code that a shell gives, and frees the lease."""
    with pytest.raises(SystemExit) as end, passing_signals_to([]):
        os.kill(os.getpid(), signal.SIGTERM)

    assert end.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is not None
