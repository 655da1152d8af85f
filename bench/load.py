"""How the API holds out under load, beside a bare Flask route in the same run.

    python bench/load.py --seconds 60 --sessions 1000000 --products 100000

It needs wrk. Everything runs on this machine: the figures that count are the ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from archibald_sync.demo.server import DemoErp
from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORKERS = ("-w", "2", "-k", "gthread", "--threads", "8")
_CONNECTIONS = 16
_BARE = """
from flask import Flask
app = Flask("bare")

@app.get("/")
def bare():
    return {"answer": 42}
"""
_WORDS = ("FRESA", "H12", "tungsteno H30", "0100", "104.023", "gruppo 12", "H99 fresa", "KBN")
_SEARCH = """
local words = {%s}
local n = 0
request = function()
  n = n + 1
  local path = "/api/products?limit=20&q=" .. words[n %% #words + 1]
  return wrk.format("GET", path, {["Authorization"] = "Bearer %s"})
end
"""


@dataclass(frozen=True)
class Result:
    """What wrk saw: requests a second, the 99th percentile, answers that were no success."""

    per_second: float
    p99_ms: float
    errors: int


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="archibald-load-") as name:
        folder = Path(name)
        token, product = _filled_instance(folder, options.sessions, options.products)
        with _serving(folder, "bare:app") as bare_url:
            bare = _wrk(f"{bare_url}/", options.seconds)
        application = ("-c", "python:archibald_sync.serving", "archibald_sync.app:create_app()")
        with _serving(folder, *application) as url:
            before = _memory_mb()
            routes = {
                "metrics": f"{url}/api/products/sync/metrics",
                "product by id": f"{url}/api/products/{product}",
            }
            found = {name: _wrk(one, options.seconds, token) for name, one in routes.items()}
            found["search"] = _search(folder, url, options.seconds, token)
            after = _memory_mb()
    _print(bare, found, before, after)
    if options.json:
        rows = {name: vars(result) for name, result in {"bare route": bare, **found}.items()}
        memory = {"memoryBeforeMb": before, "memoryAfterMb": after}
        options.json.write_text(json.dumps(rows | memory, indent=2) + "\n", "utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is missing; on Debian: apt-get install wrk")
    return options


def _filled_instance(folder: Path, sessions: int, products: int) -> tuple[str, str]:
    """Make an instance with a long past; return a token and the id of a product."""
    os.environ |= {"ARCHIBALD_INSTANCE": str(folder), "ARCHIBALD_AUTO_SYNC": "off"}
    os.environ["ARCHIBALD_SOURCE"] = str(folder / "source.toml")
    (folder / "bare.py").write_text(_BARE, "utf-8")
    _command("init")
    with DemoErp(rows=products, drift=False) as erp:
        packaged = Path(sys.modules[DemoErp.__module__].__file__ or "").with_name("source.toml")
        source = packaged.read_text("utf-8").replace("http://127.0.0.1:8090", erp.url())
        (folder / "source.toml").write_text(source.replace("size = 500", "size = 5000"), "utf-8")
        print(_command("sync", "--no-progress").strip())
    database = Database(folder / "archibald_sync.sqlite3")
    _add_sessions(database, sessions)
    product = database.rows("SELECT id FROM products LIMIT 1 OFFSET 50")[0]["id"]
    database.close()
    return _command("token").strip(), product


def _add_sessions(database: Database, count: int) -> None:
    """Write a past of half-hourly syncs, one in fifty failed."""
    first = int(time.time() * 1000) - count * 1_800_000
    rows = (
        (
            f"products-sync-{first + number * 1_800_000}",
            first + number * 1_800_000,
            first + number * 1_800_000 + 700,
            "completed" if number % 50 else "failed",
        )
        for number in range(count)
    )
    with database.transaction() as connection:
        connection.executemany(
            "INSERT INTO sync_sessions (id, syncType, startedAt, completedAt, status, syncMode) "
            "VALUES (?, 'products', ?, ?, ?, 'auto')",
            rows,
        )


def _command(*arguments: str) -> str:
    command = [sys.executable, "-m", "archibald_sync.cli", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@contextmanager
def _serving(folder: Path, *application: str) -> Iterator[str]:
    """Serve with gunicorn on a free port; yield the URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = "127.0.0.1:{1}".format(*probe.getsockname())
    options = [*_WORKERS, "-b", address, "--no-control-socket", "--log-level", "error"]
    command = [sys.executable, "-m", "gunicorn", *application[:-1], *options, application[-1]]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            _await(f"http://{address}/livez")
            yield f"http://{address}"
        finally:
            process.send_signal(signal.SIGTERM)


def _await(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  # our own server
        except urllib.error.HTTPError:
            return  # it answers: the bare application has no such page
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nobody answers at {url}")


def _wrk(url: str, seconds: int, token: str = "", script: Path | None = None) -> Result:
    header = ["-H", f"Authorization: Bearer {token}"] if token else []
    scripted = ["-s", str(script)] if script else []
    command = ["wrk", "-t2", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency", *header, *scripted]
    out = subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", out)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", out)
    errors = int(failed[1]) if failed else 0
    return Result(
        float(rate[1]) if rate else 0.0,
        _percentile_ms(out),
        errors + (sum(map(int, broken.groups())) if broken else 0),
    )


def _percentile_ms(out: str) -> float:
    """Return the 99th percentile: wrk prints no 95th, which is better than it."""
    found = re.search(r"99%\s+([\d.]+)(us|ms|s)", out)
    units_ms: dict[str, float] = {"us": 0.001, "ms": 1.0, "s": 1000.0}
    if found is None:
        return float("nan")
    figure, unit = float(found[1]), units_ms[found[2]]
    return figure * unit


def _search(folder: Path, url: str, seconds: int, token: str) -> Result:
    script = folder / "search.lua"
    words = ", ".join(f'"{word.replace(" ", "%20")}"' for word in _WORDS)
    script.write_text(_SEARCH % (words, token), "utf-8")
    return _wrk(url, seconds, token, script)


def _memory_mb() -> float:
    """Return what the service's processes use, shared pages counted once."""
    mine = psutil.Process().children(recursive=True)
    total = sum(int(one.memory_full_info().pss) for one in mine)
    return round(total / 1e6, 1)


def _print(bare: Result, found: dict[str, Result], before: float, after: float) -> None:
    print(f"{'':16}{'requests/s':>12}{'of bare':>9}{'p99 ms':>9}{'errors':>8}")
    for name, one in {"bare route": bare, **found}.items():
        share = one.per_second / bare.per_second
        print(f"{name:16}{one.per_second:12.0f}{share:9.0%}{one.p99_ms:9.1f}{one.errors:8d}")
    print(f"memory of the service: {before} MB before, {after} MB after")


if __name__ == "__main__":
    main()
