"""How the API holds out under load, beside a bare Flask route in the same run.

    python bench/load.py --seconds 60 --sessions 1000000 --products 100000

It needs wrk. Everything runs on this machine, wrk too, and others may work on it: the
routes take turns in short slices, the bare one among them, and what counts are the medians
of the ratios between slices that stood side by side.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from load_slices import Served, Slice, serving, wrk

from archibald_sync.demo.server import DemoErp
from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

_SLICE_S = 5
_BARE = """
from flask import Flask
app = Flask("bare")

@app.get("/")
def bare():
    return {"answer": 42}
"""
_WORDS = ("FRESA", "H12", "tungsteno H30", "0100", "104.023", "gruppo 12", "H99 fresa", "KBN")
# Of the requests a second of the bare route; milliseconds.
_GOALS = {"metrics": 0.6, "product by id": 0.6}
_SEARCH_P95_MS = 50.0


@dataclass
class Route:
    """One route, asked for by turns: where it is, and what each slice saw."""

    served: Served
    paths: Sequence[str]
    slices: list[Slice] = field(default_factory=list)


def main() -> None:
    """Measure, print a table, and end with 1 where a goal is missed."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="archibald-load-") as name, ExitStack() as stack:
        folder = Path(name)
        token, product = _filled_instance(folder, options.sessions, options.products)
        bare = stack.enter_context(serving(folder, "bare:app"))
        application = ("-c", "python:archibald_sync.serving", "archibald_sync.app:create_app()")
        ours = stack.enter_context(serving(folder, *application))
        routes = {
            "bare route": Route(bare, ["/"]),
            "metrics": Route(ours, ["/api/products/sync/metrics"]),
            "product by id": Route(ours, [f"/api/products/{product}"]),
            "search": Route(ours, [f"/api/products?limit=20&q={_quoted(one)}" for one in _WORDS]),
        }
        memory = _measure(routes, options.seconds, token, folder)
    rows = _rows(routes)
    missed = _missed(rows)
    _print(rows, memory, missed)
    if options.json:
        found = {"routes": rows, "memoryMb": memory, "missed": missed}
        options.json.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    sys.exit(1 if missed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each route, in all")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        parser.error("wrk is missing; on Debian: apt-get install wrk")
    return options


def _measure(routes: dict[str, Route], seconds: int, token: str, folder: Path) -> list[float]:
    """Let the routes take turns; return the memory of the service in MB after each round."""
    ours = routes["metrics"].served
    for route in routes.values():  # each thread opens its connections
        wrk(route.served, route.paths, 2, token, folder)
    memory = [ours.memory_mb()]
    for _ in range(max(1, seconds // _SLICE_S)):
        for route in routes.values():
            route.slices.append(wrk(route.served, route.paths, _SLICE_S, token, folder))
        memory.append(ours.memory_mb())
    return memory


def _rows(routes: dict[str, Route]) -> dict[str, dict[str, float]]:
    bare = routes["bare route"].slices
    return {
        name: {
            "perSecond": median(one.per_second for one in route.slices),
            "ofBare": median(
                one.per_second / beside.per_second
                for one, beside in zip(route.slices, bare, strict=True)
            ),
            "cpuUs": median(one.cpu_us for one in route.slices),
            "p95Ms": median(one.p95_ms for one in route.slices),
            "worstP95Ms": max(one.p95_ms for one in route.slices),
            "p99Ms": median(one.p99_ms for one in route.slices),
            "errors": sum(one.errors for one in route.slices),
        }
        for name, route in routes.items()
    }


def _missed(rows: dict[str, dict[str, float]]) -> list[str]:
    """Return which goals were missed, in words."""
    missed = [
        f"{name}: {rows[name]['ofBare']:.0%} of the bare route, and not {goal:.0%}"
        for name, goal in _GOALS.items()
        if rows[name]["ofBare"] < goal
    ]
    if rows["search"]["p95Ms"] >= _SEARCH_P95_MS:
        missed.append(f"search: p95 {rows['search']['p95Ms']:.1f} ms, and not {_SEARCH_P95_MS}")
    return missed + [f"{name}: errors" for name, row in rows.items() if row["errors"]]


def _print(rows: dict[str, dict[str, float]], memory: list[float], missed: list[str]) -> None:
    names = ("requests/s", "of bare", "CPU µs", "p95 ms", "worst p95", "p99 ms", "errors")
    print(f"{'':15}" + "".join(f"{name:>11}" for name in names))
    for name, row in rows.items():
        shown = f"{row['perSecond']:11.0f}{row['ofBare']:11.0%}{row['cpuUs']:11.0f}"
        shown += f"{row['p95Ms']:11.1f}{row['worstP95Ms']:11.1f}{row['p99Ms']:11.1f}"
        print(f"{name:15}{shown}{row['errors']:11.0f}")
    half = memory[len(memory) // 2 :]
    print(
        f"memory of the service: {memory[0]} MB once each thread had its connections, "
        f"{half[0]} MB after half of the time, {memory[-1]} MB at the end"
    )
    print("\n".join(missed) if missed else "every goal is met")


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
    return _command("token", "--ttl", "14400").strip(), product


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


def _quoted(words: str) -> str:
    return words.replace(" ", "%20")


def _command(*arguments: str) -> str:
    command = [sys.executable, "-m", "archibald_sync.cli", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
