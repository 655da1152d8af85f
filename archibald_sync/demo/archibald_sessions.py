"""Who is logged in to the demo ERP: cookies, hidden fields that must come back, expiry."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field

SESSION_COOKIE, AUTH_COOKIE = "ASP.NET_SessionId", ".ASPXFORMSAUTH"
_IDLE_S = 25 * 60
_MAX_SESSIONS, _MAX_FORMS = 100, 50


@dataclass(slots=True)
class _Session:
    seen_s: float
    auth: str = ""
    forms: list[str] = field(default_factory=list)


class Sessions:
    """The sessions of one demo ERP."""

    def __init__(self, users: dict[str, str] | None = None, idle_s: float = _IDLE_S) -> None:
        """Let ``users`` in, name and password each; sessions end after ``idle_s`` seconds."""
        self.users = users or {"agente": "segreto"}
        self.logins = 0
        self._idle_s = idle_s
        self._sessions: dict[str, _Session] = {}
        self._lock = threading.Lock()

    def begin(self) -> str:
        """Return the id of a new session in which nobody has logged in."""
        with self._lock:
            while len(self._sessions) >= _MAX_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
            name = secrets.token_hex(12)
            self._sessions[name] = _Session(time.monotonic())
            return name

    def has(self, name: str) -> bool:
        """Return whether there is a session ``name``."""
        with self._lock:
            return self._live(name) is not None

    def log_in(self, name: str, username: str, password: str) -> str | None:
        """Return the second cookie if the user may enter; each try counts."""
        with self._lock:
            self.logins += 1
            session, wanted = self._live(name), self.users.get(username, "")
            if session is None or not hmac.compare_digest(wanted.encode(), password.encode()):
                return None
            session.auth = secrets.token_hex(24)
            return session.auth

    def is_logged_in(self, cookies: dict[str, str]) -> bool:
        """Return whether both cookies belong to a session that has not ended."""
        with self._lock:
            session = self._live(cookies.get(SESSION_COOKIE, ""))
            return (
                session is not None
                and bool(session.auth)
                and (cookies.get(AUTH_COOKIE) == session.auth)
            )

    def new_form(self, name: str) -> dict[str, str]:
        """Return hidden fields for a form of session ``name``."""
        mark = secrets.token_hex(16)
        with self._lock:
            if (session := self._live(name)) is not None:
                session.forms = [*session.forms, mark][-_MAX_FORMS:]
        return {
            "__VIEWSTATE": f"/wEPDwUK{mark}==",
            "__VIEWSTATEGENERATOR": mark[:8].upper(),
            "__EVENTVALIDATION": f"/wEdAA{mark}",
        }

    def is_form(self, name: str, fields: dict[str, str]) -> bool:
        """Return whether the hidden fields are those of a form that the session was given."""
        mark = fields.get("__EVENTVALIDATION", "").removeprefix("/wEdAA")
        with self._lock:
            session = self._live(name)
            is_known = session is not None and mark in session.forms
        return is_known and fields.get("__VIEWSTATE") == f"/wEPDwUK{mark}=="

    def expire(self) -> None:
        """End all sessions, as the ERP does after some idle minutes."""
        with self._lock:
            self._sessions.clear()

    def _live(self, name: str) -> _Session | None:
        session = self._sessions.get(name)
        if session is None or time.monotonic() - session.seen_s > self._idle_s:
            self._sessions.pop(name, None)
            return None
        session.seen_s = time.monotonic()
        return session
