"""What the ERP's table of ``source.toml`` says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from archibald_sync.sources.http_settings import (
    FORM_AUTH_KEYS,
    HTTP_KEYS,
    HttpSettings,
    read_http,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archibald_sync.sources.table import TableReader

LOGIN_KEYS = ("path", "username_field", "password_field", "fields", "budget")
EXPORT_KEYS = ("path", "fields", "timeout_s")
READING_KEYS = ("timeout_s", "memory_mib", "max_pages")
KEYS = (*HTTP_KEYS, "language", "login", "export", "reading", "folder")
_ACCEPT = "text/html, application/pdf"
_EXPORT_FIELDS = {"__EVENTTARGET": "Menu$ExportTo", "__EVENTARGUMENT": "Pdf"}


@dataclass(frozen=True, slots=True)
class LoginSettings:
    """The login page; an empty field name means the first such field of its form.

    ``budget`` is how many logins there may be within any 24 hours.
    """

    path: str = "Login.aspx"
    username_field: str = ""
    password_field: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    budget: int = 60


@dataclass(frozen=True, slots=True)
class ExportSettings:
    """The list view and what is posted to it for an export; ``timeout_s`` for the whole."""

    path: str = "INVENTTABLE_ListView/"
    fields: Mapping[str, str] = field(default_factory=lambda: dict(_EXPORT_FIELDS))
    timeout_s: float = 240.0


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """What the child process that reads the PDF may use."""

    timeout_s: float = 120.0
    memory_mib: int = 512
    max_pages: int = 20_000


@dataclass(frozen=True, slots=True)
class ArchibaldSettings:
    """One table of ``source.toml``; ``folder`` holds the session and the export."""

    http: HttpSettings
    folder: Path
    login: LoginSettings = LoginSettings()
    export: ExportSettings = ExportSettings()
    reading: ReadingSettings = ReadingSettings()

    @property
    def login_url(self) -> str:
        """Return where the login page is."""
        return urljoin(self.http.url, self.login.path)

    @property
    def list_url(self) -> str:
        """Return where the list view is."""
        return urljoin(self.http.url, self.export.path)


def read_archibald(reader: TableReader) -> ArchibaldSettings:
    """Return the settings of a table; faults are remembered in ``reader``."""
    http = read_http(reader, accept=_ACCEPT, auth_keys=FORM_AUTH_KEYS)
    if not http.url.endswith("/"):
        reader.fault("url", f"{http.url!r} does not end with /", "write the ERP's folder")
    folder = reader.folder / reader.text("folder", ".")
    return ArchibaldSettings(
        replace(http, language=reader.text("language", "it-IT")),
        folder,
        _login(reader),
        _export(reader),
        _reading(reader),
    )


def _login(reader: TableReader) -> LoginSettings:
    reader.refuse_unknown(reader.subtable("login"), LOGIN_KEYS, "login.")
    return LoginSettings(
        _page_path(reader, "login", "Login.aspx"),
        reader.text("username_field", "", "login"),
        reader.text("password_field", "", "login"),
        _fields(reader, "login", {}),
        reader.integer("budget", 60, 1, 1000, "login"),
    )


def _export(reader: TableReader) -> ExportSettings:
    reader.refuse_unknown(reader.subtable("export"), EXPORT_KEYS, "export.")
    return ExportSettings(
        _page_path(reader, "export", "INVENTTABLE_ListView/"),
        _fields(reader, "export", _EXPORT_FIELDS),
        reader.number("timeout_s", 240, 1, 290, "export"),
    )


def _reading(reader: TableReader) -> ReadingSettings:
    reader.refuse_unknown(reader.subtable("reading"), READING_KEYS, "reading.")
    return ReadingSettings(
        reader.number("timeout_s", 120, 1, 290, "reading"),
        reader.integer("memory_mib", 512, 64, 4096, "reading"),
        reader.integer("max_pages", 20_000, 1, 1_000_000, "reading"),
    )


def _page_path(reader: TableReader, section: str, default: str) -> str:
    path = reader.text("path", default, section)
    if "//" in path or not path.isprintable():
        reader.fault(f"{section}.path", f"{path!r} is no path", "write it as below url")
        return default
    return path


def _fields(reader: TableReader, section: str, default: Mapping[str, str]) -> dict[str, str]:
    value = reader.subtable(section).get("fields", default)
    is_table = isinstance(value, dict)
    if is_table and all(isinstance(text, str) for text in value.values()):
        return dict(value)
    reader.fault(f"{section}.fields", "is no table of texts", 'write { "name" = "value" }')
    return dict(default)
