"""A gateway that sends the pages of payloads, and nothing else, in a process of its own.

``python bench/erp.py LATENCY_MS PAYLOAD …`` prints its port and serves until its standard
input ends. Each read from the first page on gets the next of the payloads, in turn.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from payload import COLUMNS, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SOURCE = """
[products]
kind = "rest"
url = "http://127.0.0.1:{port}/products"
records = "items"
total = "total"
pagination = {{ style = "page", page_param = "page", total_pages = "totalPages" }}
concurrency = {concurrency}
conditional = false
auth = {{ type = "none" }}

[products.fields]
"""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, payloads: Sequence[list[bytes]], latency_s: float) -> None:
        self.payloads = payloads
        self.latency_s = latency_s
        self.reads = -1
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # it would wait for the client between head and body
    server: _Server

    def do_GET(self) -> None:
        """Send a page, after the latency."""
        page = int(parse_qs(urlsplit(self.path).query)["page"][0])
        if page == 1:
            self.server.reads += 1
        body = self.server.payloads[max(self.server.reads, 0) % len(self.server.payloads)][page - 1]
        time.sleep(self.server.latency_s)  # the latency itself
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(payloads: Sequence[str], latency_ms: int = 0) -> Iterator[int]:
    """Serve ``payloads`` while in the block; return the port."""
    command = [sys.executable, __file__, str(latency_ms), *payloads]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("the server has no pipes")
        yield int(process.stdout.readline())
        process.stdin.close()


def write_source(folder: Path, port: int, concurrency: int = 4) -> Path:
    """Write a ``source.toml`` that reads from ``port`` into ``folder``; return it."""
    fields = "".join(f'{ours} = "{theirs}"\n' for ours, theirs in COLUMNS.items())
    path = folder / "source.toml"
    path.write_text(_SOURCE.format(port=port, concurrency=concurrency) + fields, "utf-8")
    return path


def main(arguments: list[str]) -> None:
    """Serve until the standard input ends."""
    latency_ms, *paths = arguments
    payloads = [list(Payload(Path(path)).pages()) for path in paths]
    server = _Server(payloads, int(latency_ms) / 1000)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
