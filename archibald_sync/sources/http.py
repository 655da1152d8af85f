"""HTTP as the connectors need it: limited in every way, and mapped to our errors once.

requests limits the time of each read, not of the whole answer: a timer, or the run's
control, shuts the socket down from another thread instead. Messages name host and path at
most; never a body, a query string or a secret.
"""

from __future__ import annotations

import contextlib
import io
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import IO, TYPE_CHECKING, TypedDict
from urllib.parse import urljoin, urlsplit

import requests

from archibald_sync import __version__
from archibald_sync.errors import (
    NotModified,
    PermanentSourceError,
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.sources.http_sockets import LiveSockets, WatchedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.http_settings import Auth, HttpSettings

_CHUNK_BYTES = 64 * 1024
_CONNECT_TIMEOUT_S = 5.0
_MAX_REDIRECTS = 5
_TRANSIENT_STATUS = frozenset({408, 425, 429})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_REPEATING_REDIRECTS = frozenset({307, 308})
_AUTH_STATUS = frozenset({401, 403})
_OK, _NOT_MODIFIED, _FIRST_SERVER_ERROR = 200, 304, 500
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
        """Send a form and write the answer into ``sink`` as it comes; otherwise as ``get``.

        What stands in ``sink`` is complete only if nothing is raised; the body of the
        returned answer is empty.
        """
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
            raise _too_slow(url) from exc
        finally:
            timer.cancel()
        if late.is_set():
            # An answer without a length looks complete when its connection is shut.
            raise _too_slow(url)

    def _ask(self, asked: _Asked, control: Control, bytes_left: int) -> Answer:
        try:
            self._sockets.reopen()
            with control.closing(self._sockets.shut), self._deadline(asked.url):
                return self._follow(asked, bytes_left)
        except requests.exceptions.RequestException as exc:
            raise _translated(exc, asked.url) from exc
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
                    _check_status(response)
                    return self._answer(response, bytes_left, asked.sink)
                url = joined(response.url, response.headers.get("Location", ""))
                asked = asked.redirected(response.status_code, url)
        message = f"{_place(asked.url)} redirects without end"
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
                f"{_place(response.url)} answered with nothing", code="source_empty_body"
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
                f"the source leads to another place: {_place(url)}; "
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


def _check_status(response: requests.Response) -> None:
    status, place = response.status_code, _place(response.url)
    if status == _OK:
        return
    if status == _NOT_MODIFIED and _is_conditional(response.request.headers):
        raise NotModified(f"{place} says that nothing changed")
    message, code = f"{place} answered {status}", f"source_http_{status}"
    if status in _TRANSIENT_STATUS or status >= _FIRST_SERVER_ERROR:
        raise TransientSourceError(message, code=code, retry_after_s=_retry_after_s(response))
    if status in _AUTH_STATUS:
        raise SourceAuthError(f"{message}: check the credentials named in source.toml", code=code)
    raise PermanentSourceError(f"{message}: check url and query in source.toml", code=code)


def _is_conditional(headers: Mapping[str, str]) -> bool:
    return "If-None-Match" in headers or "If-Modified-Since" in headers


def _retry_after_s(response: requests.Response) -> float | None:
    """Read Retry-After as RFC 9110 has it: seconds or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max((moment.astimezone(UTC) - datetime.now(UTC)).total_seconds(), 0.0)


_TRANSLATIONS: tuple[tuple[type[Exception], type[SourceError], str, str], ...] = (
    # (what requests raises, what we raise, code, what happened); the first match counts
    (
        requests.exceptions.SSLError,
        PermanentSourceError,
        "source_tls",
        "{} offers no trustworthy certificate",
    ),
    (
        requests.exceptions.ContentDecodingError,
        SourceFormatError,
        "source_encoding",
        "{} sent a damaged encoding",
    ),
    (
        requests.exceptions.ConnectTimeout,
        TransientSourceError,
        "source_connect",
        "{} cannot be reached in time",
    ),
    (
        requests.exceptions.Timeout,
        TransientSourceError,
        "source_timeout",
        "{} did not answer in time",
    ),
    (
        requests.exceptions.ChunkedEncodingError,
        TransientSourceError,
        "source_cut",
        "{} broke off in mid-answer",
    ),
    (
        requests.exceptions.ConnectionError,
        TransientSourceError,
        "source_connect",
        "the connection to {} failed",
    ),
    (
        requests.exceptions.RequestException,
        PermanentSourceError,
        "source_request",
        "{} cannot be asked; check url in source.toml",
    ),
)


def joined(url: str, link: str) -> str:
    """Return where a ``link`` in an answer of ``url`` leads, relative or absolute.

    Raises:
        PermanentSourceError: It is no URL.
    """
    try:
        target = urljoin(url, link)
        _ = urlsplit(target).port  # read for its ValueError
    except ValueError as exc:
        message = f"an answer of {_place(url)} leads to something that is no URL"
        raise PermanentSourceError(message, code="source_redirect") from exc
    return target


def too_large(url: str, limit: int) -> PermanentSourceError:
    """Return the error for more than ``limit`` bytes from ``url``."""
    message = f"{_place(url)} sent more than {limit} bytes; raise "
    message += "max_page_bytes or max_bytes in source.toml if that is right"
    return PermanentSourceError(message, code="source_too_large")


def _translated(exc: requests.exceptions.RequestException, url: str) -> SourceError:
    for theirs, ours, code, sentence in _TRANSLATIONS:
        # A body that stalls comes as a ConnectionError around a time-out.
        is_stalled = theirs is requests.exceptions.Timeout and "timed out" in str(exc)
        if isinstance(exc, theirs) or is_stalled:
            return ours(sentence.format(_place(url)), code=code)
    raise exc


def _too_slow(url: str) -> TransientSourceError:
    return TransientSourceError(f"{_place(url)} did not answer in time", code="source_timeout")


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443}.get(parts.scheme, 80)


def _place(url: str) -> str:
    """Return what may be told of a URL: neither credentials nor query."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
