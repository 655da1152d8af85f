"""A service of real processes, to be killed, stopped and restarted at will, and its clients."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from chaos_ledger import Ledger
from cli_support import Instance, made_instance
from erp_support import free_port, source_file
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest
    from chaos_erp import ChaosErp

APPLICATION = "archibald_sync.app:create_app()"
FAST_APPLICATION = "chaos_app:create_app()"
# Nothing here takes so long; a machine with other work to do may.
PATIENCE_S = 60.0

_PAGES = '{{ style = "page", page_param = "page", size_param = "size", size = {size}, first = 1, '
_PAGES += 'total_pages = "totalPages" }}'


@dataclass(frozen=True)
class Answer:
    """What came back for a request."""

    status: int
    body: Any
    took_s: float


class Client:
    """Speaks to a service as an admin, over a new connection each time: any worker answers."""

    def __init__(self, port: int, token: str) -> None:
        """Speak to ``port`` of this machine."""
        self._port = port
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(
        self, method: str, path: str, body: object = None, key: str | None = None
    ) -> Answer | None:
        """Return the answer; None where the connection broke before there was one.

        Args:
            method: The HTTP method.
            path: The path below the server's root.
            body: What to send as JSON; None sends nothing.
            key: The Idempotency-Key.
        """
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_S)
        began_s = time.perf_counter()
        try:
            connection.request(
                method, path, json.dumps(body) if body is not None else None, headers
            )
            response = connection.getresponse()
            text = response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        took_s = time.perf_counter() - began_s
        is_json = "json" in (response.getheader("Content-Type") or "")
        return Answer(response.status, json.loads(text) if is_json and text else None, took_s)

    def sure(self, method: str, path: str, body: object = None) -> Answer:
        """Return the answer of a service that nobody kills now."""
        answer = self.call(method, path, body)
        assert answer is not None, f"{method} {path}: no answer"
        assert answer.status < http.client.BAD_REQUEST, answer
        return answer

    def is_answered(self) -> bool:
        """Return whether a worker serves."""
        answer = self.call("GET", "/livez")
        return answer is not None and answer.status == http.client.OK


class Service:
    """One gunicorn: its master, its workers, its log and its client."""

    def __init__(self, site: Site, options: tuple[str, ...], application: str) -> None:
        """Start ``python -m gunicorn`` with ``options``, on a free port."""
        self.ledger = site.ledger
        self.port = free_port()
        self.client = Client(self.port, site.token)
        self.log = site.instance.folder / f"service-{self.port}.log"
        settings = ["-c", "python:archibald_sync.serving", "-b", f"127.0.0.1:{self.port}"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *settings, *options, application],
                cwd=site.instance.folder,
                env={**os.environ, **site.environ},
                stdout=log,
                stderr=log,
            )
        self.master = psutil.Process(self.process.pid)
        self._known: set[psutil.Process] = set()

    def workers(self) -> list[psutil.Process]:
        """Return the workers of now."""
        with suppress(psutil.NoSuchProcess):
            found: list[psutil.Process] = self.master.children()
            self._known.update(found)
            return found
        return []

    def owner(self) -> psutil.Process | None:
        """Return the worker that holds the lease now, if it is one of ours and alive."""
        lease = self.ledger.lease()
        if lease["expiresBootMs"] <= time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000:
            return None
        return next((one for one in self.workers() if one.pid == lease["pid"]), None)

    def await_owner(self, after_epoch: int = 0) -> psutil.Process:
        """Return the owner, once there is one of a later epoch than ``after_epoch``."""
        wait_for(lambda: self.ledger.lease()["epoch"] > after_epoch and self.owner(), PATIENCE_S)
        owner = self.owner()
        assert owner is not None
        return owner

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the master."""
        self.process.send_signal(number)

    def living(self) -> list[psutil.Process]:
        """Return those of all workers ever seen that have not ended."""
        self.workers()
        return [one for one in self._known if one.is_running() and not _is_zombie(one)]

    def end(self) -> float:
        """Tell the service to end; return after how many seconds all of it had ended."""
        self.workers()
        began_s = time.monotonic()
        self.signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        wait_for(lambda: not self.living(), PATIENCE_S)
        return time.monotonic() - began_s

    def clear(self) -> None:
        """Leave no process behind."""
        for one in [*self.workers(), *self._known]:
            with suppress(psutil.NoSuchProcess):
                one.send_signal(signal.SIGCONT)
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        for one in {*self.workers(), *self._known}:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.kill()
        self.process.wait()


class Site:
    """An instance that reads from a demo ERP, on which services are started."""

    erp: ChaosErp  # where it runs in this process

    def __init__(self, instance: Instance, url: str, page_size: int) -> None:
        """Make the instance, with the products at ``url`` as its source."""
        self.instance = instance
        self.url = url
        instance.init()
        pagination = _PAGES.format(size=page_size)
        folder = instance.folder / "instance"
        with source_file(folder, url, pagination=pagination).open("a", encoding="utf-8") as source:
            # Reads that are killed add their changes to those of the next.
            source.write("\n[products.guards]\nmax_updated_ratio = 1.0\n")
        self.token = instance.run("token", "--ttl", "86400").stdout.strip()
        self.ledger = Ledger(instance.folder / "instance/archibald_sync.sqlite3")
        tests = str(Path(__file__).parent)
        self.environ = {**instance.environ, "PYTHONPATH": tests, "ARCHIBALD_WORKERS": "2"}
        self.environ["ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS"] = "0"
        self.environ["ARCHIBALD_SYNC_INTERVAL_MINUTES"] = "1"

    @contextmanager
    def service(self, *options: str, application: str = FAST_APPLICATION) -> Iterator[Service]:
        """Run a service inside the block, once it answers."""
        service = Service(self, options, application)
        try:
            wait_for(service.client.is_answered, PATIENCE_S)
            yield service
        except BaseException:
            print(service.log.read_text("utf-8", "replace")[-8000:])  # noqa: T201  # with a failure
            raise
        finally:
            service.clear()

    def await_page(self) -> None:
        """Return when a run has read its first page and asks for the next."""
        self.erp.recorded.is_asked_for_more.clear()
        assert self.erp.recorded.is_asked_for_more.wait(PATIENCE_S), "no run began"

    def await_runs(self, number: int, outcome: str = "completed") -> None:
        """Return when so many runs have ended with ``outcome``."""
        wait_for(lambda: len(self.ledger.runs(outcome)) >= number, PATIENCE_S)

    def is_locked(self) -> bool:
        """Return whether somebody is inside a write of the main database."""
        path = self.ledger.path
        with path.with_name(f"{path.name}.gate").open("r+b") as gate:
            try:
                fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


@contextmanager
def made_site(
    folder: Path, monkeypatch: pytest.MonkeyPatch, erp: ChaosErp, page_size: int = 50
) -> Iterator[Site]:
    """Yield a site in ``folder``, its ERP listening."""
    with erp, made_instance(folder, monkeypatch) as instance:
        site = Site(instance, erp.url("/api/products"), page_size)
        site.erp = erp
        yield site


def _is_zombie(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
