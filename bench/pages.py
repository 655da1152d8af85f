"""How heavy the pages are, how soon they can be used, and whether many of them starve the service.

    make pages

It needs Chromium. Everything runs on this machine, the browser with all its pages too:
it is most of the load, and the times are those of a machine that is busy with it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from browser_support import Site, Weight, running_browser, running_site, watched_page
from load import _add_sessions
from support import wait_for

from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    from chaos_support import Client
    from playwright.sync_api import Browser, Page

_LOADS = 5
_A_CONTEXT = 5  # pages: browsers open six connections to a host, and each context has its own
_MOST_BYTES, _MOST_MS, _MOST_PROBE_MS = 150_000, 1000.0, 100.0
_MOST_GROWTH = 1.1  # of the memory of a worker between the half and the end
_PROBE_PAUSE_S, _RUN_EACH_S = 0.1, 20
_RUNS = """
INSERT INTO sync_runs (id, resource, "trigger", startedAt, endedAt, outcome, attempts, epoch)
SELECT 'run-' || id, 'products', 'schedule', startedAt, completedAt, status, 1, 1
FROM sync_sessions WHERE runId IS NULL
"""


def main() -> None:
    """Measure, print two tables, and end with 1 where a goal is missed."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="archibald-pages-") as folder,
        running_site(Path(folder), rows=options.products) as site,
        running_browser() as browser,
    ):
        _fill(site, options.sessions)
        missed = _measure_pages(site, browser)
        missed += _measure_many(site, browser, options.open, options.minutes)
    print("\n".join(missed) if missed else "every goal is met")
    sys.exit(1 if missed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--open", type=int, default=50, help="how many pages at once")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--products", type=int, default=100_000)
    return parser.parse_args()


def _fill(site: Site, sessions: int) -> None:
    """Give a service whose first sync is done a long past, with a run for each session."""
    wait_for(lambda: '"completed"' in site.instance.call("history", "--json")[1], 600)
    site.stop()
    database = Database(site.database)
    _add_sessions(database, sessions)
    with database.transaction() as connection:
        connection.execute(_RUNS)
        connection.execute("UPDATE sync_sessions SET runId = 'run-' || id WHERE runId IS NULL")
    database.close()
    site.start()


def _measure_pages(site: Site, browser: Browser) -> list[str]:
    """Load each page with an empty cache, again and again; return what missed its goal."""
    missed = []
    print(f"{'page':12}{'kB':>8}{'usable ms, median':>20}{'worst':>8}")
    with watched_page(browser, site.url) as watched:
        watched.log_in("admin")
        for path, name in site.pages().items():
            loads = [watched.weigh(path) for _ in range(_LOADS)]
            missed += _judged(name, loads)
    return missed


def _judged(name: str, loads: list[Weight]) -> list[str]:
    size = max(one.size_bytes for one in loads)
    times = [one.usable_ms for one in loads]
    print(f"{name:12}{size / 1000:8.1f}{median(times):20.0f}{max(times):8.0f}", flush=True)
    missed = [f"{name}: {size} bytes"] if size > _MOST_BYTES else []
    return missed + ([f"{name}: {median(times):.0f} ms"] if median(times) > _MOST_MS else [])


def _measure_many(site: Site, browser: Browser, count: int, minutes: float) -> list[str]:
    """Keep ``count`` pages open while runs begin and end; return what missed its goal."""
    paths = list(site.pages())
    client = site.client(ttl_s=int(minutes * 60) + 3600)
    probe = _Probe(client)
    with ExitStack() as stack:
        pages = []
        for first in range(0, count, _A_CONTEXT):
            watched = stack.enter_context(watched_page(browser, site.url))
            watched.log_in("admin")
            for number in range(first, min(first + _A_CONTEXT, count)):
                page = watched.context.new_page()
                page.goto(site.url + paths[number % len(paths)])
                pages.append(page)
        stack.enter_context(probe)
        memory = _watch(site, client, pages, minutes)
    return _judge_many(count, probe.times_ms, memory)


def _watch(site: Site, client: Client, pages: list[Page], minutes: float) -> list[list[float]]:
    """Let runs begin and end; return the memory of each worker in MB after each of them."""
    memory = [site.memory_mb()]
    for _ in range(max(2, round(minutes * 60 / _RUN_EACH_S))):
        client.call("POST", "/api/products/sync/run", {})
        pages[0].wait_for_timeout(_RUN_EACH_S * 1000)
        memory.append(site.memory_mb())
    return memory


def _judge_many(count: int, times_ms: list[float], memory: list[list[float]]) -> list[str]:
    half = memory[len(memory) // 2 :]
    p95 = quantiles(times_ms, n=20)[-1]
    print(
        f"{count} open pages: {len(times_ms)} probes, p50 {median(times_ms):.0f} ms, "
        f"p95 {p95:.0f} ms, worst {max(times_ms):.0f} ms\n"
        f"memory of the workers, MB: {memory[0]} at first, {half[0]} after half of the time, "
        f"{memory[-1]} at the end"
    )
    missed = [f"probe: p95 {p95:.0f} ms"] if p95 > _MOST_PROBE_MS else []
    grown = sum(memory[-1]) / sum(half[0])
    return missed + ([f"memory: grown to {grown:.0%}"] if grown > _MOST_GROWTH else [])


class _Probe:
    """Asks the API again and again in a thread of its own while the block lasts."""

    def __init__(self, client: Client) -> None:
        self.times_ms: list[float] = []
        self._client = client
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._is_over.wait(_PROBE_PAUSE_S):
            answer = self._client.sure("GET", "/api/products/sync/status")
            self.times_ms.append(answer.took_s * 1000)


if __name__ == "__main__":
    main()
