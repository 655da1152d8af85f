"""Trouble with the database file, in the middle of a run: told clearly, and harmless.

When it is over the service works on by itself. Full disk, read-only file, file locked
by another program, file gone, another file in its place.
"""

from __future__ import annotations

import os
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from chaos.troubles import AFTER, BEFORE, TROUBLES, Service, Trouble, small_disk
from support import record, wait_for

from archibald_sync.domain.models import IntentKind
from archibald_sync.errors import StorageFullError
from archibald_sync.storage.connection import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support import FakeSource

SYNC = "/api/products/sync"
_RECOVERY_S = 60.0
_IS_CLOSED = 23  # no code with which Python ends by itself


@pytest.fixture
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Return the folder of an instance, on a small disk where the test will fill it."""
    with ExitStack() as stack:
        is_to_be_full = request.node.callspec.params.get("kind") == "full"
        path = tmp_path / "disk"
        yield stack.enter_context(small_disk(path)) if is_to_be_full else tmp_path


def check_answers(service: Service, trouble: Trouble) -> None:
    """Check what the API says in trouble: reads where possible, no write, no secret."""
    reads = [service.call("GET", f"{SYNC}/{what}") for what in ("status", "metrics", "history")]
    writes = [
        service.call("POST", f"{SYNC}/start", {"intervalMinutes": 30}),
        service.call("POST", f"{SYNC}/stop"),
        service.call("POST", SYNC),
    ]
    refused = writes if trouble.is_readable else reads + writes
    assert service.call("GET", "/livez").status_code == 200
    assert [one.status_code for one in reads] == [200 if trouble.is_readable else 503] * 3
    assert [(one.status_code, one.json["code"]) for one in refused] == (
        [(503, trouble.code)] * len(refused)
    )
    assert all(int(one.headers["Retry-After"]) > 0 for one in refused)
    assert not any("sqlite3" in one.text for one in refused)


def check_state(service: Service, trouble: Trouble) -> None:
    """Check that status and health say what is the matter, once the owner's lease is over."""
    service.clock.let_leases_expire()
    ready = service.call("GET", "/readyz")
    assert ready.status_code == 503
    assert f"products: {trouble.code}" in ready.json["reasons"]
    if trouble.is_readable:
        status = service.call("GET", f"{SYNC}/status").json
        assert status["state"] == "failing"
        assert "database" in status["reason"]


def check_calm(service: Service, caplog: pytest.LogCaptureFixture, duration_s: float) -> None:
    """Check that while the trouble lasts nothing spins, reads the ERP, or fills the log."""
    extracts, lines, cpu_s = service.source.extracts, len(caplog.records), time.process_time()

    threading.Event().wait(duration_s)

    assert service.source.extracts == extracts
    assert time.process_time() - cpu_s < duration_s / 2
    assert len(caplog.records) - lines < 20 + duration_s
    assert len(caplog.records) < 60 + 2 * duration_s


def check_recovery(service: Service) -> None:
    """Check that all is well again, without a restart, and that the run was caught up."""
    wait_for(lambda: service.holds(AFTER), _RECOVERY_S)
    wait_for(lambda: service.call("GET", "/readyz").status_code == 200, _RECOVERY_S)
    wait_for(lambda: service.call("GET", f"{SYNC}/status").json["state"] == "idle", _RECOVERY_S)
    assert service.call("POST", f"{SYNC}/start", {"intervalMinutes": 30}).status_code == 200
    outcomes = [one["outcome"] for one in service.world.runs()]
    assert (outcomes[0], outcomes[-1]) == ("completed", "completed")
    assert None not in outcomes
    assert "running" not in [one["status"] for one in service.world.sessions()]
    assert [row[0] for row in service.world.database.rows("PRAGMA integrity_check")] == ["ok"]


def check_trouble(
    service: Service,
    trouble: Trouble,
    caplog: pytest.LogCaptureFixture,
    duration_s: float,
) -> None:
    """Let ``trouble`` begin in the middle of a run, last, and end."""
    with ExitStack() as stack:
        service.begin_run(AFTER, lambda: stack.enter_context(trouble.make(service)))
        wait_for(lambda: is_told(caplog, trouble), 30)
        check_answers(service, trouble)
        if trouble.is_readable:
            assert service.holds(BEFORE)
        check_state(service, trouble)
        check_calm(service, caplog, duration_s)
    check_recovery(service)


def is_told(caplog: pytest.LogCaptureFixture, trouble: Trouble) -> bool:
    """Return whether the log names the trouble."""
    fields = [getattr(one, "fields", {}) for one in caplog.records]
    return trouble.code in [one.get("code") for one in fields]


@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_is_told_and_harmless_and_passes(
    disk: Path, source: FakeSource, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """In trouble: reads, 503 for writes, no change, a calm log; afterwards the run is made."""
    service = Service(disk, source, busy_timeout_s=0.2)

    check_trouble(service, TROUBLES[kind], caplog, duration_s=1.0)

    service.close()


@pytest.mark.slow
@pytest.mark.parametrize("kind", TROUBLES)
def test_trouble_of_half_a_minute_is_told_and_harmless_and_passes(
    disk: Path, source: FakeSource, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """The same for 30 s, with the patience that the service has in real life."""
    service = Service(disk, source, busy_timeout_s=5.0)

    check_trouble(service, TROUBLES[kind], caplog, duration_s=30.0)

    service.close()


def test_plan_that_does_not_fit_is_a_failed_run(tmp_path: Path, source: FakeSource) -> None:
    """Where small writes still succeed, the run says that there was no room, and writes nothing."""
    service = Service(tmp_path, source, busy_timeout_s=0.2)
    pages = service.database.rows("PRAGMA page_count")[0][0]
    service.database.pragmas = (f"max_page_count = {pages}",)

    service.begin_run(AFTER, lambda: None)

    wait_for(lambda: service.world.runs()[-1]["outcome"] == "failed", 20)
    status = service.call("GET", f"{SYNC}/status").json
    assert (status["state"], "room on the disk" in status["reason"]) == ("failing", True)
    assert service.world.sessions()[-1]["errorCode"] == "storage_full"
    assert service.holds(BEFORE)
    service.database.pragmas = ("max_page_count = 1000000",)
    assert service.call("POST", SYNC).status_code == 202
    wait_for(lambda: service.holds(AFTER), _RECOVERY_S)
    service.close()


def test_copy_put_in_the_place_of_the_file_is_taken_as_it_is(
    tmp_path: Path, source: FakeSource
) -> None:
    """What was written after the copy was made is not mixed into it; the next run catches up."""
    service = Service(tmp_path, source, busy_timeout_s=5.0)
    database, copy = service.database, tmp_path / "copy.sqlite3"
    service.complete_run(AFTER)
    database.connection().execute("VACUUM INTO ?", (str(copy),))
    later = [record(number, minQty=number % 3) for number in range(1, 400)]
    service.complete_run([*later[:200], *AFTER[200:]])
    database.connection().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    service.complete_run(later[:300] + AFTER[300:])  # which only the log has

    copy.replace(database.path)

    assert service.holds(AFTER)
    assert database.rows("PRAGMA integrity_check")[0][0] == "ok"
    service.complete_run(AFTER)
    assert service.holds(AFTER)
    service.close()


def test_order_does_not_wait_for_a_locked_database(tmp_path: Path, source: FakeSource) -> None:
    """A priority lease is given while another program holds the main database."""
    service = Service(tmp_path, source, busy_timeout_s=0.2)

    with TROUBLES["locked"].make(service):
        body = {"owner": "orders", "reason": "order 7", "ttlSeconds": 60}
        answer = service.call("POST", "/api/priority/leases", body)
        ended = service.call("DELETE", f"/api/priority/leases/{answer.json['id']}")

    assert (answer.status_code, answer.json["quiet"]) == (201, True)
    assert ended.status_code in {200, 204}
    service.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_files_of_another_user_are_read_and_told_to_be_closed(source: FakeSource) -> None:
    """Files that were restored under the wrong user can be read, and the refusal says why."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        service = Service(folder, source, busy_timeout_s=0.2)
        service.close()
        for path in folder.iterdir():
            path.chmod(0o644)

        child = os.fork()
        if child == 0:
            os.setuid(65534)
            os._exit(_IS_CLOSED if is_closed_to_us(folder / "main.sqlite3") else 1)
        _, status = os.waitpid(child, 0)

        assert os.waitstatus_to_exitcode(status) == _IS_CLOSED


def is_closed_to_us(path: Path) -> bool:
    """Return whether a database can be read, but not written, and says why."""
    database = Database(path, busy_timeout_s=0.2)
    try:
        is_read = database.rows("SELECT COUNT(*) FROM products")[0][0] == len(BEFORE)
        obstacle = database.obstacle()
        with database.transaction() as connection:
            connection.execute("DELETE FROM products")
    except StorageFullError as exc:
        return is_read and "permissions" in str(exc) and isinstance(obstacle, StorageFullError)
    except BaseException:  # noqa: BLE001  # the parent is told by the code
        return False
    return False


def test_threads_that_come_and_go_leave_no_file_open(tmp_path: Path, source: FakeSource) -> None:
    """A thread that wrote closes its gate when it ends: a server may have one a request."""
    service = Service(tmp_path, source, busy_timeout_s=5.0)
    gate = service.database.path.with_name("main.sqlite3.gate")

    def write() -> None:
        service.world.schedule.add_intent(IntentKind.RUN, {}, None, ttl_s=-1)

    before = open_descriptors(gate)
    for _ in range(20):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()

    # Threads of the driver may have opened theirs meanwhile: these are few, and stay.
    assert open_descriptors(gate) < before + 10
    service.close()


def open_descriptors(path: Path) -> int:
    """Return how often this process has ``path`` open."""
    return [one.path for one in psutil.Process().open_files()].count(str(path))
