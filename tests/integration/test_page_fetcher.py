"""Pages fetched ahead: in order, bounded, gentle, and gone at once when the read ends."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest
import requests
from canned_server import Canned, CannedServer
from erp_support import source_of
from support import wait_for

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import PermanentSourceError, RunCancelled, TransientSourceError
from archibald_sync.services.control import RunControl
from archibald_sync.sources.http_settings import HttpSettings
from archibald_sync.sources.http_sockets import LiveSockets
from archibald_sync.sources.page_fetcher import PageFetcher, Request
from archibald_sync.sources.registry import load_source
from archibald_sync.sources.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Source

ROWS, PAGE = 500, 25
PAGES = ROWS // PAGE
BY_NUMBER = f'{{ style = "page", size_param = "size", size = {PAGE}, total_pages = "totalPages" }}'
BY_COUNT = f'{{ style = "page", size_param = "size", size = {PAGE} }}'
BY_OFFSET = f'{{ style = "offset", size = {PAGE} }}'
BY_LINK = f'{{ style = "next", size_param = "size", size = {PAGE} }}'


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP whose products stay the same."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


def paged(erp: DemoErp, folder: Path, pagination: str = BY_NUMBER, **changes: Any) -> Source:  # noqa: ANN401
    """Return a REST source that reads ``erp`` in ``PAGES`` pages."""
    style = pagination.split('"')[1]
    path = "/api/products" if style == "page" else f"/api/products/{style}"
    return source_of(erp, folder, path, pagination=pagination, **changes)


def impatient(erp: DemoErp, folder: Path) -> Source:
    """Return the same source with three seconds for each answer."""
    paged(erp, folder)
    path = folder / "source.toml"
    path.write_text(path.read_text().replace("timeout_s = 30", "timeout_s = 3"))
    return load_source(PRODUCTS, path, {})


def keys(source: Source) -> list[object]:
    """Return the keys of one extract in the order in which they came."""
    return [
        key
        for page in source.pages(RunControl())
        for key, *_ in page.decode(range(len(page.fingerprints)))
    ]


def ordered(erp: DemoErp) -> list[object]:
    """Return the ERP's keys in its own order."""
    return [product["ITEMID"] for product in erp.revisions.products(0, ROWS, {})[0]]


def fetchers() -> list[threading.Thread]:
    """Return the threads that fetch pages now."""
    return [one for one in threading.enumerate() if one.name.startswith("page-fetcher")]


@pytest.mark.parametrize("pagination", [BY_NUMBER, BY_COUNT, BY_OFFSET])
def test_pages_come_in_order_and_no_more_at_once_than_allowed(
    erp: DemoErp, tmp_path: Path, pagination: str
) -> None:
    """With answers that take their time several are open, never more than asked for."""
    erp.latency_s = 0.1

    assert keys(paged(erp, tmp_path, pagination, concurrency="4")) == ordered(erp)

    assert 1 < erp.traffic.most <= 4
    assert not fetchers()


@pytest.mark.parametrize(
    ("pagination", "concurrency"), [(BY_LINK, "8"), (BY_NUMBER, "1"), (BY_OFFSET, "1")]
)
def test_what_cannot_be_known_ahead_is_read_one_by_one(
    erp: DemoErp, tmp_path: Path, pagination: str, concurrency: str
) -> None:
    """A next link, or a concurrency of one, keeps to one request at a time."""
    assert keys(paged(erp, tmp_path, pagination, concurrency=concurrency)) == ordered(erp)

    assert erp.traffic.most == 1
    assert len(erp.requests) == PAGES


@pytest.mark.parametrize("total_pages", [BY_NUMBER, BY_COUNT])
def test_a_slow_reader_is_not_flooded(erp: DemoErp, tmp_path: Path, total_pages: str) -> None:
    """While a reader is busy, no more pages wait for it than may be in flight."""
    pages = paged(erp, tmp_path, total_pages, concurrency="4").pages(RunControl())
    for read in (1, 2, 3):
        next(pages)
        wait_for(lambda: erp.traffic.open == 0 and len(erp.requests) >= read + 4)  # noqa: B023
        threading.Event().wait(0.1)  # time for one that must not come
        assert len(erp.requests) == read + 4
    assert fetchers()

    pages.close()

    assert not fetchers()


def test_one_page_needs_no_thread(erp: DemoErp, tmp_path: Path) -> None:
    """An extract of one page starts none."""
    pagination = BY_NUMBER.replace(str(PAGE), "1000")
    pages = paged(erp, tmp_path, pagination).pages(RunControl())

    next(pages)

    assert not fetchers()
    assert list(pages) == []


def test_a_busy_server_is_asked_less_often(erp: DemoErp, tmp_path: Path) -> None:
    """429 in mid-extract halves what is open and pauses; the extract is complete all the same."""
    erp.faults.switch_on("throttle", parallel=2)
    erp.faults.switch_on("slow", seconds=0.05)

    assert keys(paged(erp, tmp_path, concurrency="8")) == ordered(erp)

    assert erp.traffic.most > 2
    refused = len(erp.requests) - PAGES
    assert 0 < refused < 3 * 8


@pytest.mark.parametrize("pagination", [BY_NUMBER, BY_LINK])
def test_one_refusal_costs_no_attempt(erp: DemoErp, tmp_path: Path, pagination: str) -> None:
    """A single 429 is waited out, also where pages are read one by one."""
    erp.faults.switch_on("status", status=429, retryAfter=0, page=7, times=1)

    assert keys(paged(erp, tmp_path, pagination)) == ordered(erp)

    assert len(erp.requests) == PAGES + 1


def test_repeated_refusals_end_the_attempt(erp: DemoErp, tmp_path: Path) -> None:
    """After three pauses in vain the run is told that the source is busy."""
    erp.faults.switch_on("status", status=429, page=2)

    with pytest.raises(TransientSourceError) as failure:
        keys(paged(erp, tmp_path))

    assert failure.value.code == "source_http_429"
    assert sum("page=2" in one.split("&") for one in erp.requests) == 4
    assert not fetchers()


@pytest.mark.parametrize("pagination", [BY_NUMBER, BY_LINK])
def test_a_stop_ends_a_pause(erp: DemoErp, tmp_path: Path, pagination: str) -> None:
    """A run that is told to end does not wait until the server wants to be asked again."""
    erp.faults.switch_on("status", status=429, retryAfter=50, page=3)
    control, source = RunControl(), paged(erp, tmp_path, pagination)

    def stop() -> None:
        wait_for(lambda: len(erp.requests) >= 3 and not erp.traffic.open)
        control.stop(RunCancelled("requested", "enough"))

    stopper = threading.Thread(target=stop)
    stopper.start()
    began_s = time.monotonic()
    with pytest.raises(RunCancelled), control.session():
        list(source.pages(control))

    assert time.monotonic() - began_s < 20
    assert not fetchers()
    stopper.join()


@pytest.mark.parametrize(("page", "retry_after"), [(3, 90), (1, 1)])
def test_a_long_pause_is_left_to_the_run(
    erp: DemoErp, tmp_path: Path, page: int, retry_after: int
) -> None:
    """Longer than a minute, or before anything was read, the attempt ends and the run waits."""
    erp.faults.switch_on("status", status=429, retryAfter=retry_after, page=page)

    with pytest.raises(TransientSourceError) as failure:
        keys(paged(erp, tmp_path))

    assert failure.value.retry_after_s == retry_after


def test_the_first_failure_in_order_is_told(erp: DemoErp, tmp_path: Path) -> None:
    """Whichever fails first in time, the failure of the earlier page counts."""
    erp.faults.switch_on("status", status=404, page=5)
    erp.faults.switch_on("slow", seconds=0.3, page=3)
    erp.faults.switch_on("status", status=500, page=3)

    with pytest.raises(TransientSourceError) as failure:
        keys(paged(erp, tmp_path, concurrency="8"))

    assert failure.value.code == "source_http_500"


def test_a_late_page_ends_the_others_too(erp: DemoErp, tmp_path: Path) -> None:
    """One answer that trickles too long fails the extract; what is in flight ends with it."""
    erp.faults.switch_on("slow-body", seconds=1, page=4)
    erp.faults.switch_on("slow", seconds=60, page=5)
    source = impatient(erp, tmp_path)
    began_s = time.monotonic()

    with pytest.raises(TransientSourceError) as failure:
        keys(source)

    assert failure.value.code == "source_timeout"
    assert time.monotonic() - began_s < 30
    assert not fetchers()


def test_a_reader_that_leaves_ends_what_is_in_flight(erp: DemoErp, tmp_path: Path) -> None:
    """When the plan fails, say, nobody waits for pages that nobody will read."""
    erp.faults.switch_on("slow", seconds=60, page=2)
    erp.faults.switch_on("slow-body", seconds=5, page=3)
    pages = paged(erp, tmp_path).pages(RunControl())
    next(pages)
    wait_for(lambda: len(erp.requests) >= 5)
    began_s = time.monotonic()

    pages.close()

    assert time.monotonic() - began_s < 15
    assert not fetchers()


def test_the_byte_cap_counts_what_is_in_flight(erp: DemoErp, tmp_path: Path) -> None:
    """Pages fetched at the same time share the cap on the extract, to the byte."""
    query = {"size": str(PAGE)}
    answers = [
        requests.get(erp.url("/api/products"), {**query, "page": str(number)}, timeout=20)
        for number in range(1, PAGES + 1)
    ]
    size = sum(len(one.content) for one in answers)
    erp.latency_s = 0.1  # so that the last pages are on their way together

    assert len(keys(paged(erp, tmp_path, concurrency="8", max_bytes=str(size)))) == ROWS
    with pytest.raises(PermanentSourceError, match="max_bytes") as failure:
        keys(paged(erp, tmp_path, concurrency="8", max_bytes=str(size - 1)))

    assert failure.value.code == "source_too_large"
    assert not fetchers()


def test_a_wrong_guess_costs_nothing_but_time() -> None:
    """What was foreseen and is not asked for is dropped; what is asked for is fetched."""
    with CannedServer([Canned(b"{}")]) as server:
        fetcher = PageFetcher(HttpSettings(server.url()), RunControl(), 2)
        fetcher.fetch(Request(server.url("/first")), {})
        fetcher.foresee([Request(server.url(f"/guess-{number}")) for number in range(9)])

        answer = fetcher.fetch(Request(server.url("/other")), {})
        fetcher.foresee([Request(server.url("/better"))])
        better = fetcher.fetch(Request(server.url("/better")), {})
        fetcher.close()

    asked = [target for target, _ in server.requests]
    assert answer.body == better.body == b"{}"
    assert asked.count("/better") == 1
    assert "/other" in asked
    assert "/guess-2" not in asked


def test_pages_ahead_carry_the_cookies_of_the_first() -> None:
    """A source that keeps a session by a cookie sees one session, on every connection."""
    canned = Canned(b"{}", headers={"Set-Cookie": "session=abc"})
    with CannedServer([canned]) as server:
        fetcher = PageFetcher(HttpSettings(server.url()), RunControl(), 4)
        further = [Request(server.url(f"/{number}")) for number in range(6)]
        fetcher.fetch(Request(server.url("/first")), {})
        fetcher.foresee(further)
        for one in further:
            fetcher.fetch(one, {})
        fetcher.close()

    sent = [headers.get("cookie") for _, headers in server.requests]
    assert sent == [None, *["session=abc"] * 6]


def test_a_refusal_that_is_old_news_halves_nothing() -> None:
    """Requests that were open together when the server refused them count once."""
    throttle = Throttle(16)
    began_s = time.monotonic()

    assert all(throttle.slow_down(began_s, 1, 0.0) for _ in range(5))
    assert throttle.limit == 8
    assert throttle.slow_down(time.monotonic(), 2, None)
    assert throttle.limit == 4
    assert not throttle.slow_down(time.monotonic(), 4, None)
    assert not throttle.slow_down(time.monotonic(), 1, 61.0)


def test_the_end_reaches_who_waits_for_a_turn() -> None:
    """Nobody waits on for a turn, or a pause to pass, once the read has ended."""
    throttle, outcomes = Throttle(1), []

    def wait() -> None:
        try:
            with throttle.turn():
                outcomes.append("turn")
        except CancelledError:
            outcomes.append("cancelled")

    waiting = threading.Thread(target=wait)
    with throttle.turn() as began_s:
        throttle.slow_down(began_s, 1, 60.0)
        waiting.start()
        throttle.end()
        waiting.join(20)

    assert outcomes == ["cancelled"]


@pytest.mark.parametrize("for_good", [False, True])
def test_a_socket_that_connects_while_it_is_shut_is_shut(*, for_good: bool) -> None:
    """A stop that falls into the moment of connecting is not lost."""
    sockets = LiveSockets()
    ours, theirs = socket.socketpair()
    theirs.settimeout(20)
    with ours, theirs:
        sockets.shut(for_good=for_good)
        sockets.admit(ours)

        assert theirs.recv(1) == b""
        sockets.reopen()
        again, other = socket.socketpair()
        other.settimeout(20)
        with again, other:
            sockets.admit(again)
            again_is_open = other_receives(again, other)
    assert again_is_open is not for_good


def other_receives(one: socket.socket, other: socket.socket) -> bool:
    """Return whether what ``one`` sends arrives."""
    try:
        one.sendall(b"x")
    except OSError:
        return False
    return other.recv(1) == b"x"
