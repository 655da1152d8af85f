"""`status --watch` as a process: in a real terminal, and without one."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

import pytest
from cli_support import COMMAND, Instance, small_erp
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

# Runs a command in a pseudo-terminal of its own; what we write is typed there.
_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"


class Screen:
    """Everything that a process has printed so far."""

    def __init__(self, output: IO[str]) -> None:
        """Read ``output`` from now on."""
        self.text = ""
        self._output = output
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def shows(self, text: str) -> None:
        """Return as soon as ``text`` was printed."""
        wait_for(lambda: text in self.text, 60)

    def close(self) -> None:
        """Read to the end; call it when the process has ended."""
        self._thread.join(20)
        self._output.close()

    def _read(self) -> None:
        while piece := os.read(self._output.fileno(), 4096):
            self.text += piece.decode("utf-8", "replace")


@contextmanager
def in_terminal(instance: Instance, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a command in a terminal of its own; it is gone after the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", _TERMINAL, *COMMAND, *arguments],
        cwd=instance.folder,
        env={**os.environ, **instance.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()  # the end of its terminal ends the command, too
        process.wait(60)
        assert process.stdin is not None
        process.stdin.close()


def test_terminal_follows_a_run_and_ctrl_c_ends_it(instance: Instance) -> None:
    """A person sees the run at work and its outcome, and leaves with Ctrl-C as if nothing was."""
    with small_erp() as erp:
        instance.read_from(erp.url)
        erp.gate.clear()
        with in_terminal(instance, "status", "--watch") as process:
            assert process.stdin is not None
            assert process.stdout is not None
            screen = Screen(process.stdout)
            screen.shows("products failing")
            with instance.process("sync", "--no-progress") as sync:
                screen.shows("products running")
                erp.gate.set()
                sync.communicate(timeout=60)
            screen.shows("completed")
            process.stdin.write("\x03")
            process.stdin.flush()
            assert process.wait(60) == 0
            screen.close()

    assert "Traceback" not in screen.text
    assert "Aborted" not in screen.text
    assert screen.text.count("\x1b[?25l") == screen.text.count("\x1b[?25h")  # the cursor is back


def test_retry_is_counted_down(instance: Instance) -> None:
    """Between two attempts it says which one comes next, and in how long."""
    instance.environ["ARCHIBALD_SYNC_RETRY_DELAYS_SECONDS"] = "600"
    with small_erp() as erp:
        erp.status = 500
        instance.read_from(erp.url)
        with (
            instance.process("sync", "--no-progress") as sync,
            in_terminal(instance, "status", "--watch") as process,
        ):
            assert process.stdout is not None
            screen = Screen(process.stdout)
            screen.shows("attempt 2 of 3 in 9 min")
            screen.shows("attempt 1 of 3 failed")
            sync.send_signal(signal.SIGINT)
            sync.communicate(timeout=60)
            process.terminate()
            process.communicate(timeout=60)
            screen.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_terminal_each_change_is_a_line(instance: Instance, number: int) -> None:
    """In a pipe nothing is drawn: what changes is said once, and a signal ends it."""
    with small_erp() as erp, instance.process("status", "--watch") as process:
        instance.read_from(erp.url)
        erp.gate.clear()
        assert process.stdout is not None
        screen = Screen(process.stdout)
        screen.shows("products failing")
        with instance.process("sync", "--no-progress") as sync:
            screen.shows("products running; download")
            erp.gate.set()
            sync.communicate(timeout=60)
        process.send_signal(number)
        assert process.wait(60) == 0
        assert process.stderr is not None
        errors = process.stderr.read()
        screen.close()

    lines = screen.text.splitlines()
    assert lines[0].startswith("products failing: no process drives the schedule")
    assert all(line != following for line, following in itertools.pairwise(lines))
    assert "\x1b" not in screen.text
    assert errors == ""


def test_json_is_a_line_for_each_change(instance: Instance) -> None:
    """A program reads the same status as over HTTP, one object a line."""
    with instance.process("status", "--watch", "--json") as process:
        assert process.stdout is not None
        screen = Screen(process.stdout)
        screen.shows("\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        screen.close()

    once = json.loads(instance.run("status", "--json").stdout)
    first = json.loads(screen.text.splitlines()[0])
    assert first == once
