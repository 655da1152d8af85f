"""Fetch the pages of one extract: in order, and ahead of their reader where they are known."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from archibald_sync.errors import TransientSourceError
from archibald_sync.sources.http import HttpClient
from archibald_sync.sources.http_errors import too_large
from archibald_sync.sources.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.http import Answer
    from archibald_sync.sources.http_settings import HttpSettings

_REFUSED = "source_http_429"


@dataclass(frozen=True, slots=True)
class Request:
    """One page to ask for."""

    url: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def with_param(self, name: str, value: str | int) -> Request:
        """Return the same request with another value of a parameter."""
        return Request(self.url, {**self.params, name: value}, self.headers)


class PageFetcher:
    """Gives answers in the order in which they are asked for.

    ``foresee`` names requests that will probably be asked for: up to ``concurrency``
    of them are in flight or wait for their reader at any moment. What was foreseen
    wrongly is dropped: the answers are those of one request after the other.
    """

    def __init__(self, settings: HttpSettings, control: Control, concurrency: int) -> None:
        """Fetch as ``settings`` say, for a run that ``control`` ends at any moment."""
        self._settings = settings
        self._control = control
        self._concurrency = concurrency
        self._throttle = Throttle(concurrency)
        self._clients = [HttpClient(settings)]
        self._idle = list(self._clients)
        self._lock = threading.Lock()
        self._bytes_read = 0
        self._has_answer = False
        self._pool: ThreadPoolExecutor | None = None
        self._coming: Iterator[Request] = iter(())
        self._ahead: deque[tuple[Request, Future[Answer]]] = deque()

    def fetch(self, request: Request, condition: Mapping[str, str]) -> Answer:
        """Return the complete answer to ``request``.

        Args:
            request: What to ask.
            condition: Further headers, which ask whether something changed.

        Raises:
            NotModified: Nothing changed.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
            RunStopped: ``control`` ended the run.
        """
        with self._control.closing(self._throttle.end):
            try:
                answer = self._answer(request, condition)
            finally:
                self._control.checkpoint()
        self._has_answer = True
        return answer

    def foresee(self, requests: Iterable[Request]) -> None:
        """Fetch ``requests`` ahead: they will probably be asked for, in this order."""
        if self._concurrency == 1:
            return
        if self._pool is None:
            siblings = [self._clients[0].sibling() for _ in range(self._concurrency - 1)]
            with self._lock:
                self._clients += siblings
                self._idle += siblings
            self._pool = ThreadPoolExecutor(self._concurrency, "page-fetcher")
        self._coming = iter(requests)
        self._fill(self._pool)

    def close(self) -> None:
        """End what is in flight, and let no thread and no connection remain."""
        self._throttle.end()
        for client in self._clients:
            client.end()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for client in self._clients:
            client.close()

    def _answer(self, request: Request, condition: Mapping[str, str]) -> Answer:
        if self._pool is not None and self._ahead and self._ahead[0][0] == request:
            answer = self._ahead[0][1].result()
            self._ahead.popleft()
            self._fill(self._pool)
            return answer
        self._ahead.clear()
        self._coming = iter(())
        return self._patient_answer(replace(request, headers={**request.headers, **condition}))

    def _fill(self, pool: ThreadPoolExecutor) -> None:
        while len(self._ahead) < self._throttle.limit:
            if (request := next(self._coming, None)) is None:
                return
            self._ahead.append((request, pool.submit(self._patient_answer, request)))

    def _patient_answer(self, request: Request) -> Answer:
        """Ask again, more slowly, where the server finds that we ask too often.

        At the first page nothing would be lost: there the attempt fails, and the run waits.
        """
        refusals = 0
        while True:
            refusals += 1
            with self._throttle.turn() as began_s:
                try:
                    return self._get(request)
                except TransientSourceError as exc:
                    if exc.code != _REFUSED or not self._has_answer:
                        raise
                    if not self._throttle.slow_down(began_s, refusals, exc.retry_after_s):
                        raise

    def _get(self, request: Request) -> Answer:
        with self._lock:
            # The throttle lets no more be open than there are clients.
            client = self._idle.pop()
            left = max(self._settings.max_bytes - self._bytes_read, 0)
        try:
            answer = client.get(request.url, request.params, self._control, left, request.headers)
        finally:
            with self._lock:
                self._idle.append(client)
        with self._lock:
            self._bytes_read += len(answer.body)
            if self._bytes_read > self._settings.max_bytes:
                raise too_large(request.url, self._settings.max_bytes)
        return answer
