"""One request and its answer, with the failures that any face can be made to show."""

from __future__ import annotations

import gzip
import hashlib
import json
import socket
import struct
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from archibald_sync.demo.server import DemoErp

Hits = dict[str, dict[str, Any]]

_LOGIN_PAGE = b"<html><form action='Login.aspx'><input type='password'></form></html>"
_ERROR_PAGE = b"<html><body>requested objects cannot be loaded</body></html>"
_MAX_BODY_BYTES = 65536


class Exchange:
    """A request as a face sees it, and the ways to answer it."""

    def __init__(self, handler: BaseHTTPRequestHandler, erp: DemoErp) -> None:
        """Wrap the request that ``handler`` has read."""
        self._handler = handler
        self.erp = erp
        self.method = handler.command
        parts = urlsplit(handler.path)
        self.target = handler.path
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = handler.headers

    def body(self) -> bytes:
        """Return the body of the request, up to 64 KiB of it."""
        length = min(int(self.headers.get("Content-Length", "0")), _MAX_BODY_BYTES)
        return self._handler.rfile.read(length)

    def is_let_in(self) -> bool:
        """Return whether the request carries what the ERP wants; answer 401 if not."""
        wanted = self.erp.headers.items()
        if all(self.headers.get(name) == value for name, value in wanted):
            return True
        self.json(401, {"error": "who are you?"})
        return False

    def is_refused(self, hits: Hits) -> bool:
        """Answer with a failure that needs no product, if one is switched on."""
        status = self._status(hits)
        if (options := hits.get("slow")) is not None:
            self.erp.stopping.wait(options.get("seconds", 1))
        if status is not None:
            self.send(*status)
        elif "redirect" in hits:
            extra = {"Location": hits["redirect"].get("location", "/")}
            self.send(302, b"{}", "application/json", extra)
        elif "reset" in hits:
            linger = struct.pack("ii", 1, 0)
            self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self._handler.close_connection = True
            self._handler.connection.close()
        elif "cut-headers" in hits:
            self._handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
            self._handler.close_connection = True
        elif body := _canned(hits):
            kind = "application/json" if body[:1] != b"<" else "text/html"
            self.send(200, body if body != b"-" else b"", kind, {})
        elif "gzip-bomb" in hits:
            # A gzip file may have many members: cheap to make, dear to inflate.
            bomb = gzip.compress(b"[") + gzip.compress(b" " * 1_000_000) * 200
            self.send(200, bomb, "application/json", {"Content-Encoding": "gzip"})
        else:
            return False
        return True

    def _status(self, hits: Hits) -> tuple[int, bytes, str, dict[str, str]] | None:
        """Return the answer without products that a status stands for, if there is to be one."""
        options, status = hits.get("throttle"), 429
        if options is None or self.erp.traffic.open <= options.get("parallel", 1):
            if (options := hits.get("status")) is None:
                return None
            status = options.get("status", 500)
        again = options.get("retryAfter")
        extra = {} if again is None else {"Retry-After": str(again)}
        return status, b"{}", "application/json", extra

    def deliver(
        self,
        body: bytes,
        hits: Hits,
        kind: str = "application/json",
        extra: dict[str, str] | None = None,
    ) -> None:
        """Answer 200 with ``body``, cut or slowed as ``hits`` say; 304 where it is known.

        An ``ETag`` among the headers ``extra`` is compared with ``If-None-Match``.
        """
        extra = extra or {}
        if "gzip" in hits:
            body, extra = gzip.compress(body), extra | {"Content-Encoding": "gzip"}
        if "ETag" in extra and self.headers.get("If-None-Match") == extra["ETag"]:
            self._head(304, None, kind, extra)
        elif "cut" in hits:
            self._head(200, len(body), kind, extra)
            self._handler.wfile.write(body[: len(body) // 2])
            self._handler.close_connection = True
        elif "cut-silently" in hits:
            self._handler.close_connection = True
            self._head(200, None, kind, extra)
            self._handler.wfile.write(body[: len(body) // 2])
        elif "slow-body" in hits:
            self._head(200, len(body), kind, extra)
            for byte in body:
                self._handler.wfile.write(bytes([byte]))
                if self.erp.stopping.wait(hits["slow-body"].get("seconds", 0.2)):
                    return
        else:
            self.send(200, body, kind, extra)

    @staticmethod
    def tag(body: bytes) -> str:
        """Return an ``ETag`` of ``body``."""
        return f'"{hashlib.sha256(body).hexdigest()[:32]}"'

    def json(self, status: int, body: object) -> None:
        """Answer with JSON."""
        self.send(status, json.dumps(body).encode(), "application/json", {})

    def send(self, status: int, body: bytes, kind: str, extra: dict[str, str]) -> None:
        """Answer with ``body``."""
        self._head(status, len(body), kind, extra)
        self._handler.wfile.write(body)

    def _head(self, status: int, length: int | None, kind: str, extra: dict[str, str]) -> None:
        self._handler.send_response(status)
        self._handler.send_header("Content-Type", kind)
        if length is not None:
            self._handler.send_header("Content-Length", str(length))
        for name, value in extra.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()


def _canned(hits: Hits) -> bytes:
    """Return the fixed body of a failure; one dash stands for no body at all."""
    bodies = {
        "login-page": _LOGIN_PAGE,
        "html-error": _ERROR_PAGE,
        "empty-body": b"-",
        "invalid-json": b'{"items": [{"ITEMID": nonsense}], "total": 1}',
        "deep": b"[" * 200_000 + b"]" * 200_000,
    }
    return next((body for name, body in bodies.items() if name in hits), b"")
