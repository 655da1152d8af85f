"""What a sync costs with everything around the engine: HTTP, sessions, schedule, workers."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Any

from engine import Unstoppable
from erp import serving, write_source
from measure import Measured, stopwatch

from archibald_sync.bootstrap import build_driver, build_services, initialise
from archibald_sync.config import Settings, load_settings
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_COMMAND = (sys.executable, "-m", "archibald_sync.cli")
_METRICS, _SYNC = "/api/products/sync/metrics", "/api/products/sync"
_WAIT_S, _POLL_S = 120.0, 0.05


def fetch(payload: str, folder: str, latency_ms: int, concurrency: int) -> Measured:
    """Read all pages of a payload from a server that takes its time for each."""
    measured = Measured()
    with tempfile.TemporaryDirectory(dir=folder) as place, serving([payload], latency_ms) as port:
        source = load_source(PRODUCTS, write_source(Path(place), port, concurrency), {})
        with stopwatch(measured):
            measured.facts["rows"] = sum(
                len(page.fingerprints) for page in source.pages(Unstoppable())
            )
    return measured


def whole_run(payload: str, folder: str) -> Measured:
    """Run twice over the same list; measure the second, as its row in ``sync_runs`` has it."""
    with _instance(Path(folder), [payload]) as settings:
        initialise(settings)
        services = build_services(settings)
        driver = build_driver(services, PRODUCTS, has_schedule=False)
        driver.start()
        try:
            runs = [_run(services.resources["products"]) for _ in range(2)]
        finally:
            driver.stop()
            services.storage.close()
    session = runs[-1]["sessions"][-1]
    facts = {name: session[f"items{name}"] for name in ("Created", "Updated", "Unchanged")}
    took_s = (runs[-1]["endedAt"] - runs[-1]["startedAt"]) / 1000
    return Measured(took_s, facts={"outcome": runs[-1]["outcome"], **facts})


def metrics_while_syncing(base: str, day: str, folder: str, samples: int) -> Measured:
    """Ask a service of two workers for its metrics, idle and while it syncs; compare p99."""
    with _instance(Path(folder), [base, day]) as settings, _service(settings) as client:
        client.sync()
        client.wait_until_idle()
        idle = [client.metrics() for _ in range(samples)]
        busy: list[float] = []
        while len(busy) < samples:
            client.sync()
            while len(busy) < 10 * samples and not client.is_idle(every=20):
                busy.append(client.metrics())
    return Measured(
        _p99(busy), reference_seconds=_p99(idle), facts={"busy": len(busy), "idle": len(idle)}
    )


class _Client:
    """Asks the service, over one connection, as an operator."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._asked = 0

    def metrics(self) -> float:
        """Return how long an answer took, in seconds."""
        began = time.perf_counter()
        status, _ = self._ask("GET", _METRICS)
        if status != http.client.OK:
            raise RuntimeError(f"metrics were answered with {status}")
        return time.perf_counter() - began

    def sync(self) -> None:
        """Begin a run; one that is at work already will do."""
        self._ask("POST", _SYNC, "{}")

    def is_idle(self, every: int = 1) -> bool:
        """Return whether no run is at work; really asks only each ``every``-th time."""
        self._asked += 1
        if self._asked % every:
            return False
        _, body = self._ask("GET", f"{_SYNC}/status")
        return b'"state":"running"' not in body.replace(b" ", b"")

    def wait_until_idle(self) -> None:
        """Return when no run is at work any more."""
        _until(self.is_idle)

    def _ask(self, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


@contextmanager
def _instance(folder: Path, payloads: Sequence[str]) -> Iterator[Settings]:
    """Return the settings of a new instance that reads from a server of ``payloads``."""
    with tempfile.TemporaryDirectory(dir=folder) as place, serving(payloads) as port:
        instance = Path(place) / "instance"
        instance.mkdir()
        write_source(instance, port)
        environ = {"ARCHIBALD_AUTO_SYNC": "off", "ARCHIBALD_INSTANCE": str(instance)}
        yield load_settings(environ, folder=Path(place), needs_secret=False)


@contextmanager
def _service(settings: Settings) -> Iterator[_Client]:
    environ = {**os.environ, **settings.environment}
    folder, port = settings.instance.parent, _free_port()
    log = folder / "service.log"

    def command(*arguments: str) -> list[str]:
        return [*_COMMAND, *arguments]

    subprocess.run(command("init"), cwd=folder, env=environ, check=True, capture_output=True)
    serve = command("serve", "--workers", "2", "--bind", f"127.0.0.1:{port}")
    with (
        log.open("wb") as output,
        subprocess.Popen(serve, cwd=folder, env=environ, stdout=output, stderr=output) as process,
    ):
        try:
            _until(lambda: _is_listening(port))
            token = subprocess.run(
                command("token"),
                cwd=folder,
                env=environ,
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
            yield _Client(port, token)
        finally:
            process.terminate()


def _run(asked: Any) -> Mapping[str, Any]:  # noqa: ANN401  # ResourceServices
    """Run once; return the row of the run."""
    intent = asked.schedule.answer(asked.schedule.run_now("bench"), _WAIT_S)
    run_id = str((intent.result or {})["runId"])
    _until(lambda: asked.monitoring.run(run_id)["outcome"] is not None)
    row: Mapping[str, Any] = asked.monitoring.run(run_id)
    return row


def _until(condition: Any) -> None:  # noqa: ANN401  # any callable
    pause, deadline = threading.Event(), time.monotonic() + _WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("the service did not get there in time")
        pause.wait(_POLL_S)


def _p99(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=100)[98]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
