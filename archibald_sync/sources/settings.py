"""Read ``source.toml``: one table a resource, every fault named with its remedy.

Secrets never stand in the file: it names the environment variable that holds one.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from archibald_sync.domain.normalise import Notation
from archibald_sync.errors import ConfigError, ConfigFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.resources import Resource

KINDS = ("rest", "odata", "csv", "xlsx", "archibald")
_KEYS = (
    "kind",
    "url",
    "records",
    "total",
    "pagination",
    "auth",
    "timeout_s",
    "notation",
    "max_pages",
    "max_bytes",
    "max_page_bytes",
    "fields",
    "guards",
)
_PAGINATION_KEYS = {
    "none": (),
    "page": ("page_param", "size_param", "size", "first", "total_pages"),
    "offset": ("offset_param", "limit_param", "size"),
    "cursor": ("cursor_param", "cursor", "size_param", "size"),
    "link": ("size_param", "size"),
    "next": ("next", "size_param", "size"),
}
_AUTH_KEYS = {
    "none": (),
    "bearer": ("token_env",),
    "basic": ("username_env", "password_env"),
    "header": ("name", "value_env"),
}
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Pagination:
    """How a source divides its answer; unused settings keep their defaults."""

    style: str = "none"
    page_param: str = "page"
    size_param: str = ""
    offset_param: str = "offset"
    limit_param: str = "limit"
    cursor_param: str = "cursor"
    cursor: str = "next"
    next: str = "next"
    total_pages: str = ""
    size: int = 500
    first: int = 1


@dataclass(frozen=True, slots=True)
class Auth:
    """How we identify ourselves; the secrets are left out of every representation."""

    type: str = "none"
    name: str = ""
    username: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One table of ``source.toml``; ``fields`` maps our names to theirs, the key first."""

    kind: str
    url: str
    fields: Mapping[str, str]
    records: str = ""
    total: str = ""
    pagination: Pagination = Pagination()
    auth: Auth = Auth()
    timeout_s: float = 30.0
    notation: Notation = Notation.PLAIN
    max_pages: int = 100_000
    max_bytes: int = 2048 * _MIB
    max_page_bytes: int = 64 * _MIB
    guards: Mapping[str, Any] = field(default_factory=dict)


def load_settings(resource: Resource, path: Path, environ: Mapping[str, str]) -> SourceSettings:
    """Return the settings of ``resource`` in the file ``path``.

    Raises:
        ConfigError: The file is missing or wrong; it names every fault.
    """
    table = read_table(resource, path)
    reader = _TableReader(table, f"{path.name} [{resource.name}]", environ)
    settings = _read(reader, resource)
    if reader.faults:
        raise ConfigError(reader.faults)
    return settings


def read_table(resource: Resource, path: Path) -> dict[str, Any]:
    """Return the table of ``resource`` in the file ``path``, unchecked.

    Raises:
        ConfigError: The file or the table is missing, or it is not TOML.
    """
    where = str(path)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        remedy = "copy instance/source.example.toml there, or set ARCHIBALD_SOURCE"
        raise ConfigError([ConfigFault(where, exc.strerror or "unreadable", remedy)]) from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError([ConfigFault(where, str(exc), "correct the TOML syntax")]) from exc
    table = document.get(resource.name)
    if not isinstance(table, dict):
        remedy = f"add a table [{resource.name}]"
        raise ConfigError([ConfigFault(where, f"no table [{resource.name}]", remedy)])
    return table


def _read(reader: _TableReader, resource: Resource) -> SourceSettings:
    reader.refuse_unknown(reader.table, _KEYS, "")
    return SourceSettings(
        kind=reader.word("kind", KINDS, ""),
        url=_url(reader),
        fields=_fields(reader, resource),
        records=reader.text("records", ""),
        total=reader.text("total", ""),
        pagination=_pagination(reader),
        auth=_auth(reader),
        timeout_s=reader.number("timeout_s", 30, 1, 600),
        notation=Notation(reader.word("notation", tuple(Notation), Notation.PLAIN)),
        max_pages=int(reader.number("max_pages", 100_000, 1, 10_000_000)),
        max_bytes=int(reader.number("max_bytes", 2048 * _MIB, 1, 2**40)),
        max_page_bytes=int(reader.number("max_page_bytes", 64 * _MIB, 1, 2**32)),
        guards=reader.subtable("guards"),
    )


def _url(reader: _TableReader) -> str:
    url = reader.text("url", "")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        reader.fault("url", f"{url!r} is not a URL", "write http://… or https://… with a host")
    if parts.username or parts.password:
        reader.fault("url", "holds credentials", "name them under auth instead")
        return ""
    return url


def _fields(reader: _TableReader, resource: Resource) -> dict[str, str]:
    table = reader.subtable("fields")
    reader.refuse_unknown(table, resource.field_names, "fields.")
    for name, theirs in table.items():
        if not isinstance(theirs, str) or not theirs:
            reader.fault(f"fields.{name}", "is no text", "write the source's name of the field")
    if resource.key.name not in table:
        remedy = f'write {resource.key.name} = "…", the source\'s name of the key'
        reader.fault(f"fields.{resource.key.name}", "the key is not mapped", remedy)
    return {name: str(table[name]) for name in resource.field_names if name in table}


def _pagination(reader: _TableReader) -> Pagination:
    table = reader.subtable("pagination")
    style = reader.word("style", tuple(_PAGINATION_KEYS), "none", "pagination")
    reader.refuse_unknown(table, ("style", *_PAGINATION_KEYS.get(style, ())), "pagination.")
    values: dict[str, Any] = {"style": style}
    for key in _PAGINATION_KEYS.get(style, ()):
        if key in {"size", "first"}:
            least, most = (1, 1_000_000) if key == "size" else (0, 1)
            default = 500 if key == "size" else 1
            values[key] = int(reader.number(key, default, least, most, "pagination"))
        elif key in table:
            values[key] = reader.text(key, "", "pagination")
    return Pagination(**values)


def _auth(reader: _TableReader) -> Auth:
    table = reader.subtable("auth")
    kind = reader.word("type", tuple(_AUTH_KEYS), "none", "auth")
    reader.refuse_unknown(table, ("type", *_AUTH_KEYS.get(kind, ())), "auth.")
    if kind == "bearer":
        return Auth(kind, secret=reader.secret("token_env"))
    if kind == "basic":
        username, password = reader.secret("username_env"), reader.secret("password_env")
        return Auth(kind, username=username, secret=password)
    if kind == "header":
        name = reader.text("name", "", "auth")
        if not name.replace("-", "").isalnum():
            reader.fault("auth.name", f"{name!r} is no header", "write one such as X-Api-Key")
        return Auth(kind, name=name, secret=reader.secret("value_env"))
    return Auth()


class _TableReader:
    """Reads values of one table, and remembers what was wrong."""

    def __init__(self, table: Mapping[str, Any], where: str, environ: Mapping[str, str]) -> None:
        self.table = table
        self._where = where
        self._environ = environ
        self.faults: list[ConfigFault] = []

    def fault(self, key: str, problem: str, remedy: str) -> None:
        self.faults.append(ConfigFault(f"{self._where} {key}", problem, remedy))

    def subtable(self, key: str) -> Mapping[str, Any]:
        value = self.table.get(key, {})
        if isinstance(value, dict):
            return value
        self.fault(key, "is no table", f"write {key} = {{ … }}")
        return {}

    def refuse_unknown(self, table: Mapping[str, Any], known: Sequence[str], prefix: str) -> None:
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, 0.5)
                remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                self.fault(f"{prefix}{key}", "is unknown", remedy)

    def text(self, key: str, default: str, section: str = "") -> str:
        value = self._section(section).get(key, default)
        if isinstance(value, str):
            return value
        self.fault(_name(section, key), f"{value!r} is no text", "write it in quotes")
        return default

    def word(self, key: str, words: Sequence[str], default: str, section: str = "") -> str:
        value = self._section(section).get(key, default)
        if value in words:
            return str(value)
        near = difflib.get_close_matches(str(value), words, 1, 0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        remedy = f"write one of: {', '.join(words)}{hint}"
        self.fault(_name(section, key), f"{value!r} is not valid", remedy)
        return words[0]

    def number(
        self, key: str, default: float, least: float, most: float, section: str = ""
    ) -> float:
        value = self._section(section).get(key, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and least <= value <= most:
            return float(value)
        remedy = f"write a number from {least:g} to {most:g}"
        self.fault(_name(section, key), f"{value!r} is not valid", remedy)
        return default

    def secret(self, key: str) -> str:
        """Return what the environment variable named by ``auth.<key>`` holds."""
        variable = self.text(key, "", "auth")
        if not variable:
            self.fault(f"auth.{key}", "is missing", "name an environment variable")
            return ""
        if value := self._environ.get(variable):
            return value
        if path := self._environ.get(f"{variable}_FILE"):
            try:
                return Path(path).read_text("utf-8").strip()
            except OSError as exc:
                self.fault(f"auth.{key}", f"{path}: {exc.strerror}", "name a readable file")
                return ""
        remedy = f"set {variable}, or {variable}_FILE to a file that holds it"
        self.fault(f"auth.{key}", f"the environment has no {variable}", remedy)
        return ""

    def _section(self, section: str) -> Mapping[str, Any]:
        value = self.table.get(section, {}) if section else self.table
        return value if isinstance(value, dict) else {}


def _name(section: str, key: str) -> str:
    return f"{section}.{key}" if section else key
