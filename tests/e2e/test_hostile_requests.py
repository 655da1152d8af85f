"""Requests that no client of good will sends, over raw sockets: refused, and nothing harmed."""

from __future__ import annotations

import base64
import json
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from cli_support import Instance, made_instance, small_erp
from erp_support import free_port
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_THREADS = 2
_JSON = {"Content-Type": "application/json"}
_CHUNKED = {**_JSON, "Transfer-Encoding": "chunked"}
_DIGITS = "9" * 7000
_DEEP = b"[" * 5000
_DEEP_TOKEN = base64.urlsafe_b64encode(_DEEP).rstrip(b"=").decode() + ".e30.x"
_START = "/api/products/sync/start"
_LOGIN = "/api/auth/login"
_LARGE = "/api/docs/files/swagger-ui-bundle.js"

Request = tuple[str, str, "Mapping[str, str]", bytes]


class Service:
    """A service of one worker with few threads."""

    def __init__(self, port: int, token: str) -> None:
        """Know where it is, and a token of its admin."""
        self.port = port
        self.token = token

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def status(self, sent: bytes) -> int:
        """Send bytes on a connection of their own; return the status, 0 for no answer."""
        with self.connect() as connection:
            connection.sendall(sent)
            return _status(connection)

    def ask(self, request: Request) -> int:
        """Ask as the admin."""
        return self.status(_bytes(request, self.token))


def _bytes(request: Request, token: str) -> bytes:
    method, path, headers, body = request
    lines = {"Host": "localhost", "Connection": "close", "Authorization": f"Bearer {token}"}
    if body and "Transfer-Encoding" not in headers:
        lines["Content-Length"] = str(len(body))
    shown = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
    return f"{method} {path} HTTP/1.1\r\n{shown}\r\n".encode("latin-1") + body


def _status(connection: socket.socket) -> int:
    """Return the status of the answer that comes; 0 where the connection is closed."""
    try:
        line = connection.makefile("rb").readline(200)
    except ConnectionError:
        return 0
    return int(line.split()[1]) if line else 0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a running service, which must be unharmed at the end, and have logged no traceback.

    The order of the tests is another one each time, so it is looked at here.
    """
    folder, port = tmp_path_factory.mktemp("hostile"), free_port()
    with (
        pytest.MonkeyPatch.context() as patch,
        small_erp() as erp,
        made_instance(folder, patch) as instance,
    ):
        instance.environ["ARCHIBALD_THREADS"] = str(_THREADS)
        instance.environ["ARCHIBALD_WORKERS"] = "1"
        instance.init()
        instance.read_from(erp.url)
        token = instance.run("token").stdout.strip()
        yield from _served(instance, port, token)


def _served(instance: Instance, port: int, token: str) -> Iterator[Service]:
    service = Service(port, token)
    with instance.process("serve", "--bind", f"127.0.0.1:{port}") as process:
        try:
            wait_for(lambda: _answers(service), 60)
            yield service
            _assert_unharmed(service)
        finally:
            process.terminate()
            _, log = process.communicate(timeout=60)
            assert "Traceback" not in log, log
            assert "canary" not in log.lower(), log


def _assert_unharmed(service: Service) -> None:
    """After all that was sent, what the service keeps can still be asked for and changed."""
    for path in ("/api/products/sync/metrics", "/api/products", "/api/users"):
        assert service.ask(("GET", path, {}, b"")) == 200, path
    assert service.ask(("POST", _START, _JSON, b'{"intervalMinutes": 30}')) == 200
    wait_for(lambda: service.ask(("GET", "/readyz", {}, b"")) == 200, 60)


def _answers(service: Service) -> bool:
    try:
        return service.ask(("GET", "/livez", {}, b"")) == 200
    except OSError:
        return False


REFUSED: dict[str, Request] = {
    "sql-in-sort": ("GET", "/api/products?sort=id;DROP%20TABLE%20products", {}, b""),
    "sql-in-key": ("GET", "/api/products/'%20OR%20'1'='1", {}, b""),
    "sql-in-cursor": ("GET", "/api/products?cursor=1.00'--", {}, b""),
    "sql-in-session": ("GET", "/api/products/sync/sessions/'%20OR%201=1--", {}, b""),
    "sql-in-login": ("POST", _LOGIN, _JSON, b'{"username": "admin\'--", "password": "x"}'),
    "cr-in-header": ("GET", "/api/products", {"X-Request-ID": "a\rSet-Cookie: x=1"}, b""),
    "nul-in-header": ("GET", "/api/products", {"X-Request-ID": "a\0b"}, b""),
    "crlf-in-path": ("GET", "/api/products/%0d%0aSet-Cookie:%20x=1", {}, b""),
    "dots": ("GET", "/api/docs/files/../../../../etc/passwd", {}, b""),
    "coded-dots": ("GET", "/api/docs/files/%2e%2e/%2e%2e/%2e%2e/etc/passwd", {}, b""),
    "coded-slashes": ("GET", "/api/docs/files/..%2f..%2f..%2fetc%2fpasswd", {}, b""),
    "nul-in-path": ("GET", "/api/products/%00", {}, b""),
    "no-utf8-in-path": ("GET", "/api/products/%ff%fe", {}, b""),
    "long-path": ("GET", "/api/products/" + "a" * 6000, {}, b""),
    "digits-in-body": ("POST", _START, _JSON, f'{{"intervalMinutes": {_DIGITS}}}'.encode()),
    "digits-below": ("POST", _START, _JSON, f'{{"intervalMinutes": -{_DIGITS}}}'.encode()),
    "exponent": ("POST", _START, _JSON, b'{"intervalMinutes": 1e9999}'),
    "not-a-number": ("POST", _START, _JSON, b'{"intervalMinutes": NaN}'),
    "digits-limit": ("GET", f"/api/products?limit={_DIGITS}", {}, b""),
    "digits-since": ("GET", f"/api/products/changes?since={_DIGITS}", {}, b""),
    "digits-quantity": ("GET", f"/api/products/variants?name=x&quantity={_DIGITS}", {}, b""),
    "digits-id": ("DELETE", f"/api/keys/{_DIGITS}", {}, b""),
    "just-too-large-id": ("DELETE", f"/api/keys/{2**63}", {}, b""),
    "digits-length": ("POST", _LOGIN, {**_JSON, "Content-Length": _DIGITS}, b""),
    "other-digits": ("GET", "/api/products?limit=%D9%A1%D9%A2", {}, b""),
    "deep-list": ("POST", _START, _JSON, b"[" * 30_000),
    "deep-object": ("POST", _START, _JSON, b'{"a":' * 9000 + b"1" + b"}" * 9000),
    "utf-16": ("POST", _START, _JSON, '{"intervalMinutes": 5}'.encode("utf-16")),
    "no-utf8": ("POST", _START, _JSON, b'{"intervalMinutes": "\xff"}'),
    "surrogate": ("POST", _LOGIN, _JSON, b'{"username": "\\ud800", "password": "\\udfff"}'),
    "too-long": ("POST", _START, _JSON, b"x" * 70_000),
    "deep-token": ("GET", "/api/auth/me", {"Authorization": f"Bearer {_DEEP_TOKEN}"}, b""),
    "deep-cookie": (
        "GET",
        "/api/auth/me",
        {"Authorization": "", "Cookie": f"__Host-access={_DEEP_TOKEN}"},
        b"",
    ),
    "deep-refresh": (
        "POST",
        "/api/auth/refresh",
        _JSON,
        json.dumps({"refreshToken": _DEEP_TOKEN}).encode(),
    ),
    "no-ascii-token": ("GET", "/api/auth/me", {"Authorization": "Bearer \xfc.\xfc.\xfc"}, b""),
    "no-chunk": ("POST", _LOGIN, _CHUNKED, b"zz\r\nabc\r\n0\r\n\r\n"),
    "two-lengths": ("POST", _LOGIN, {**_CHUNKED, "Content-Length": "5"}, b"0\r\n\r\n"),
    "long-chunks": ("POST", _LOGIN, _CHUNKED, b"11170\r\n" + b"a" * 70_000 + b"\r\n0\r\n\r\n"),
    "negative-length": ("POST", _LOGIN, {**_JSON, "Content-Length": "-5"}, b""),
    "unknown-method": ("FOO", "/api/products", {}, b""),
    "trace": ("TRACE", "/api/products", {}, b""),
    "many-headers": ("GET", "/livez", {f"X-{number}": "a" for number in range(100)}, b""),
    "long-header": ("GET", "/livez", {"X-A": "a" * 9000}, b""),
}
# What gunicorn does not pass on, each with a word that must not come back or be logged.
UNREADABLE: dict[str, tuple[int, Request]] = {
    "line": (414, ("GET", f"/api/products?q=canary{'a' * 9000}", {}, b"")),
    "very-long-line": (414, ("GET", f"/api/products?q=canary{'a' * 60_000}", {}, b"")),
    "number-of-headers": (431, ("GET", "/livez", {f"X-Canary-{n}": "a" for n in range(100)}, b"")),
    "length-of-a-header": (431, ("GET", "/livez", {"X-A": f"canary{'a' * 9000}"}, b"")),
    "control-in-a-header": (400, ("GET", "/livez", {"X-A": "canary\0"}, b"")),
    "name-of-a-header": (400, ("GET", "/livez", {"X canary": "a"}, b"")),
    "encoding": (400, ("POST", _LOGIN, {**_JSON, "Transfer-Encoding": "canary"}, b"{}")),
    "expectation": (400, ("POST", _LOGIN, {**_JSON, "Expect": "canary"}, b"{}")),
    "method": (400, ("{canary}", "/livez", {}, b"")),
    "version": (400, ("GET", "/ HTTP/canary\r\nX:", {}, b"")),
}
HARMLESS: dict[str, Request] = {
    "place-of-the-application": ("GET", "/livez", {"SCRIPT_NAME": "/elsewhere"}, b""),
    "sql-in-search": ("GET", "/api/products?q=%27%20OR%201=1--", {}, b""),
    "sql-in-group": (
        "GET",
        "/api/products?group=%27)%20UNION%20SELECT%20*%20FROM%20users",
        {},
        b"",
    ),
    "search-syntax": ("GET", "/api/products?q=%22%20NEAR(%20OR%20*%20%5E%20id:x%20-", {}, b""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_client_sends_is_refused(service: Service, name: str) -> None:
    """The client is told that it is wrong, never that the service is."""
    assert 400 <= service.ask(REFUSED[name]) < 500


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_request_is_told_so_like_any_error(service: Service, name: str) -> None:
    """The answer is a problem as everywhere, and holds nothing of what was sent."""
    status, request = UNREADABLE[name]

    with service.connect() as connection:
        connection.sendall(_bytes(request, service.token))
        head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")

    told = json.loads(body)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert f"\r\nX-Request-ID: {told['requestId']}".encode() in head
    assert (told["status"], told["error"]) == (status, told["detail"])
    assert b"canary" not in body.lower()


@pytest.mark.parametrize("name", HARMLESS)
def test_words_are_only_words(service: Service, name: str) -> None:
    """What would mean something to the database means nothing in a search."""
    assert service.ask(HARMLESS[name]) == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_half_a_body_is_refused(service: Service, chunked: bool) -> None:  # noqa: FBT001
    """A client that goes in the middle of a body has sent a bad request, and done nothing."""
    headers = _CHUNKED if chunked else {**_JSON, "Content-Length": "500"}
    half = b'5\r\n{"use' if chunked else b'{"use'

    with service.connect() as connection:
        connection.sendall(_bytes(("POST", _LOGIN, headers, half), service.token))
        connection.shutdown(socket.SHUT_WR)

        assert _status(connection) == 400


def test_a_bad_body_that_nobody_reads_harms_nobody(service: Service) -> None:
    """What comes behind a question without a body is not looked at by the view."""
    chunked = {"Transfer-Encoding": "chunked", "Connection": "keep-alive"}

    assert service.ask(("GET", "/livez", chunked, b"zz\r\nabc\r\n0\r\n\r\n")) == 200


def test_slow_clients_stop_nobody(service: Service) -> None:
    """Whoever holds every thread with half a request is cut off, and others are answered."""
    half = _bytes(("POST", _LOGIN, {**_JSON, "Content-Length": "500"}, b"{"), service.token)
    beginnings = [half, b"GET /livez HT", b""] * _THREADS
    with ExitStack() as stack:
        slow = [stack.enter_context(service.connect()) for _ in beginnings]
        for connection, sent in zip(slow, beginnings, strict=True):
            connection.sendall(sent)

        answered = service.ask(("GET", "/livez", {}, b""))
        told = {_status(connection) for connection in slow}

    assert answered == 200
    assert told == {400, 0}


def test_clients_that_take_no_answer_stop_nobody(service: Service) -> None:
    """Whoever holds every thread with an answer that nobody reads is cut off."""
    large = _bytes(("GET", _LARGE, {"Connection": "keep-alive"}, b""), service.token)
    with ExitStack() as stack:
        for _ in range(_THREADS):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", service.port))
            connection.sendall(large * 20)
        wait_for(lambda: not _is_quick(service), 20)

        answered = service.ask(("GET", "/livez", {}, b""))

    assert answered == 200


def _is_quick(service: Service) -> bool:
    """Return whether somebody is answered within half a second."""
    with service.connect() as connection:
        connection.settimeout(0.5)
        connection.sendall(_bytes(("GET", "/livez", {}, b""), service.token))
        try:
            return _status(connection) == 200
        except TimeoutError:
            return False


@pytest.mark.slow
def test_a_slow_client_is_cut_off_though_nobody_waits(service: Service) -> None:
    """One client that sends the rest of its body never gets its answer all the same."""
    half = _bytes(("POST", _LOGIN, {**_JSON, "Content-Length": "500"}, b"{"), service.token)

    assert service.status(half) == 400
