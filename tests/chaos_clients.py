"""An admin and an order client who do not know what happens to the service meanwhile."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from chaos_ledger import Ledger
    from chaos_support import Answer, Client

SYNC = "/api/products/sync"
LEASES = "/api/priority/leases"
ACCEPTED, CONFLICT = 202, 409


class Admin:
    """Starts, stops and runs at random; keeps what was acknowledged, and checks it at once."""

    def __init__(self, client: Client, ledger: Ledger, chance: random.Random) -> None:
        """Act by ``chance``."""
        self._client = client
        self._ledger = ledger
        self._chance = chance
        self._stopped_at: int | None = None
        self.acknowledged: list[str] = []
        self.accepted: dict[str, str] = {}
        self.asked = 0
        self.broken: list[str] = []

    def act(self) -> None:
        """Ask for one thing."""
        acts = [self._start, self._run, self._stop, self._cancel]
        self._chance.choices(acts, weights=[3, 8, 2, 1])[0]()

    def finish(self) -> None:
        """Leave the schedule started, whatever it takes."""
        while "start" not in self.acknowledged[-1:]:
            self._start()

    def _start(self) -> None:
        self._check_stop()
        self._wish("start", {"intervalMinutes": 1}, "started")

    def _stop(self) -> None:
        self._check_stop()
        if self._wish("stop", {}, "stopped"):
            self._stopped_at = _now_ms()

    def _cancel(self) -> None:
        self._check_stop()
        if self._wish("stop", {"cancel": True}, "stopped"):
            self._stopped_at = _now_ms()

    def _wish(self, name: str, body: dict[str, Any], expected: str) -> bool:
        """Ask, and see in the database that an acknowledged wish has come true."""
        answer = self._client.call("POST", f"{SYNC}/{name}", body)
        if answer is None or not (answer.body or {}).get("applied"):
            return False
        self.acknowledged.append(name)
        found = self._ledger.value("SELECT desired FROM scheduler_state")
        if found != expected:
            self.broken.append(f"{name} was acknowledged, but the schedule is {found}")
        return True

    def _check_stop(self) -> None:
        """Note a run that the schedule began after an acknowledged stop."""
        since, self._stopped_at = self._stopped_at, None
        if since is None:
            return
        begun = self._ledger.rows(
            "SELECT id FROM sync_runs WHERE \"trigger\" <> 'manual' AND startedAt > ?", since
        )
        if begun:
            self.broken.append(f"after an acknowledged stop there began {begun}")

    def _run(self) -> None:
        """Ask for a run under a key, again until somebody answers."""
        self.asked += 1
        key = f"run-{self.asked}"
        answer: Answer | None = None
        deadline = time.monotonic() + 20
        while answer is None and time.monotonic() < deadline:
            answer = self._client.call("POST", SYNC, {}, key)
        if answer is not None and answer.status == ACCEPTED:
            self.accepted[key] = str(answer.body["runId"])


class OrderClient:
    """Takes a lease, holds it a moment and gives it back; sometimes it forgets to."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        """Act by ``chance``."""
        self._client = client
        self._chance = chance

    def act(self) -> None:
        """Place one order."""
        lease = {"owner": "order", "reason": "chaos", "ttlSeconds": 1}
        answer = self._client.call("POST", LEASES, lease)
        threading.Event().wait(self._chance.uniform(0.05, 0.3))
        if answer is not None and self._chance.random() > 0.1:
            self._client.call("DELETE", f"{LEASES}/{answer.body['id']}")
        threading.Event().wait(self._chance.uniform(0.5, 3.0))


@contextmanager
def acting(*acts: Callable[[], None]) -> Iterator[None]:
    """Repeat each of ``acts`` in a thread of its own inside the block."""
    is_over = threading.Event()
    failures: list[BaseException] = []

    def repeat(act: Callable[[], None]) -> None:
        try:
            while not is_over.wait(0.05):
                act()
        except BaseException as exc:  # noqa: BLE001  # raised again below
            failures.append(exc)

    threads = [threading.Thread(target=repeat, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]


def assert_each_wish_once(admin: Admin, ledger: Ledger) -> None:
    """Assert that what was acknowledged was carried out, once, and nothing else was."""
    assert admin.broken == []
    runs = {run["id"]: run for run in ledger.runs() if run["trigger"] == "manual"}
    intents = ledger.rows("SELECT * FROM intents WHERE kind = 'run' ORDER BY id")
    applied = [one for one in intents if one["state"] == "applied"]
    ids = [ledger.value("SELECT json_extract(?, '$.runId')", one["result"]) for one in applied]
    assert sorted(ids) == sorted(runs), "applied intents and manual runs are not the same"
    assert set(admin.accepted.values()) <= set(runs)
    assert len(set(admin.accepted.values())) == len(admin.accepted), "two requests, one run"
    assert [run for run in runs.values() if run["outcome"] is None] == []
    for kind in ("start", "stop"):
        counted = ledger.value(
            "SELECT COUNT(*) FROM intents WHERE kind = ? AND state = 'applied'", kind
        )
        assert counted >= admin.acknowledged.count(kind)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
