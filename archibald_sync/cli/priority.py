"""`priority`: keep the sync away while other work goes first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from archibald_sync.cli.instance import opened_services, record_act, requester
from archibald_sync.cli.output import echo_json, echo_table, instant, json_option
from archibald_sync.services.priority import MAX_TTL_S, MAX_WAIT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

_PASSED_ON = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)
_NOT_EXECUTABLE, _NOT_FOUND, _KILLED = 126, 127, 128


@click.group()
def priority() -> None:
    """Keep the sync away while other work goes first."""


@priority.command(context_settings={"ignore_unknown_options": True})
@click.option("--owner", help="Who goes first; else the user of the operating system.")
@click.option("--reason", default="", help="What for.")
@click.option(
    "--ttl",
    "ttl_s",
    type=click.IntRange(1, MAX_TTL_S),
    default=60,
    show_default=True,
    help="Seconds after which the lease of a crashed command ends by itself.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.IntRange(0, MAX_WAIT_S),
    default=0,
    show_default=True,
    help="Seconds to wait for a sync at work to give way, before the command begins.",
)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def hold(owner: str | None, reason: str, ttl_s: int, wait_s: int, command: Sequence[str]) -> None:
    """Run COMMAND while no sync works; write it after --.

    The lease is renewed for as long as the command runs. The exit code is the
    command's: 128 and the signal's number where a signal ended it, 127 where there is
    no such command.
    """
    with opened_services() as services:
        manager = services.priority
        first = owner or requester()
        with manager.hold(first, reason, ttl_s) as lease:
            record_act(services, "priority.take", lease.id, owner=first, reason=reason)
            if wait_s and not manager.wait_until_quiet(wait_s):
                click.echo("A sync is still giving way; the command begins all the same.", err=True)
            code = _run(command)
    sys.exit(code)


@priority.command("list")
@json_option
def list_leases(*, as_json: bool) -> None:
    """Show who holds priority."""
    with opened_services() as services:
        leases = services.priority.held()
    if as_json:
        names = {"taken_at": "takenAt", "expires_at": "expiresAt"}
        shown = [asdict(lease) for lease in leases]
        echo_json([{names.get(key, key): one[key] for key in one} for one in shown])
    elif leases:
        rows = [
            (one.owner, instant(one.taken_at), instant(one.expires_at), one.reason)
            for one in leases
        ]
        echo_table(("OWNER", "SINCE", "UNTIL", "REASON"), rows)
    else:
        click.echo("Nobody holds priority.")


def _run(command: Sequence[str]) -> int:
    """Run ``command`` and return its exit code as a shell would."""
    children: list[subprocess.Popen[bytes]] = []
    with passing_signals_to(children):
        try:
            child = subprocess.Popen(command)  # noqa: S603  # the operator's own command
        except FileNotFoundError:
            click.echo(f"error: {command[0]}: no such command", err=True)
            return _NOT_FOUND
        except PermissionError:
            click.echo(f"error: {command[0]}: not executable", err=True)
            return _NOT_EXECUTABLE
        children.append(child)
        code = child.wait()
    return code if code >= 0 else _KILLED - code


@contextmanager
def passing_signals_to(children: Sequence[subprocess.Popen[bytes]]) -> Iterator[None]:
    """Pass signals inside the block on to the child, so that it decides when to end."""

    def handle(number: int, _frame: FrameType | None) -> None:
        if not children:
            sys.exit(_KILLED + number)
        # A terminal has sent these to the child as well.
        if not (number in _FROM_TERMINAL and os.isatty(0)):
            children[0].send_signal(number)

    before = {number: signal.signal(number, handle) for number in _PASSED_ON}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
