"""`serve`, `scheduler` and `demo-erp` as processes: they start, answer and end together."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cli_support import Instance, made_instance, small_erp
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAVY = ("flask", "apscheduler", "requests", "rich", "tenacity", "archibald_sync.bootstrap")


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Return an instance that is ready to be used."""
    with made_instance(tmp_path, monkeypatch) as made:
        made.environ["ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS"] = "0"
        made.init()
        yield made


def free_port() -> int:
    """Return a port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def status_of(url: str, token: str = "") -> int:
    """Return the HTTP status of a GET, 0 where nobody answers."""
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def completed(instance: Instance) -> int:
    """Return how many sessions have completed."""
    result = instance.run("history", "--status", "completed", "--json")
    return len(json.loads(result.stdout))


def test_help_is_quick() -> None:
    """Help and version import nothing that takes time."""
    script = (
        "import sys\nfrom archibald_sync.cli.root import cli\n"
        "cli.main(['--help'], prog_name='archibald-sync', standalone_mode=False)\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )

    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert out.stdout.splitlines()[-1] == "[]"
    assert "demo-erp" in out.stdout


def test_serve_becomes_gunicorn(instance: Instance) -> None:
    """The process that was started answers, syncs, and ends when it is told to."""
    port = free_port()
    with small_erp() as erp:
        instance.read_from(erp.url)
        with instance.process("serve", "--bind", f"127.0.0.1:{port}", "--workers", "2") as process:
            try:
                wait_for(lambda: status_of(f"http://127.0.0.1:{port}/livez") == 200, 30)
                wait_for(lambda: completed(instance) == 1, 30)
                token = instance.run("token").stdout.strip()
                metrics = f"http://127.0.0.1:{port}/api/products/sync/metrics"
                answers = status_of(metrics), status_of(metrics, token)
            finally:
                process.terminate()
                _, err = process.communicate(timeout=30)

    assert answers == (401, 200)
    assert process.returncode == 0
    assert "[Boot] Products auto-sync started (30min interval)" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_demo_erp_ends_with_the_service(
    instance: Instance, number: signal.Signals, tmp_path: Path
) -> None:
    """`--demo` prints how to begin, syncs, and leaves no process behind, even after kill -9."""
    port, erp_port = free_port(), free_port()
    arguments = (*sys_command(erp_port, tmp_path), "--bind", f"127.0.0.1:{port}")
    environ = {**os.environ, **instance.environ}
    with subprocess.Popen(
        arguments,
        cwd=instance.folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(5)]
            wait_for(lambda: completed(instance) >= 1, 40)
            assert is_listening(erp_port)
        finally:
            process.send_signal(number)
            process.wait(30)
        wait_for(lambda: not is_listening(erp_port), 20)

    assert re.match(r"Demo ERP with 4540 products: http://127\.0\.0\.1:\d+", lines[0])
    assert lines[1].startswith(f"Service: http://127.0.0.1:{port} ")
    assert "token --user admin)" in lines[3]
    assert f"http://127.0.0.1:{port}/api/products/sync/metrics" in lines[4]
    wait_for(lambda: not is_listening(port), 20)


def sys_command(erp_port: int, folder: Path) -> tuple[str, ...]:
    """Return `serve --demo` with the demo ERP on a port of the test's own.

    The packaged source.toml names the one port of `make run`, which may be in use here.
    """
    copy = folder / "demo-source.toml"
    script = (
        "import pathlib, sys\n"
        "from archibald_sync.cli import serving\n"
        "from archibald_sync.cli.root import main\n"
        "packaged = serving._demo_source()\n"
        f"text = packaged.read_text('utf-8').replace(':8090', ':{erp_port}')\n"
        f"copy = pathlib.Path({str(copy)!r})\n"
        "copy.write_text(text, 'utf-8')\n"
        "serving._demo_source = lambda: copy\n"
        "sys.argv[0] = '/opt/x/archibald-sync'\n"
        "main()\n"
    )
    return (sys.executable, "-c", script, "serve", "--demo")


def is_listening(port: int) -> bool:
    """Return whether somebody listens on ``port``."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_demo_erp_that_cannot_start(instance: Instance, tmp_path: Path) -> None:
    """A port that is taken ends `serve --demo` with a sentence, before gunicorn."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = sys_command(taken.getsockname()[1], tmp_path)
        environ = {**os.environ, **instance.environ}
        done = subprocess.run(
            arguments, cwd=instance.folder, env=environ, capture_output=True, text=True, check=False
        )

    assert done.returncode == 1
    assert "error: the demo ERP did not start" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--bind", "3000"), "ARCHIBALD_BIND: '3000' is not valid"),
        (("--bind", "127.0.0.1:70000"), "ARCHIBALD_BIND"),
        (("--workers", "0", "--threads", "many"), "ARCHIBALD_THREADS: 'many' is not valid"),
        ((), "source.toml"),
    ],
    ids=["bind", "port", "numbers", "source"],
)
def test_serve_checks_first(instance: Instance, arguments: tuple[str, ...], words: str) -> None:
    """Wrong settings are a list and exit code 2, before gunicorn begins."""
    result = instance.run("serve", *arguments)

    assert result.exit_code == 2
    assert words in result.stderr


def test_scheduler_is_a_process_of_its_own(instance: Instance) -> None:
    """It boots, syncs and ends on SIGTERM, also where web workers leave the work to it."""
    instance.environ["ARCHIBALD_SCHEDULER"] = "off"
    with small_erp() as erp:
        instance.read_from(erp.url)
        with instance.process("scheduler") as process:
            try:
                wait_for(lambda: completed(instance) == 1, 30)
            finally:
                process.terminate()
                _, err = process.communicate(timeout=20)

    assert process.returncode == 0
    assert "[Boot] Starting background sync services..." in err
    assert "[ProductSyncService] Auto-sync successful (attempt 1)" in err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_demo_erp_alone(instance: Instance, number: signal.Signals) -> None:
    """It says where it listens, with as many products as asked for, and ends on a signal."""
    arguments = ("demo-erp", "--port", "0", "--rows", "12", "--seed", "7", "--no-drift")
    with instance.process(*arguments) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(number)
        process.wait(20)

    assert re.fullmatch(r"Demo ERP with 12 products: http://127\.0\.0\.1:\d+/?\n", line)
    assert process.returncode == 0


def test_the_unit_names_commands_that_exist() -> None:
    """The systemd unit starts the service as the documents say."""
    unit = Path(__file__).parents[2].joinpath("deploy/archibald-sync.service").read_text("utf-8")

    assert "ExecStart=/opt/archibald-sync/bin/archibald-sync serve\n" in unit
    assert "RestartPreventExitStatus=2\n" in unit
