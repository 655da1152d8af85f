"""What every connector that speaks HTTP is told: where, who, how long and how much."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.sources.table import TableReader

HTTP_KEYS = ("url", "auth", "timeout_s", "max_bytes", "max_page_bytes")
AUTH_KEYS: dict[str, tuple[str, ...]] = {
    "none": (),
    "bearer": ("token_env",),
    "basic": ("username_env", "password_env"),
    "header": ("name", "value_env"),
}
FORM_AUTH_KEYS: dict[str, tuple[str, ...]] = {"form": ("username_env", "password_env")}
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Auth:
    """How we identify ourselves; the secrets are left out of every representation."""

    type: str = "none"
    name: str = ""
    username: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where a source is and how it may be asked; sizes are of decoded bytes."""

    url: str
    auth: Auth = Auth()
    accept: str = "application/json"
    language: str = ""
    timeout_s: float = 30.0
    max_bytes: int = 2048 * _MIB
    max_page_bytes: int = 64 * _MIB


def read_http(
    reader: TableReader,
    *,
    accept: str = "application/json",
    auth_keys: Mapping[str, tuple[str, ...]] = AUTH_KEYS,
) -> HttpSettings:
    """Return the HTTP settings of a table; faults are remembered in ``reader``.

    Args:
        reader: The table.
        accept: What the connector can read.
        auth_keys: The types of auth that there are, each with its keys; the first one
            is the default.
    """
    return HttpSettings(
        url=_read_url(reader),
        auth=_read_auth(reader, auth_keys),
        accept=accept,
        timeout_s=reader.number("timeout_s", 30, 1, 600),
        max_bytes=reader.integer("max_bytes", 2048 * _MIB, 1, 2**40),
        max_page_bytes=reader.integer("max_page_bytes", 64 * _MIB, 1, 2**32),
    )


def _read_url(reader: TableReader) -> str:
    url = reader.text("url", "")
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_usable = urlsplit(""), False
    if not is_usable:
        reader.fault("url", f"{url!r} is not a URL", "write http://… or https://… with a host")
    if parts.username or parts.password:
        reader.fault("url", "holds credentials", "name them under auth instead")
        return ""
    return url


def _read_auth(reader: TableReader, auth_keys: Mapping[str, tuple[str, ...]]) -> Auth:
    table = reader.subtable("auth")
    kind = reader.word("type", tuple(auth_keys), next(iter(auth_keys)), "auth")
    reader.refuse_unknown(table, ("type", *auth_keys[kind]), "auth.")
    if kind == "bearer":
        return Auth(kind, secret=reader.secret("token_env"))
    if kind in {"basic", "form"}:
        username, password = reader.secret("username_env"), reader.secret("password_env")
        return Auth(kind, username=username, secret=password)
    if kind == "header":
        name = reader.text("name", "", "auth")
        if not name.replace("-", "").isalnum():
            reader.fault("auth.name", f"{name!r} is no header", "write one such as X-Api-Key")
        return Auth(kind, name=name, secret=reader.secret("value_env"))
    return Auth()
