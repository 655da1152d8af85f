"""HTTP as the connectors need it: limited in every way.

requests limits the time of each read, not of the whole answer: a timer, or the run's
control, shuts the socket down from another thread instead.
"""

from __future__ import annotations

import contextlib
import io
import threading
from dataclasses import dataclass, field, replace
from typing import IO, TYPE_CHECKING, TypedDict
from urllib.parse import urljoin, urlsplit

import requests

from archibald_sync import __version__
from archibald_sync.errors import (
    PermanentSourceError,
    SourceError,
    TransientSourceError,
)
from archibald_sync.sources.http_errors import check_status, place, too_large, too_slow, translated
from archibald_sync.sources.http_sockets import LiveSockets, WatchedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.http_settings import Auth, HttpSettings

_CHUNK_BYTES = 64 * 1024
_CONNECT_TIMEOUT_S = 5.0
_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATING_REDIRECTS = frozenset({307, 308})
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer: its decoded body, and the URL of the next page if a header names it.

    ``headers`` are found whatever their case; ``url`` is where it came from in the end,
    after redirects.
    """

    body: bytes
    content_type: str
    next_url: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


class Cookie(TypedDict):
    """What is kept of a cookie."""

    name: str
    value: str
    domain: str
    path: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is sent: a form makes it a POST; ``sink`` takes the body of the answer."""

    url: str
    params: Mapping[str, str | int] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] | None = None
    sink: IO[bytes] | None = None

    def redirected(self, status: int, url: str) -> _Asked:
        """Return what to send after a redirect; only two kinds repeat a form."""
        form = self.form if status in _REPEATING_REDIRECTS else None
        return replace(self, url=url, params=None, form=form)


class HttpClient:
    """Gets pages from one origin, and from no other; for one thread at a time."""

    def __init__(self, settings: HttpSettings) -> None:
        """Prepare a session for the origin of ``settings.url``."""
        self._settings = settings
        self._origin = _origin(settings.url)
        self._timeout = (min(_CONNECT_TIMEOUT_S, settings.timeout_s), settings.timeout_s)
        self._sockets = LiveSockets()
        self._session = _Session()
        # The environment's proxies and netrc would change where secrets go.
        self._session.trust_env = False
        self._session.headers["User-Agent"] = f"archibald-sync/{__version__}"
        self._session.headers["Accept"] = settings.accept
        if settings.language:
            self._session.headers["Accept-Language"] = settings.language
        _authenticate(self._session, settings.auth)
        adapter = WatchedAdapter(self._sockets)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def sibling(self) -> HttpClient:
        """Return another client with the same settings and the cookies that came so far."""
        client = HttpClient(self._settings)
        client._session.cookies.update(self._session.cookies)
        return client

    def get(
        self,
        url: str,
        params: Mapping[str, str | int],
        control: Control,
        bytes_left: int,
        headers: Mapping[str, str] = _NO_HEADERS,
        sink: IO[bytes] | None = None,
    ) -> Answer:
        """Return the complete answer to a GET.

        Args:
            url: Where; of our origin.
            params: The query.
            control: Ends the request at any moment.
            bytes_left: How many decoded bytes may come.
            headers: What to send besides the usual.
            sink: Where to write the body, which is then empty in the answer and may be
                longer than a page; None keeps it in memory.

        Raises:
            NotModified: ``headers`` ask whether something changed, and nothing did.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
        """
        return self._ask(_Asked(url, params, headers, sink=sink), control, bytes_left)

    def post(self, url: str, form: Mapping[str, str], control: Control, bytes_left: int) -> Answer:
        """Return the complete answer to a form that is sent; otherwise as ``get``."""
        return self._ask(_Asked(url, form=form), control, bytes_left)

    def download(
        self, url: str, form: Mapping[str, str], control: Control, bytes_left: int, sink: IO[bytes]
    ) -> Answer:
        """Send a form and write the body into ``sink``, complete if nothing is raised."""
        return self._ask(_Asked(url, form=form, sink=sink), control, bytes_left)

    def cookies(self) -> list[Cookie]:
        """Return the cookies that the source has set, in an order that stays."""
        cookies: list[Cookie] = [
            {"name": one.name, "value": one.value or "", "domain": one.domain, "path": one.path}
            for one in self._session.cookies
        ]
        return sorted(cookies, key=lambda one: (one["domain"], one["path"], one["name"]))

    def restore_cookies(self, cookies: Sequence[Cookie]) -> None:
        """Take over what ``cookies`` returned, in this process or another; no other stays."""
        self._session.cookies.clear()
        for one in cookies:
            self._session.cookies.set(**one)

    def end(self) -> None:
        """Make the request at work, and any further one, fail at once; from any thread."""
        self._sockets.shut(for_good=True)

    def close(self) -> None:
        """Close all connections, those too whose answers an error remembers."""
        self._session.close()
        self.end()

    @contextlib.contextmanager
    def _deadline(self, url: str) -> Iterator[None]:
        """Shut the connection when a whole answer takes longer than it may.

        Raises:
            TransientSourceError: It did, whatever that looked like to the reader.
        """
        late = threading.Event()

        def expire() -> None:
            late.set()
            self._sockets.shut()

        timer = threading.Timer(self._settings.timeout_s, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (requests.exceptions.RequestException, SourceError) as exc:
            if not late.is_set():
                raise
            raise too_slow(url) from exc
        finally:
            timer.cancel()
        if late.is_set():
            # An answer without a length looks complete when its connection is shut.
            raise too_slow(url)

    def _ask(self, asked: _Asked, control: Control, bytes_left: int) -> Answer:
        try:
            self._sockets.reopen()
            with control.closing(self._sockets.shut), self._deadline(asked.url):
                return self._follow(asked, bytes_left)
        except requests.exceptions.RequestException as exc:
            raise translated(exc, asked.url) from exc
        finally:
            control.checkpoint()

    def _follow(self, asked: _Asked, bytes_left: int) -> Answer:
        for _ in range(_MAX_REDIRECTS):
            self._check_origin(asked.url)
            with self._session.request(
                "GET" if asked.form is None else "POST",
                asked.url,
                params=asked.params,
                headers=asked.headers,
                data=asked.form,
                stream=True,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                if response.status_code not in _REDIRECTS:
                    check_status(response)
                    return self._answer(response, bytes_left, asked.sink)
                url = joined(response.url, response.headers.get("Location", ""))
                asked = asked.redirected(response.status_code, url)
        message = f"{place(asked.url)} redirects without end"
        raise PermanentSourceError(message, code="source_redirect")

    def _answer(
        self, response: requests.Response, bytes_left: int, sink: IO[bytes] | None
    ) -> Answer:
        limit = bytes_left if sink else min(self._settings.max_page_bytes, bytes_left)
        body, size = sink or io.BytesIO(), 0
        for chunk in response.iter_content(_CHUNK_BYTES):
            size += len(chunk)
            if size > limit:
                raise too_large(response.url, limit)
            body.write(chunk)
        if not size:
            raise TransientSourceError(
                f"{place(response.url)} answered with nothing", code="source_empty_body"
            )
        following = response.links.get("next", {}).get("url")
        return Answer(
            body.getvalue() if isinstance(body, io.BytesIO) else b"",
            response.headers.get("Content-Type", ""),
            joined(response.url, following) if following else None,
            headers=response.headers,
            url=response.url,
        )

    def _check_origin(self, url: str) -> None:
        if _origin(url) != self._origin:
            raise PermanentSourceError(
                f"the source leads to another place: {place(url)}; "
                "if it has moved, change url in source.toml",
                code="source_redirect",
            )


class _Session(requests.Session):
    """A session that leaves redirects to us: requests would read the body of each, uncapped."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # as inherited
        """Find no redirect, so that none is prepared."""


def _authenticate(session: requests.Session, auth: Auth) -> None:
    if auth.type == "bearer":
        session.headers["Authorization"] = f"Bearer {auth.secret}"
    elif auth.type == "basic":
        session.auth = (auth.username, auth.secret)
    elif auth.type == "header":
        session.headers[auth.name] = auth.secret


def joined(url: str, link: str) -> str:
    """Return where a ``link`` in an answer of ``url`` leads, relative or absolute.

    Raises:
        PermanentSourceError: It is no URL.
    """
    try:
        target = urljoin(url, link)
        _ = urlsplit(target).port  # read for its ValueError
    except ValueError as exc:
        message = f"an answer of {place(url)} leads to something that is no URL"
        raise PermanentSourceError(message, code="source_redirect") from exc
    return target


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)
