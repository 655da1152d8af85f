"""A session with the ERP: kept across runs, noticed when it ended, begun again once.

The ERP answers 200 with its login page when a session has ended. Logging in again is part
of the day; logging in too often gets a client blocked, so logins have a budget, and a
password that was refused is not tried again before something changes.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from archibald_sync.domain.models import Stage
from archibald_sync.errors import SourceAuthError, SourceFormatError, TransientSourceError
from archibald_sync.logs import ComponentLogger
from archibald_sync.sources.archibald.forms import Form, is_error_page, is_html, login_form
from archibald_sync.sources.archibald.state import SessionFile, SessionState, digest_of
from archibald_sync.sources.http import HttpClient, joined

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.archibald.settings import ArchibaldSettings
    from archibald_sync.sources.http import Answer, Cookie

log = ComponentLogger("ArchibaldSource")

MAX_HTML_BYTES = 4 * 1024 * 1024
_DAY_MS = 24 * 60 * 60 * 1000
_LOCK_TIMEOUTS = 3  # a login is two requests


class ErpSession:
    """One session, for one extract; at most one login."""

    def __init__(self, settings: ArchibaldSettings) -> None:
        """Take up the cookies of the last run; nothing is asked yet.

        Raises:
            SourceAuthError: The ERP refused these credentials before.
            PermanentSourceError: The file with the session cannot be read.
        """
        self._settings = settings
        auth = settings.http.auth
        self._file = SessionFile(settings.folder, settings.http.url, auth.username)
        state = self._file.load()
        self._refuse_refused(state)
        self._client = HttpClient(settings.http)
        self._resumed: list[Cookie] = []
        self._resume(state)
        self._lock_timeout_s = _LOCK_TIMEOUTS * settings.http.timeout_s
        self._has_logged_in = False

    def close(self) -> None:
        """Close all connections; the ERP keeps the session."""
        self._client.close()

    def page(self, url: str, control: Control) -> tuple[str, Answer]:
        """Return a page of the ERP as text, and its answer; log in where that is needed.

        Raises:
            SourceAuthError: The ERP does not let us in.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
        """
        while True:
            answer = self._client.get(url, {}, control, MAX_HTML_BYTES)
            text = text_of(answer.body)
            if not self.is_login_page(answer.url, answer.body):
                refuse_error_page(text)
                return text, answer
            self.log_in(control)

    def download(
        self, url: str, fields: Mapping[str, str], file: IO[bytes], control: Control
    ) -> Answer:
        """Post ``fields`` and write the answer into ``file``; the ERP may take its time.

        Raises:
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
        """
        http = self._settings.http
        patient = replace(http, timeout_s=self._settings.export.timeout_s)
        with closing(HttpClient(patient)) as client:
            client.restore_cookies(self._client.cookies())
            most = min(http.max_bytes, http.max_page_bytes)
            answer = client.download(url, fields, control, most, file)
            self._client.restore_cookies(client.cookies())
        return answer

    def is_login_page(self, url: str, body: bytes) -> bool:
        """Return whether an answer is the login page, by its final URL or its content."""
        if self._is_at(url):
            return True
        return is_html(body) and login_form(text_of(body)) is not None

    def log_in(self, control: Control) -> None:
        """Begin a new session, or take up one that another process has begun meanwhile.

        Raises:
            SourceAuthError: The ERP refused us now or before, shows its login page again
                right after a login, or the budget is spent.
            TransientSourceError: It failed in a way that may pass.
            SourceFormatError: The login page has no form for a password.
        """
        if self._has_logged_in:
            message = "the ERP shows its login page again right after a login"
            raise SourceAuthError(message, code="source_login_page")
        self._has_logged_in = True
        control.enter(Stage.LOGIN)
        with self._file.locked(control, self._lock_timeout_s):
            state = self._file.load()
            self._refuse_refused(state)
            if state.cookies and state.cookies != self._resumed:
                self._resume(state)
                self._has_logged_in = False
                return
            self._log_in(state, control)

    def keep(self, control: Control) -> None:
        """Keep the cookies for the next run, if the ERP has set new ones.

        Raises:
            TransientSourceError: Another process did not finish its login in time.
            PermanentSourceError: The file with the session cannot be written.
            RunStopped: ``control`` ended the run.
        """
        if (cookies := self._client.cookies()) == self._resumed:
            return
        with self._file.locked(control, self._lock_timeout_s):
            state = self._file.load()
            # What another process has begun meanwhile is newer.
            if state.cookies == self._resumed:
                state.cookies = self._resumed = cookies
                self._file.save(state)

    def _log_in(self, state: SessionState, control: Control) -> None:
        settings = self._settings
        state.cookies = []
        self._resume(state)
        query = {"ReturnUrl": urlsplit(settings.list_url).path}
        answer = self._client.get(settings.login_url, query, control, MAX_HTML_BYTES)
        refuse_error_page(text_of(answer.body))
        form = login_form(text_of(answer.body))
        if form is None:
            message = "the ERP's login page has no field for a password; correct login.path"
            raise SourceFormatError(message, code="source_login_form")
        fields, url = self._filled_in(form), joined(answer.url, form.action)
        self._spend_login(state)
        before = self._cookie_names()
        answer = self._client.post(url, fields, control, MAX_HTML_BYTES)
        if self._is_at(answer.url, url) and self._cookie_names() <= before:
            state.refused, state.refused_at = digest_of(self._credentials()), _now_ms()
            self._file.save(state)
            raise SourceAuthError(_refusal(state), code="source_login_refused")
        state.cookies, state.refused = self._client.cookies(), ""
        self._file.save(state)
        self._resumed = state.cookies
        log.info("Logged in to the ERP", extra={"loginsWithin24Hours": len(state.logins)})

    def _cookie_names(self) -> set[str]:
        """Return what tells a login that worked: the ERP has set a cookie more."""
        return {cookie["name"] for cookie in self._client.cookies()}

    def _is_at(self, url: str, *others: str) -> bool:
        """Return whether ``url`` is the login page, or one of ``others``, query aside."""
        known = {_path(one) for one in (self._settings.login_url, *others)}
        return _path(url) in known

    def _filled_in(self, form: Form) -> dict[str, str]:
        login, auth = self._settings.login, self._settings.http.auth
        username = login.username_field or next(iter(form.texts), "")
        password = login.password_field or form.passwords[0]
        if not username or not password:
            message = "the fields of the ERP's login page have no names; set login.username_field "
            message += "and login.password_field in source.toml"
            raise SourceFormatError(message, code="source_login_form")
        typed = {username: auth.username, password: auth.secret}
        return {**form.hidden, **form.submit, **login.fields, **typed}

    def _spend_login(self, state: SessionState) -> None:
        """Count a login before it is tried, so that no crash makes it free."""
        now, budget = _now_ms(), self._settings.login.budget
        # A clock that was ahead must not block us for longer than a day.
        recent = sorted(min(at, now) for at in state.logins if at > now - _DAY_MS)
        if len(recent) >= budget:
            free_at = _moment(recent[len(recent) - budget] + _DAY_MS)
            message = f"the budget of {budget} logins within 24 hours is spent, and free again at "
            message += f"{free_at}; find out what ends the sessions, or raise login.budget"
            raise SourceAuthError(message, code="source_login_budget")
        state.logins = [*recent, now]
        self._file.save(state)

    def _resume(self, state: SessionState) -> None:
        self._resumed = state.cookies
        self._client.restore_cookies(state.cookies)

    def _refuse_refused(self, state: SessionState) -> None:
        if state.refused and digest_of(self._credentials(), state.refused) == state.refused:
            raise SourceAuthError(_refusal(state), code="source_login_refused")

    def _credentials(self) -> str:
        """Return all that a refusal depends on."""
        settings, auth = self._settings, self._settings.http.auth
        return repr((settings.http.url, settings.login, auth.username, auth.secret))


def text_of(body: bytes) -> str:
    """Return a page as text."""
    return body.decode("utf-8", "replace")


def refuse_error_page(page: str) -> None:
    """Refuse the page on which the ERP says that it failed.

    Raises:
        TransientSourceError: It is that page.
    """
    if is_error_page(page):
        message = "the ERP says that the requested objects cannot be loaded"
        raise TransientSourceError(message, code="source_error_page")


def _path(url: str) -> str:
    return urlsplit(url).path.casefold()


def _refusal(state: SessionState) -> str:
    return (
        f"the ERP refused user name and password at {_moment(state.refused_at)}; they are not "
        "tried again until one of them, or login in source.toml, changes"
    )


def _moment(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
