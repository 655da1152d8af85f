"""One slice of load: a service of its own processes, and wrk that asks it for a while."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_WORKERS = ("-w", "2", "--threads", "8")  # more than one thread makes gunicorn's worker gthread
_CONNECTIONS = 16
_BOOT_S = 120
# wrk itself prints no 95th percentile, and counts what is no success in words.
_SCRIPT = """
local paths = {%s}
local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", paths[n %% #paths + 1], {["Authorization"] = "Bearer %s"})
end
done = function(summary, latency)
  local e = summary.errors
  local errors = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format(
    '\\n{"requests": %%d, "durationUs": %%d, "p95Us": %%d, "p99Us": %%d, "errors": %%d}\\n',
    summary.requests, summary.duration, latency:percentile(95), latency:percentile(99), errors))
end
"""


@dataclass(frozen=True)
class Slice:
    """What wrk saw, and the time on the processor that each request cost the service."""

    per_second: float
    cpu_us: float
    p95_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True)
class Served:
    """A service under test."""

    url: str
    master: psutil.Process

    def cpu_s(self) -> float:
        """Return what its processes have used of the processor, in seconds."""
        times = [one.cpu_times() for one in self._processes()]
        return float(sum(one.user + one.system for one in times))

    def memory_mb(self) -> float:
        """Return what its processes use, shared pages counted once, in 10^6 bytes."""
        total = sum(int(one.memory_full_info().pss) for one in self._processes())
        return round(total / 1e6, 1)

    def _processes(self) -> list[psutil.Process]:
        return [self.master, *self.master.children(recursive=True)]


@contextmanager
def serving(folder: Path, *application: str) -> Iterator[Served]:
    """Serve with gunicorn on a free port."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = "http://{}:{}".format(*listener.getsockname())
        bind = ["-b", f"fd://{listener.fileno()}"]
        options = [*_WORKERS, *bind, "--no-control-socket", "--log-level", "error"]
        command = [sys.executable, "-m", "gunicorn", *application[:-1], *options, application[-1]]
        process = subprocess.Popen(
            command, cwd=folder, stderr=subprocess.DEVNULL, pass_fds=[listener.fileno()]
        )
    with process:
        try:
            _await_first_answer(url)
            yield Served(url, psutil.Process(process.pid))
        finally:
            process.send_signal(signal.SIGTERM)


def _await_first_answer(url: str) -> None:
    """Return once a worker answers: until then the question waits in the listener's queue."""
    try:
        urllib.request.urlopen(f"{url}/livez", timeout=_BOOT_S).close()  # noqa: S310  # our own server
    except urllib.error.HTTPError as exc:
        exc.close()  # it answers: the bare application has no such page


def wrk(served: Served, paths: Sequence[str], seconds: int, token: str, folder: Path) -> Slice:
    """Ask for ``paths`` by turns for ``seconds``."""
    script = folder / "slice.lua"
    script.write_text(_SCRIPT % (", ".join(f'"{path}"' for path in paths), token), "utf-8")
    command = ["wrk", "-t2", f"-c{_CONNECTIONS}", f"-d{seconds}s", "-s", str(script), served.url]
    cpu_s = served.cpu_s()
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    used_s = served.cpu_s() - cpu_s
    seen = json.loads(out.strip().splitlines()[-1])
    return Slice(
        per_second=seen["requests"] / (seen["durationUs"] / 1e6),
        cpu_us=used_s / max(seen["requests"], 1) * 1e6,
        p95_ms=seen["p95Us"] / 1000,
        p99_ms=seen["p99Us"] / 1000,
        errors=seen["errors"],
    )
