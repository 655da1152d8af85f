"""What the tests of the command line share: an instance in a folder of its own, a small ERP."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner
from support import wait_for

from archibald_sync.bootstrap import build_driver, build_services
from archibald_sync.cli.root import cli
from archibald_sync.config import load_settings
from archibald_sync.logs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pytest
    from click.testing import Result

    from archibald_sync.bootstrap import Services

COMMAND = (sys.executable, "-m", "archibald_sync.cli")


@dataclass
class SmallErp:
    """An ERP that answers with ``records``, or with ``status``, once ``gate`` is open."""

    url: str = ""
    records: list[dict[str, object]] = field(default_factory=list)
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Event = field(default_factory=threading.Event)


class _Handler(BaseHTTPRequestHandler):
    """Answers every GET in the same way."""

    erp: SmallErp

    def do_GET(self) -> None:
        """Send what the ERP is told to answer."""
        self.erp.asked.set()
        self.erp.gate.wait(30)
        body = json.dumps({"items": self.erp.records, "total": len(self.erp.records)}).encode()
        try:
            self.send_response(self.erp.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            return  # the client has gone: a run was cancelled

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def small_erp(count: int = 5) -> Iterator[SmallErp]:
    """Serve ``count`` products on a free port."""
    erp = SmallErp(records=[{"ITEMID": f"{n:06d}K2", "NAME": f"H{n}"} for n in range(count)])
    erp.gate.set()
    handler = type("Handler", (_Handler,), {"erp": erp})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    erp.url = f"http://127.0.0.1:{server.server_address[1]}/api/products"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield erp
    finally:
        erp.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


class Instance:
    """An instance in ``folder``, driven through its command line."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        """Use ``folder`` as the working folder, and ``environ`` beside the test's own."""
        self.folder = folder
        self.environ = environ

    def run(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run a command in this process."""
        return CliRunner().invoke(cli, arguments, input=stdin, prog_name="archibald-sync")

    def process(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401
        """Start a command as a process of its own, its outputs piped unless ``options`` say."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environ},
            text=True,
            **{**pipes, **options},
        )

    def call(self, *arguments: str, stdin: str | None = None) -> tuple[int, str, str]:
        """Run a command as a process; return its exit code and both outputs."""
        with self.process(*arguments, stdin=subprocess.PIPE) as process:
            out, err = process.communicate(stdin, timeout=60)
        return process.returncode, out, err

    def init(self) -> str:
        """Make the instance; return the password of its admin."""
        result = self.run("init")
        assert result.exit_code == 0, result.output
        return result.stdout.splitlines()[-1].rsplit(" ", 1)[-1]

    def read_from(self, url: str, extra: Sequence[str] = ()) -> None:
        """Write a source.toml that reads products from ``url``."""
        lines = [
            "[products]",
            'kind = "rest"',
            f'url = "{url}"',
            'records = "items"',
            'total = "total"',
            *extra,
            "[products.fields]",
            'id = "ITEMID"',
            'name = "NAME"',
        ]
        self.folder.joinpath("instance").mkdir(exist_ok=True)
        self.folder.joinpath("instance/source.toml").write_text("\n".join(lines) + "\n", "utf-8")


@contextmanager
def made_instance(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Yield an instance that is not initialised, with none of the developer's settings."""
    for name in list(os.environ):
        if name.startswith(("ARCHIBALD_", "JWT_SECRET_KEY")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(folder)
    environ = {"ARCHIBALD_SYNC_RETRY_DELAYS_SECONDS": "0"}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with untouched_logging():
        yield Instance(folder, environ)


@contextmanager
def untouched_logging() -> Iterator[None]:
    """Put the log set-up back after the block: a command sends it to its own stderr."""
    logger = logging.getLogger(ROOT)
    before = logger.handlers[:], logger.level, logger.propagate
    try:
        yield
    finally:
        logger.handlers[:], logger.level, logger.propagate = before


@contextmanager
def driving_service() -> Iterator[Services]:
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
