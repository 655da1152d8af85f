"""Several gunicorn workers: what one of them ends is over in all of them."""

from __future__ import annotations

import http.client
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from cli_support import Instance, made_instance, small_erp
from erp_support import free_port
from support import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKERS = 3
PASSWORD = "correct horse battery"


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instance]:
    """Return an instance with a user maria."""
    with made_instance(tmp_path, monkeypatch) as made:
        made.init()
        added = made.run(
            "user", "add", "maria", "--role", "operator", "--password-stdin", stdin=PASSWORD
        )
        assert added.exit_code == 0
        yield made


@contextmanager
def _served(instance: Instance) -> Iterator[int]:
    """Serve the instance with several workers; yield the port."""
    port = free_port()
    with small_erp() as erp:
        instance.read_from(erp.url)
        arguments = ("serve", "--bind", f"127.0.0.1:{port}", "--workers", str(WORKERS))
        with instance.process(*arguments) as process:
            try:
                wait_for(lambda: _ask(port, "GET", "/livez")[0] == 200, 60)
                yield port
            finally:
                process.terminate()
                process.communicate(timeout=60)


def _ask(
    port: int, method: str, path: str, token: str = "", body: object = None
) -> tuple[int, dict[str, Any], str]:
    """Ask over a new connection; return status, JSON and Retry-After; 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = None if body is None else json.dumps(body)
    if content is not None:
        headers["Content-Type"] = "application/json"
    try:
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        text = answer.read()
        found = json.loads(text) if text else {}
        return answer.status, found, answer.getheader("Retry-After", "")
    except OSError:
        return 0, {}, ""
    finally:
        connection.close()


def _statuses(port: int, token: str) -> set[int]:
    """Return what many connections get, enough to reach every worker."""
    return {_ask(port, "GET", "/api/auth/me", token)[0] for _ in range(WORKERS * 12)}


def test_what_one_worker_ends_is_over_in_all(instance: Instance) -> None:
    """Logout, reuse, a disabled user and a revoked key count in every process at once."""
    body = {"username": "maria", "password": PASSWORD}
    with _served(instance) as port:
        first = _ask(port, "POST", "/api/auth/login", body=body)[1]
        assert _statuses(port, first["accessToken"]) == {200}
        assert _ask(port, "POST", "/api/auth/logout", first["accessToken"])[0] == 204
        assert _statuses(port, first["accessToken"]) == {401}

        second = _ask(port, "POST", "/api/auth/login", body=body)[1]
        used = {"refreshToken": second["refreshToken"]}
        third = _ask(port, "POST", "/api/auth/refresh", body=used)[1]
        assert _ask(port, "POST", "/api/auth/refresh", body=used)[0] == 401
        assert _statuses(port, third["accessToken"]) == {401}

        added = instance.run("key", "add", "k", "--role", "viewer", "--user", "maria")
        secret = added.stdout.strip().rsplit(" ", 1)[1]
        assert _statuses(port, secret) == {200}
        assert instance.run("user", "disable", "maria").exit_code == 0
        assert _statuses(port, secret) == {401}
        assert instance.run("user", "enable", "maria").exit_code == 0
        assert _statuses(port, secret) == {200}
        assert instance.run("key", "revoke", "k").exit_code == 0
        assert _statuses(port, secret) == {401}


def test_one_stolen_refresh_token_is_used_once(instance: Instance) -> None:
    """Of many workers that are shown the same token at once, one at most accepts it."""
    body = {"username": "maria", "password": PASSWORD}
    with _served(instance) as port:
        token = {
            "refreshToken": _ask(port, "POST", "/api/auth/login", body=body)[1]["refreshToken"]
        }
        seen: list[int] = []
        start = threading.Barrier(12)

        def refresh() -> None:
            start.wait(60)
            seen.append(_ask(port, "POST", "/api/auth/refresh", body=token)[0])

        threads = [threading.Thread(target=refresh) for _ in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert sorted(set(seen)) == [200, 401]
    assert seen.count(200) == 1


def test_flood_of_logins_does_not_stop_the_rest(instance: Instance) -> None:
    """While many guess at once, others are served, and guessers are told to wait."""
    with _served(instance) as port:
        token = instance.run("token", "--user", "maria").stdout.strip()
        seen: list[tuple[int, str]] = []
        is_over = threading.Event()

        def guess(number: int) -> None:
            while not is_over.is_set():
                body = {"username": f"nobody-{number}", "password": "wrong"}
                status, _, retry_after = _ask(port, "POST", "/api/auth/login", body=body)
                seen.append((status, retry_after))

        threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(seen) > 60, 60)
            served = _statuses(port, token)
        finally:
            is_over.set()
            for thread in threads:
                thread.join(60)

    assert served == {200}
    assert {status for status, _ in seen} == {401, 429}
    assert all(retry_after.isdigit() for status, retry_after in seen if status == 429)
