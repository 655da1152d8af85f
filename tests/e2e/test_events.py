"""Server-sent events from gunicorn: few may listen, none keeps the service from its work."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING

import pytest
from cli_support import Instance, made_instance, small_erp
from erp_support import free_port
from support import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

EVENTS = "/api/products/sync/events"
STATUS = "/api/products/sync/status"
SEATS = 4  # two workers of eight threads, a quarter of which may listen


class Asked:
    """One question on a connection of its own, and its answer as it comes."""

    def __init__(self, port: int, path: str, token: str) -> None:
        """Ask, and wait for the head of the answer."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        self.answer = self._connection.getresponse()
        self.status = self.answer.status

    def event(self) -> dict[str, str]:
        """Read up to the end of the next event, and return its lines by name."""
        lines: dict[str, str] = {}
        while "data" not in lines:
            line = self.answer.readline()
            assert line, "the stream has ended"
            name, _, value = line.decode().rstrip("\n").partition(": ")
            lines[name] = value
        self.answer.readline()
        return lines

    def close(self) -> None:
        """Go away."""
        self.answer.close()
        self._connection.close()


class Served:
    """The service as gunicorn runs it, and how to ask it."""

    def __init__(self, instance: Instance, port: int, process: subprocess.Popen[str]) -> None:
        """Know where it is."""
        self.instance = instance
        self.process = process
        self._port = port
        self._token = instance.run("token", "--user", "admin").stdout.strip()
        self._asked: list[Asked] = []

    def ask(self, path: str) -> Asked:
        """Ask; what was asked is closed at the end."""
        self._asked.append(Asked(self._port, path, self._token))
        return self._asked[-1]

    def close(self) -> None:
        """Let all clients go away."""
        while self._asked:
            self._asked.pop().close()

    def listening(self, count: int) -> list[Asked]:
        """Let ``count`` clients ask for the events; return those who may listen."""
        asked = [self.ask(EVENTS) for _ in range(count)]
        assert {one.status for one in asked} <= {200, 503}
        return [one for one in asked if one.status == 200]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return a running service whose first sync is done."""
    port = free_port()
    with small_erp() as erp, made_instance(tmp_path, monkeypatch) as instance:
        instance.environ["ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS"] = "0"
        instance.init()
        instance.read_from(erp.url)
        options = ("--bind", f"127.0.0.1:{port}", "--workers", "2", "--threads", "8")
        with instance.process("serve", *options) as process:
            try:
                wait_for(lambda: '"completed"' in instance.run("history", "--json").stdout, 60)
                served = Served(instance, port, process)
                yield served
                served.close()
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.communicate(timeout=60)


def test_few_of_fifty_listen_and_all_others_are_answered(served: Served) -> None:
    """Fifty clients get a stream or a 503 at once, and requests are answered meanwhile."""
    listening = served.listening(50)
    states = {json.loads(one.event()["data"])["state"] for one in listening}
    status = served.ask(STATUS).status
    served.close()

    assert 1 <= len(listening) <= SEATS
    assert (states, status) == ({"idle"}, 200)

    # Who has gone leaves the seat to others, without waiting for a heartbeat.
    def sits_again() -> bool:
        status = served.ask(EVENTS).status
        served.close()
        return status == 200

    wait_for(sits_again, 30)


def test_change_reaches_the_listeners_of_every_worker(served: Served) -> None:
    """What one process writes is told by all of them."""
    listening = served.listening(50)
    before = [one.event()["id"] for one in listening]
    served.instance.run("stop")
    told = []
    for one in listening:
        event = one.event()
        while json.loads(event["data"])["state"] != "stopped":
            event = one.event()
        told.append(event["id"])

    assert len(before) >= 1
    assert all(old != new for old, new in zip(before, told, strict=True))


def test_service_stops_while_clients_listen(served: Served) -> None:
    """Streams end with SIGTERM: the service need not wait until they are cut off."""
    listening = served.listening(50)
    for one in listening:
        one.event()

    served.process.terminate()
    # It would raise where gunicorn had cut off an answer that had not ended.
    rests = [one.answer.read() for one in listening]
    _, log = served.process.communicate(timeout=60)

    assert "Traceback" not in log
    assert served.process.returncode == 0
    assert all(rest.endswith(b"\n\n") or not rest for rest in rests)
