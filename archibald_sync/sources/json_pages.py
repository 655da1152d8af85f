"""Walk over the pages of a JSON source, each of which tells the way to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archibald_sync.sources.page_fetcher import PageFetcher

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from archibald_sync.domain.models import Page
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.http import Answer
    from archibald_sync.sources.http_settings import HttpSettings
    from archibald_sync.sources.json_extract import JsonExtract
    from archibald_sync.sources.page_fetcher import Request


@dataclass(frozen=True, slots=True)
class Walk:
    """How a source leads from page to page.

    ``step`` reads an answer: its page, and the request for the next if there is one.
    ``ahead`` gives, for the first page and the second request, the requests from the
    second on that can be foreseen; a wrong guess costs time and nothing else.
    """

    first: Request
    step: Callable[[Answer, Request, JsonExtract], tuple[Page, Request | None]]
    ahead: Callable[[Page, Request], Iterable[Request]]


def read_pages(
    walk: Walk, http: HttpSettings, concurrency: int, extract: JsonExtract, control: Control
) -> Generator[Page, None, None]:
    """Read one complete extract, page by page.

    Raises:
        NotModified: Nothing changed since the extract's validator.
        TransientSourceError: It failed in a way that may pass.
        PermanentSourceError: A second try would fail in the same way.
        RunStopped: ``control`` ended the run.
    """
    fetcher = PageFetcher(http, control, concurrency)
    request: Request | None = walk.first
    try:
        while request is not None:
            control.checkpoint()
            extract.admit(request)
            answer = fetcher.fetch(request, extract.condition())
            page, following = walk.step(answer, request, extract)
            if page.number == 1 and following is not None:
                fetcher.foresee(walk.ahead(page, following))
            request = following
            yield page
    finally:
        fetcher.close()
