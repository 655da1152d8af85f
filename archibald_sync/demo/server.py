"""The demo ERP's server: real sockets, so that it can fail as real servers do."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from archibald_sync.demo import archibald_face, csv_face, json_face, odata_face, xlsx_face
from archibald_sync.demo.archibald_export import PdfCache
from archibald_sync.demo.archibald_sessions import Sessions
from archibald_sync.demo.catalogue import DemoCatalogue, Revision
from archibald_sync.demo.exchange import Exchange
from archibald_sync.demo.faults import FAULTS, FaultSwitches
from archibald_sync.demo.revisions import Revisions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

# Each face says which paths it serves, and answers them.
_FACES = (json_face, odata_face, csv_face, xlsx_face, archibald_face)


class Traffic:
    """How many requests are open now, and how many were at most."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self.open = self.most = 0

    @contextlib.contextmanager
    def request(self) -> Iterator[None]:
        """Count a request as open inside the block."""
        with self._lock:
            self.open += 1
            self.most = max(self.most, self.open)
        try:
            yield
        finally:
            with self._lock:
                self.open -= 1


class DemoErp:
    """A demo ERP on a port of this machine."""

    def __init__(  # noqa: PLR0913  # each test changes one or two
        self,
        rows: int = 4540,
        seed: int = 1,
        *,
        drift: bool = True,
        port: int = 0,
        host: str = "127.0.0.1",
        headers: dict[str, str] | None = None,
        latency_s: float = 0.0,
    ) -> None:
        """Make the products; nothing listens before ``start``.

        Args:
            rows: How many products the first read finds.
            seed: What the products are made from.
            drift: Whether they change a little from read to read.
            port: Where to listen; 0 means any free port.
            host: On which address.
            headers: What a request must carry to be answered; None means nothing.
            latency_s: How long each answer is on its way, in seconds.
        """
        self.revisions = Revisions(DemoCatalogue(rows, seed), drift=drift)
        self.faults = FaultSwitches()
        self.archibald = Sessions()
        self.exports = PdfCache()
        self.headers = headers or {}
        self.latency_s = latency_s
        self.traffic = Traffic()
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
        return self.revisions.revise(created, updated, removed)

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
        erp = self.server.erp
        exchange = Exchange(self, erp)
        erp.requests.append(self.path)
        if exchange.path == "/_state":
            exchange.json(200, erp.revisions.state())
        elif exchange.path == "/_faults":
            exchange.json(200, {"active": erp.faults.names(), "available": FAULTS})
        else:
            self._face(exchange)

    def do_POST(self) -> None:
        """Switch a fault on, change the products, or send a form."""
        exchange = Exchange(self, self.server.erp)
        if exchange.path in {"/_faults", "/_revise"}:
            self._steer(exchange)
        else:
            self._face(exchange)

    def do_DELETE(self) -> None:
        """Switch all faults off."""
        self.server.erp.faults.clear()
        Exchange(self, self.server.erp).json(200, {"active": []})

    def _face(self, exchange: Exchange) -> None:
        face = next((one for one in _FACES if one.serves(exchange.path)), None)
        if face is None:
            exchange.json(404, {"error": "no such page"})
            return
        erp = self.server.erp
        with erp.traffic.request():
            if erp.latency_s:
                erp.stopping.wait(erp.latency_s)
            face.answer(exchange)

    def _steer(self, exchange: Exchange) -> None:
        erp = self.server.erp
        try:
            body = json.loads(exchange.body() or b"{}")
            if exchange.path == "/_faults":
                erp.faults.switch_on(body.pop("fault", ""), **body)
                exchange.json(200, {"active": erp.faults.names()})
            else:
                done = erp.revise(**body)
                answer = {"created": done.created, "updated": done.updated}
                exchange.json(200, answer | {"revision": done.number, "removed": done.removed})
        except (ValueError, TypeError, AttributeError) as exc:
            exchange.json(400, {"error": str(exc)})
