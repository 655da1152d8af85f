"""`serve` and `scheduler`: the processes that run for long."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import tomllib
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from archibald_sync import logs
from archibald_sync.app import Background
from archibald_sync.bootstrap import build_driver, build_services, source_of
from archibald_sync.cli.instance import opened_services, require_database
from archibald_sync.cli.signals import until_told_to_end
from archibald_sync.config import load_settings
from archibald_sync.domain.resources import RESOURCES
from archibald_sync.errors import ArchibaldSyncError, ConfigError, ConfigFault

if TYPE_CHECKING:
    from archibald_sync.config import Settings

_BIND, _WORKERS, _THREADS = "ARCHIBALD_BIND", "ARCHIBALD_WORKERS", "ARCHIBALD_THREADS"
_DEFAULT_BIND = "127.0.0.1:3000"
_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:]+\]|[^:\[\]/]*):(?P<port>\d{1,5})")
_MAX_PORT = 65535
_EVERYWHERE = ("", "0.0.0.0", "[::]")  # noqa: S104  # compared with, not listened on


@click.command()
@click.option("--demo", is_flag=True, help="Read from a demo ERP that runs along.")
@click.option("--bind", help=f"Address to listen on; else {_BIND}, else {_DEFAULT_BIND}.")
@click.option("--workers", help=f"Processes; else {_WORKERS}, else 2.")
@click.option("--threads", help=f"Threads a process; else {_THREADS}, else 8.")
def serve(*, demo: bool, bind: str | None, workers: str | None, threads: str | None) -> None:
    """Run the service.

    The settings are checked first; then gunicorn takes the place of this process, so
    that signals go to it.
    """
    settings = load_settings()
    if demo:
        settings = replace(settings, source=_demo_source())
    given = {_BIND: bind, _WORKERS: workers, _THREADS: threads}
    environment = _serving_environment(settings, given)
    _require_usable(settings)
    if demo:
        environment["ARCHIBALD_SOURCE"] = str(settings.source)
        click.echo(_start_demo_erp(_port_of(settings.source)))
        click.echo(welcome(environment.get(_BIND, _DEFAULT_BIND)))
    sys.stdout.flush()
    application = "archibald_sync.app:create_app()"
    options = ["-m", "gunicorn", "-c", "python:archibald_sync.serving", application]
    os.execve(sys.executable, [sys.executable, *options], environment)  # noqa: S606


@click.command()
def scheduler() -> None:
    """Run the scheduler as a process of its own.

    For web workers that run with ARCHIBALD_SCHEDULER=off.
    """
    with opened_services() as services:
        logs.configure(services.settings.log_format)
        drivers = {
            name: build_driver(services, one.resource) for name, one in services.resources.items()
        }
        work = Background(services, drivers)
        with until_told_to_end():
            work.start()
            threading.Event().wait()
        work.stop()


def _require_usable(settings: Settings) -> None:
    """Find now what would otherwise fail in each worker, with a traceback.

    Raises:
        ConfigError: ``source.toml`` is missing or wrong, or there is no database.
        StorageError: A database cannot be used.
    """
    require_database(settings)
    build_services(settings).storage.close()
    if settings.is_scheduler_on:
        for resource in RESOURCES.values():
            source_of(settings, resource)


def _serving_environment(settings: Settings, given: dict[str, str | None]) -> dict[str, str]:
    """Return the environment for gunicorn: options first, then the environment, then .env.

    Raises:
        ConfigError: An address or a number is wrong.
    """
    found = {key: given[key] or settings.environment.get(key, "").strip() for key in given}
    faults = [fault for key, text in found.items() if text and (fault := _fault(key, text))]
    if faults:
        raise ConfigError(faults)
    return {**os.environ, **{key: text for key, text in found.items() if text}}


def _fault(key: str, text: str) -> ConfigFault | None:
    if key == _BIND:
        address = _ADDRESS.fullmatch(text)
        is_right = text.startswith("unix:") or (address and int(address["port"]) <= _MAX_PORT)
        remedy = f"write host:port such as {_DEFAULT_BIND}, or unix:/path"
    else:
        is_right = text.isascii() and text.isdigit() and 1 <= int(text) <= 64  # noqa: PLR2004
        remedy = "write a whole number from 1 to 64"
    return None if is_right else ConfigFault(key, f"{text!r} is not valid", remedy)


def _demo_source() -> Path:
    return Path(str(resources.files("archibald_sync.demo") / "source.toml"))


def _port_of(source: Path) -> int:
    """Return the port that the first resource of a ``source.toml`` is read from."""
    tables = tomllib.loads(source.read_text("utf-8"))
    return urlsplit(tables[next(iter(RESOURCES))]["url"]).port or 0


def _start_demo_erp(port: int) -> str:
    """Start the demo ERP on ``port``; return what it says about itself when it listens.

    It lives for as long as the pipe to its standard input: we keep our end open
    through the exec, and the system closes it however this process or its workers end.
    """
    ours, theirs = _pipe_that_survives_exec()
    command = [sys.executable, "-m", "archibald_sync.cli", "demo-erp", "--until-stdin-ends"]
    child = subprocess.Popen(  # noqa: S603  # our own command
        [*command, "--port", str(port)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for the service; the demo ERP ends after it
    )
    os.close(theirs)
    line = child.stdout.readline().strip() if child.stdout else ""
    if not line:
        os.close(ours)
        child.wait()
        raise ArchibaldSyncError("the demo ERP did not start; its message stands above")
    return line


def _pipe_that_survives_exec() -> tuple[int, int]:
    """Return our writing end, which an exec keeps, and the reading end."""
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # noqa: FBT003  # that is its signature
    return writing, reading


def welcome(bind: str) -> str:
    """Return the address of the service, and commands that are ready to be used."""
    address = _ADDRESS.fullmatch(bind)
    if address is None:
        return f"The service listens on {bind}."
    host = "127.0.0.1" if address["host"] in _EVERYWHERE else address["host"]
    url = f"http://{host}:{address['port']}"
    return (
        f"Service: {url}   (API: {url}/api/openapi.json)\n"
        "Try, from this folder in another terminal:\n"
        f"  JWT_TOKEN=$({own_command()} token --user admin)\n"
        f'  curl -H "Authorization: Bearer $JWT_TOKEN" {url}/api/products/sync/metrics'
    )


def own_command() -> str:
    """Return how the operator can call this very command: short where that is certain."""
    script = Path(sys.argv[0]).absolute()
    found = shutil.which("archibald-sync")
    if found is not None and Path(found).absolute() == script:
        return "archibald-sync"
    folder = Path.cwd()
    return str(script.relative_to(folder) if script.is_relative_to(folder) else script)
