"""Logins of the archibald connector: few, kept across runs, within their budget, and secret."""

from __future__ import annotations

import fcntl
import threading
from typing import TYPE_CHECKING

import pytest
from archibald_support import EXPORT, LIST, LOGIN, ROWS, archibald_source, records_of
from support import wait_for

from archibald_sync.demo.server import DemoErp
from archibald_sync.errors import (
    PermanentSourceError,
    RunCancelled,
    SourceAuthError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.archibald.state import SessionFile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP whose products stay the same."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


def test_a_session_is_kept_across_runs(erp: DemoErp, tmp_path: Path) -> None:
    """Two source objects, as two processes have them, need one login."""
    for _ in range(2):
        records_of(archibald_source(erp, tmp_path))
    assert "lets us in" in archibald_source(erp, tmp_path).check()

    assert erp.archibald.logins == 1


@pytest.mark.parametrize("step", [LIST, EXPORT])
def test_an_expired_session_is_begun_again(erp: DemoErp, tmp_path: Path, step: int) -> None:
    """A login page with status 200 costs one more login and no failed attempt."""
    source = archibald_source(erp, tmp_path)
    records_of(source)
    erp.faults.switch_on("session-expiry", page=step, times=1)

    assert len(records_of(source)) == ROWS
    assert erp.archibald.logins == 2


def test_logins_have_a_budget(erp: DemoErp, tmp_path: Path) -> None:
    """Beyond the budget nobody logs in; the error says when it is free again."""
    source = archibald_source(erp, tmp_path, login="{ budget = 2 }")
    erp.faults.switch_on("session-expiry", page=LIST)
    for _ in range(2):
        with pytest.raises(SourceAuthError) as failure:
            records_of(source)
        assert failure.value.code == "source_login_page"
    logins = erp.archibald.logins

    with pytest.raises(
        SourceAuthError, match=r"free again at \d{4}-\d\d-\d\d \d\d:\d\d UTC"
    ) as end:
        records_of(archibald_source(erp, tmp_path, login="{ budget = 2 }"))

    assert end.value.code == "source_login_budget"
    assert erp.archibald.logins == logins == 2


def test_a_login_counts_before_it_is_tried(erp: DemoErp, tmp_path: Path) -> None:
    """What became of a login does not matter: the ERP has seen it."""
    source = archibald_source(erp, tmp_path, login="{ budget = 1 }")
    erp.faults.switch_on("session-expiry", page=LOGIN)  # the form that is sent is unknown

    with pytest.raises(TransientSourceError) as failure:
        records_of(source)
    with pytest.raises(SourceAuthError) as refusal:
        records_of(source)

    assert failure.value.code == "source_http_500"
    assert refusal.value.code == "source_login_budget"


def test_the_budget_returns_after_a_day(erp: DemoErp, tmp_path: Path) -> None:
    """What was spent 24 hours ago counts no more, even if the clock was wrong then."""
    source = archibald_source(erp, tmp_path, login="{ budget = 1 }")
    records_of(source)
    state = next(tmp_path.glob("archibald-session-*.json"))
    for shift_ms in (-86_400_001, 10**9):
        content = state.read_text()
        spent = content.partition('"logins":[')[2].partition("]")[0]
        state.write_text(content.replace(spent, str(int(spent) + shift_ms)))
        erp.archibald.expire()
        if shift_ms < 0:
            assert len(records_of(source)) == ROWS
        else:
            with pytest.raises(SourceAuthError, match="free again at"):
                records_of(source)


def test_a_refused_password_is_not_tried_again(erp: DemoErp, tmp_path: Path) -> None:
    """A wrong password is sent once, whoever asks, until it changes."""
    wrong = {"ERP_USER": "agente", "ERP_PASSWORD": "sbagliato"}
    attempts: list[Callable[[], object]] = [
        lambda: records_of(archibald_source(erp, tmp_path, wrong)),
        lambda: records_of(archibald_source(erp, tmp_path, wrong)),
        archibald_source(erp, tmp_path, wrong).check,
    ]
    for attempt in attempts:
        with pytest.raises(SourceAuthError) as failure:
            attempt()
        assert failure.value.code == "source_login_refused"
        assert "sbagliato" not in str(failure.value)
    assert erp.archibald.logins == 1

    assert len(records_of(archibald_source(erp, tmp_path))) == ROWS
    assert erp.archibald.logins == 2


def test_secrets_stay_where_they_belong(
    erp: DemoErp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The session's file is ours alone and holds no password; neither does any log line."""
    caplog.set_level("DEBUG")
    wrong = {"ERP_USER": "agente", "ERP_PASSWORD": "sbagliato"}
    with pytest.raises(SourceAuthError):
        records_of(archibald_source(erp, tmp_path, wrong))
    state = next(tmp_path.glob("archibald-session-*.json"))
    assert "sbagliato" not in state.read_text()
    records_of(archibald_source(erp, tmp_path))

    cookies = state.read_text()
    assert state.stat().st_mode & 0o777 == 0o600
    assert "segreto" not in cookies
    assert "FORMSAUTH" in cookies
    assert not any(word in caplog.text for word in ("segreto", "sbagliato", "FORMSAUTH"))


def test_two_that_need_a_login_make_one(erp: DemoErp, tmp_path: Path) -> None:
    """Logins wait for each other, and the second takes up the session of the first."""
    sources = [archibald_source(erp, tmp_path) for _ in range(3)]
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: found.append(len(records_of(one))))
        for one in sources
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [ROWS] * 3
    assert erp.archibald.logins == 1


def test_damaged_state_costs_a_login(erp: DemoErp, tmp_path: Path) -> None:
    """A session file that makes no sense is as good as none."""
    records_of(archibald_source(erp, tmp_path))
    next(tmp_path.glob("archibald-session-*.json")).write_bytes(b'{"cookies": 5')

    assert len(records_of(archibald_source(erp, tmp_path))) == ROWS
    assert erp.archibald.logins == 2


def test_a_session_that_another_process_began_is_taken_up(erp: DemoErp, tmp_path: Path) -> None:
    """Whoever finds the session ended looks first whether somebody else has begun a new one."""
    first, second = archibald_source(erp, tmp_path), archibald_source(erp, tmp_path)
    records_of(first)
    state = next(tmp_path.glob("archibald-session-*.json"))
    ended = state.read_bytes()
    erp.archibald.expire()
    pages = first.pages(RunControl())
    next(pages)
    assert erp.archibald.logins == 2
    newer = state.read_bytes()

    # The second reads the file before the first one's login is in it.
    state.write_bytes(ended)
    before, found = len(erp.requests), list[int]()
    reader = threading.Thread(target=lambda: found.append(len(records_of(second))))
    with state.with_suffix(".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reader.start()
        wait_for(lambda: len(erp.requests) > before)
        state.write_bytes(newer)
    reader.join()

    pages.close()
    assert found == [ROWS]
    assert erp.archibald.logins == 2


def test_new_cookies_are_kept(erp: DemoErp, tmp_path: Path) -> None:
    """What the ERP sets besides is kept for the next run too."""
    source = archibald_source(erp, tmp_path)
    records_of(source)
    state = next(tmp_path.glob("archibald-session-*.json"))
    kept = state.read_text()
    assert records_of(source)
    assert state.read_text() == kept

    # An ERP that has forgotten the first cookie sets it anew with its login page.
    state.write_text(kept.replace("ASP.NET_SessionId", "Other"))

    assert len(records_of(source)) == ROWS
    assert "ASP.NET_SessionId" in state.read_text()


@pytest.mark.parametrize("name", ["json", "lock"])
def test_session_file_that_is_none(erp: DemoErp, tmp_path: Path, name: str) -> None:
    """What stands in the place of the session file is named, and nobody logs in without it."""
    source = archibald_source(erp, tmp_path)
    records_of(source)
    path = next(tmp_path.glob(f"archibald-session-*.{name}"))
    path.unlink()
    path.mkdir()
    erp.archibald.expire()

    with pytest.raises(PermanentSourceError, match=path.name.partition(".")[0]) as failure:
        records_of(source)

    assert failure.value.code == "source_session_file"
    assert erp.archibald.logins == 1


def test_a_login_that_hangs_elsewhere(tmp_path: Path) -> None:
    """Who waits for another process's login does so for a while only, or until a stop."""
    control = RunControl()
    one, other = (SessionFile(tmp_path, "http://erp/", "agente") for _ in range(2))

    with one.locked(control, 60):
        with pytest.raises(TransientSourceError) as failure, other.locked(control, 0.1):
            pass
        control.stop(RunCancelled("requested", "enough"))
        with pytest.raises(RunCancelled), other.locked(control, 60):
            pass

    with other.locked(RunControl(), 60):
        assert failure.value.code == "source_login_busy"
