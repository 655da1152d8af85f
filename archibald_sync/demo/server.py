"""The demo ERP's server: real sockets, so that it can fail as real servers do."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import struct
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from archibald_sync.demo import pages as face
from archibald_sync.demo.catalogue import DemoCatalogue, Revision
from archibald_sync.demo.faults import FAULTS, FaultSwitches

if TYPE_CHECKING:
    from typing import Self

_ROOT = "/api/products"
_LOGIN_PAGE = b"<html><form action='Login.aspx'><input type='password'></form></html>"
_ERROR_PAGE = b"<html><body>requested objects cannot be loaded</body></html>"
_MAX_BODY_BYTES = 65536


class DemoErp:
    """A demo ERP on a port of this machine."""

    def __init__(
        self,
        rows: int = 4540,
        seed: int = 1,
        *,
        drift: bool = True,
        port: int = 0,
        host: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Make the products; nothing listens before ``start``.

        Args:
            rows: How many products the first read finds.
            seed: What the products are made from.
            drift: Whether they change a little from read to read.
            port: Where to listen; 0 means any free port.
            host: On which address.
            headers: What a request must carry to be answered; None means nothing.
        """
        self.pages = face.Pages(DemoCatalogue(rows, seed), drift=drift)
        self.faults = FaultSwitches()
        self.headers = headers or {}
        self.requests: list[str] = []
        self.stopping = threading.Event()
        self._address = (host, port)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen from now on.

        Raises:
            OSError: The port is taken.
        """
        self.stopping.clear()
        self._server = _Server(self._address, self)
        self._address = self._server.server_address[:2]  # type: ignore[assignment]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def stop(self) -> None:
        """Close the port and all connections."""
        server, self._server = self._server, None
        if server is None or self._thread is None:
            return
        self.stopping.set()
        server.shutdown()
        server.close_connections()
        server.server_close()
        self._thread.join()

    def url(self, path: str = "") -> str:
        """Return the URL of a path."""
        return f"http://{self._address[0]}:{self._address[1]}{path}"

    def revise(self, created: int = 0, updated: int = 0, removed: int = 0) -> Revision:
        """Change the products now; return exactly what changed."""
        return self.pages.revise(created, updated, removed)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop."""
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], erp: DemoErp) -> None:
        self.erp = erp
        self._connections: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: clients that go away are the daily bread of a server."""

    def close_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_args: object) -> None:
        """Keep no access log."""

    def do_GET(self) -> None:
        """Answer a read."""
        erp, parts = self.server.erp, urlsplit(self.path)
        erp.requests.append(self.path)
        if parts.path == "/_state":
            self._json(200, erp.pages.state())
        elif parts.path == "/_faults":
            self._json(200, {"active": erp.faults.names(), "available": FAULTS})
        elif parts.path == _ROOT or parts.path.removeprefix(f"{_ROOT}/") in face.STYLES:
            self._products(parts.path, dict(parse_qsl(parts.query)))
        else:
            self._json(404, {"error": "no such page"})

    def do_POST(self) -> None:
        """Switch a fault on, or change the products."""
        erp = self.server.erp
        try:
            length = min(int(self.headers.get("Content-Length", "0")), _MAX_BODY_BYTES)
            body = json.loads(self.rfile.read(length) or b"{}")
            if self.path == "/_faults":
                erp.faults.switch_on(body.pop("fault", ""), **body)
                self._json(200, {"active": erp.faults.names()})
            elif self.path == "/_revise":
                done = erp.revise(**body)
                answer = {"created": done.created, "updated": done.updated}
                self._json(200, answer | {"revision": done.number, "removed": done.removed})
            else:
                self._json(404, {"error": "no such page"})
        except (ValueError, TypeError, AttributeError) as exc:
            self._json(400, {"error": str(exc)})

    def do_DELETE(self) -> None:
        """Switch all faults off."""
        self.server.erp.faults.clear()
        self._json(200, {"active": []})

    def _products(self, path: str, query: dict[str, str]) -> None:
        erp = self.server.erp
        wanted = erp.headers.items()
        if any(self.headers.get(name) != value for name, value in wanted):
            self._json(401, {"error": "who are you?"})
            return
        style = "page" if path == _ROOT else path.rpartition("/")[2]
        try:
            start, size = face.start_of(style, query)
        except ValueError:
            self._json(400, {"error": "page, size, offset, limit: expected numbers"})
            return
        hits = erp.faults.taking_effect(start // size + 1)
        if self._refused(hits):
            return
        limit = 0 if "empty" in hits else hits.get("filtered", {}).get("rows", 419)
        rows, total = erp.pages.products(start, size)
        if "empty" in hits or "filtered" in hits:
            rows, total = rows[: max(limit - start, 0)], min(limit, total)
        rows = _spoiled([dict(row) for row in rows] if hits else rows, hits)
        body = face.document(
            style, rows, total + ("wrong-total" in hits), start, size, erp.pages.revision
        )
        if "endless-next" in hits and isinstance(body, dict):
            body["next"] = "7" if style == "cursor" else self.path
        self._deliver(face.encoded(body), hits, face.link_header(style, total, start, size))

    def _refused(self, hits: dict[str, dict[str, Any]]) -> bool:
        """Answer with a failure that needs no product, if one is switched on."""
        if (options := hits.get("slow")) is not None:
            self.server.erp.stopping.wait(options.get("seconds", 1))
        if (options := hits.get("status")) is not None:
            again = options.get("retryAfter")
            extra = {} if again is None else {"Retry-After": str(again)}
            self._send(options.get("status", 500), b"{}", "application/json", extra)
        elif "redirect" in hits:
            extra = {"Location": hits["redirect"].get("location", "/")}
            self._send(302, b"{}", "application/json", extra)
        elif "reset" in hits:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()
        elif "cut-headers" in hits:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
            self.close_connection = True
        elif body := _canned(hits):
            kind = "application/json" if body[:1] != b"<" else "text/html"
            self._send(200, body if body != b"-" else b"", kind, {})
        elif "gzip-bomb" in hits:
            # A gzip file may have many members: cheap to make, dear to inflate.
            bomb = gzip.compress(b"[") + gzip.compress(b" " * 1_000_000) * 200
            self._send(200, bomb, "application/json", {"Content-Encoding": "gzip"})
        else:
            return False
        return True

    def _deliver(self, body: bytes, hits: dict[str, dict[str, Any]], link: str | None) -> None:
        extra = {"Link": link} if link else {}
        if "cut" in hits:
            self._head(200, len(body), "application/json", extra)
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif "cut-silently" in hits:
            self.close_connection = True
            self._head(200, None, "application/json", extra)
            self.wfile.write(body[: len(body) // 2])
        elif "slow-body" in hits:
            self._head(200, len(body), "application/json", extra)
            for byte in body:
                self.wfile.write(bytes([byte]))
                if self.server.erp.stopping.wait(hits["slow-body"].get("seconds", 0.2)):
                    return
        else:
            self._send(200, body, "application/json", extra)

    def _json(self, status: int, body: object) -> None:
        self._send(status, json.dumps(body).encode(), "application/json", {})

    def _send(self, status: int, body: bytes, kind: str, extra: dict[str, str]) -> None:
        self._head(status, len(body), kind, extra)
        self.wfile.write(body)

    def _head(self, status: int, length: int | None, kind: str, extra: dict[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in extra.items():
            self.send_header(name, value)
        self.end_headers()


def _canned(hits: dict[str, dict[str, Any]]) -> bytes:
    """Return the fixed body of a failure; one dash stands for no body at all."""
    bodies = {
        "login-page": _LOGIN_PAGE,
        "html-error": _ERROR_PAGE,
        "empty-body": b"-",
        "invalid-json": b'{"items": [{"ITEMID": nonsense}], "total": 1}',
        "deep": b"[" * 200_000 + b"]" * 200_000,
    }
    return next((body for name, body in bodies.items() if name in hits), b"")


def _spoiled(rows: list[Any], hits: dict[str, dict[str, Any]]) -> list[Any]:
    """Return the products of a page as the faults make them look."""
    if "short-page" in hits:
        rows = rows[:-1]
    if "duplicated" in hits:
        rows = [*rows[:1], *rows]
    if "wrong-key-type" in hits and rows:
        rows[0]["ITEMID"] = hits["wrong-key-type"].get("value")
    for row in rows:
        _spoil(row, hits)
    return rows


def _spoil(row: dict[str, Any], hits: dict[str, dict[str, Any]]) -> None:
    if "renamed" in hits:
        row["ITEMNAME"] = row.pop("NAME", None)
    if (options := hits.get("hidden")) is not None:
        row.pop(options.get("column", "NAME"), None)
    if (options := hits.get("bad-value")) is not None:
        row[options.get("column", "PRICEUNIT")] = options.get("value", float("nan"))
    if "volatile" in hits:
        row["READSTAMP"] = uuid.uuid4().hex
