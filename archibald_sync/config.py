"""The settings of the service: read once, checked as a whole, never changed.

They come from the environment, then from ``.env`` in the working folder. All faults
are reported together, each with the key, what is wrong and what to write instead.
No secret has a default; secrets are left out of every representation.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from dotenv import dotenv_values

from archibald_sync.errors import ConfigError, ConfigFault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECRET_FILE_NAME = "jwt_secret_key"  # noqa: S105  # a file's name, not a secret
MIN_SECRET_BYTES = 32
MASK = "********"
_DAY_S = 86_400

_FOREIGN = "ARCHIBALD_FOREIGN_JWT_"
FOREIGN_ALGORITHMS = ("HS256", "RS256", "ES256")
TOKEN_ISSUER = "archibald-sync"  # noqa: S105  # whom our own tokens name, not a secret
_MAX_PROXIES = 10
_MAX_EVENT_CLIENTS = 1000
_ROLES = ("viewer", "operator", "admin")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ForeignTokens:
    """Whose tokens count beside our own, and what they must look like.

    ``key`` is the shared secret (HS256), or a public key in PEM; ``roles`` gives our role
    for each of theirs that has one.
    """

    issuer: str
    audience: str
    algorithm: str
    key: str = field(repr=False)
    role_claim: str
    subject_claim: str
    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of the service; ``origins`` says where each came from."""

    jwt_secret_key: str = field(repr=False)
    instance: Path
    database: Path
    source: Path
    auto_sync: str
    sync_interval_minutes: int
    sync_initial_delay_s: float
    sync_max_attempts: int
    sync_retry_delays_s: tuple[float, ...]
    is_scheduler_on: bool
    log_format: str
    proxies: int
    event_clients: int | None
    foreign_tokens: ForeignTokens | None
    environment: Mapping[str, str] = field(repr=False)
    origins: Mapping[str, str] = field(repr=False)

    @property
    def priority_database(self) -> Path:
        """Return the file of the priority leases, beside the main database."""
        return self.database.with_name("priority.sqlite3")

    @property
    def access_database(self) -> Path:
        """Return the file of logins, keys and the audit log, beside the main database."""
        return self.database.with_name("access.sqlite3")

    def lock_file(self, name: str) -> Path:
        """Return the file whose lock proves that the owner of ``name`` lives."""
        return self.database.with_name(f"owner-{name}.lock")

    def described(self) -> list[tuple[str, str, str]]:
        """Return (key, value, origin) of each setting for people, secrets masked."""
        secret = MASK if self.jwt_secret_key else "(missing)"
        values: dict[str, object] = {
            "JWT_SECRET_KEY": secret,
            "ARCHIBALD_INSTANCE": self.instance,
            "ARCHIBALD_DATABASE": self.database,
            "ARCHIBALD_SOURCE": self.source,
            "ARCHIBALD_AUTO_SYNC": self.auto_sync,
            "ARCHIBALD_SYNC_INTERVAL_MINUTES": self.sync_interval_minutes,
            "ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS": f"{self.sync_initial_delay_s:g}",
            "ARCHIBALD_SYNC_MAX_ATTEMPTS": self.sync_max_attempts,
            "ARCHIBALD_SYNC_RETRY_DELAYS_SECONDS": ",".join(
                f"{delay:g}" for delay in self.sync_retry_delays_s
            ),
            "ARCHIBALD_SCHEDULER": "on" if self.is_scheduler_on else "off",
            "ARCHIBALD_LOG_FORMAT": self.log_format,
            "ARCHIBALD_PROXIES": self.proxies,
            "ARCHIBALD_EVENT_CLIENTS": (
                "a quarter of the threads" if self.event_clients is None else self.event_clients
            ),
            **_described_foreign(self.foreign_tokens, self.origins),
        }
        return [(key, str(value), self.origins[key]) for key, value in values.items()]


def load_settings(
    environ: Mapping[str, str] | None = None,
    *,
    folder: Path | None = None,
    needs_secret: bool = True,
) -> Settings:
    """Return the settings of this process.

    Args:
        environ: The environment; None means the real one.
        folder: The working folder, where ``.env`` and ``instance/`` are looked for;
            None means the current one.
        needs_secret: Whether a missing JWT secret is a fault; `init` makes one.

    Raises:
        ConfigError: One or more settings are wrong; it names all of them.
    """
    folder = folder or Path.cwd()
    reader = _Reader(os.environ if environ is None else environ, folder)
    instance = reader.path("ARCHIBALD_INSTANCE", folder / "instance")
    remedy = "run `archibald-sync init` to make one" if needs_secret else None
    settings = Settings(
        jwt_secret_key=reader.secret("JWT_SECRET_KEY", instance / SECRET_FILE_NAME, remedy),
        instance=instance,
        database=reader.path("ARCHIBALD_DATABASE", instance / "archibald_sync.sqlite3"),
        source=reader.path("ARCHIBALD_SOURCE", instance / "source.toml"),
        auto_sync=reader.word("ARCHIBALD_AUTO_SYNC", ("start", "keep", "off")),
        sync_interval_minutes=reader.integer("ARCHIBALD_SYNC_INTERVAL_MINUTES", 30, 1, 1440),
        sync_initial_delay_s=reader.seconds("ARCHIBALD_SYNC_INITIAL_DELAY_SECONDS", 5),
        sync_max_attempts=reader.integer("ARCHIBALD_SYNC_MAX_ATTEMPTS", 3, 1, 10),
        sync_retry_delays_s=reader.delays("ARCHIBALD_SYNC_RETRY_DELAYS_SECONDS", (5, 10, 20)),
        is_scheduler_on=reader.word("ARCHIBALD_SCHEDULER", ("on", "off")) == "on",
        log_format=reader.word("ARCHIBALD_LOG_FORMAT", ("text", "json")),
        proxies=reader.integer("ARCHIBALD_PROXIES", 0, 0, _MAX_PROXIES),
        event_clients=reader.integer_or_none("ARCHIBALD_EVENT_CLIENTS", 0, _MAX_EVENT_CLIENTS),
        foreign_tokens=_read_foreign(reader),
        environment=reader.values,
        origins=reader.origins,
    )
    foreign = settings.foreign_tokens
    if foreign and foreign.key and foreign.key == settings.jwt_secret_key:
        remedy = "share another secret: whoever knows ours can sign tokens of any user"
        reader.fault(f"{_FOREIGN}SECRET", "is the same as JWT_SECRET_KEY", remedy)
    if reader.faults:
        raise ConfigError(reader.faults)
    return settings


def _read_foreign(reader: _Reader) -> ForeignTokens | None:
    """Return whose tokens count beside ours; None, the default, means nobody's."""
    issuer = reader.text(f"{_FOREIGN}ISSUER")
    algorithm = reader.word(f"{_FOREIGN}ALGORITHM", FOREIGN_ALGORITHMS)
    roles = {"viewer": "viewer", "operator": "operator"}
    found = ForeignTokens(
        issuer=issuer or "",
        audience=reader.text(f"{_FOREIGN}AUDIENCE", is_needed=issuer is not None) or "",
        algorithm=algorithm,
        key=_foreign_key(reader, algorithm, is_needed=issuer is not None),
        role_claim=reader.text(f"{_FOREIGN}ROLE_CLAIM") or "role",
        subject_claim=reader.text(f"{_FOREIGN}SUBJECT_CLAIM") or "sub",
        roles=reader.parsed(f"{_FOREIGN}ROLES", roles, _parse_roles),
    )
    if issuer == TOKEN_ISSUER:
        reader.fault(f"{_FOREIGN}ISSUER", f"{issuer!r} is ourselves", "name the other backend")
    if issuer is None and any(
        key.startswith(_FOREIGN) and origin != "default" for key, origin in reader.origins.items()
    ):
        remedy = "name the issuer whose tokens count, or leave out the others"
        reader.fault(f"{_FOREIGN}ISSUER", f"is missing where others of {_FOREIGN}… are set", remedy)
    return found if issuer else None


def _foreign_key(reader: _Reader, algorithm: str, *, is_needed: bool) -> str:
    """Return the shared secret, or the public key in PEM."""
    is_shared = algorithm == "HS256"
    remedy = "name a file that holds the secret which the other backend signs with"
    secret = reader.secret(f"{_FOREIGN}SECRET", None, remedy if is_needed and is_shared else None)
    path = reader.text(f"{_FOREIGN}PUBLIC_KEY_FILE", is_needed=is_needed and not is_shared)
    if is_shared or path is None:
        return secret
    pem = reader.file(f"{_FOREIGN}PUBLIC_KEY_FILE", path)
    if pem is not None and "-----BEGIN PUBLIC KEY-----" not in pem:
        remedy = "give a file that begins with -----BEGIN PUBLIC KEY-----"
        reader.fault(f"{_FOREIGN}PUBLIC_KEY_FILE", "is no public key in PEM", remedy)
    return pem or ""


def _described_foreign(
    foreign: ForeignTokens | None, origins: Mapping[str, str]
) -> dict[str, object]:
    """Return the settings of foreign tokens for people; the secret masked."""
    is_shared = foreign is not None and foreign.algorithm == "HS256"
    key_origin = origins[f"{_FOREIGN}PUBLIC_KEY_FILE"]
    roles = foreign.roles if foreign else {"viewer": "viewer", "operator": "operator"}
    values = {
        "ISSUER": foreign.issuer if foreign else None,
        "AUDIENCE": foreign.audience if foreign else None,
        "ALGORITHM": foreign.algorithm if foreign else FOREIGN_ALGORITHMS[0],
        "SECRET": MASK if is_shared else None,
        "PUBLIC_KEY_FILE": None if key_origin == "default" else "given",
        "ROLE_CLAIM": foreign.role_claim if foreign else "role",
        "SUBJECT_CLAIM": foreign.subject_claim if foreign else "sub",
        "ROLES": ",".join(f"{theirs}={ours}" for theirs, ours in roles.items()),
    }
    return {f"{_FOREIGN}{key}": value or "none" for key, value in values.items()}


class _Reader:
    """Reads settings one by one, and remembers what was wrong and where each came from."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        dotenv = {k: v for k, v in dotenv_values(folder / ".env").items() if v is not None}
        self.values = {**dotenv, **environ}
        self._environ = environ
        self._folder = folder
        self.faults: list[ConfigFault] = []
        self.origins: dict[str, str] = {}

    def path(self, key: str, default: Path) -> Path:
        text = self.text(key)
        return default if text is None else self._folder / Path(text).expanduser()

    def word(self, key: str, words: tuple[str, ...]) -> str:
        """Return one of ``words``; the first is the default."""

        def parse(text: str) -> str:
            known = {word.lower(): word for word in words}
            if text.lower() not in known:
                raise ValueError(f"write one of: {', '.join(words)}")
            return known[text.lower()]

        return self.parsed(key, words[0], parse)

    def integer_or_none(self, key: str, least: int, most: int) -> int | None:
        """Return a whole number; None where nobody gave one."""
        if self.text(key) is None:
            return None
        return self.integer(key, least, least, most)

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        def parse(text: str) -> int:
            remedy = f"write a whole number from {least} to {most}"
            if not text.strip().isascii() or not text.strip().isdigit():
                raise ValueError(remedy)
            if not least <= int(text) <= most:
                raise ValueError(remedy)
            return int(text)

        return self.parsed(key, default, parse)

    def seconds(self, key: str, default: float) -> float:
        return self.parsed(key, default, _parse_seconds)

    def delays(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        def parse(text: str) -> tuple[float, ...]:
            return tuple(_parse_seconds(part) for part in text.split(","))

        return self.parsed(key, default, parse)

    def secret(self, key: str, default_file: Path | None, remedy: str | None) -> str:
        """Return a secret from ``KEY``, from the file ``KEY_FILE`` names, or from our own.

        ``remedy`` tells how to get one; None: it may be missing.
        """
        text, named = self.text(key), self.text(f"{key}_FILE")
        origin = self.origins.pop(f"{key}_FILE")
        path = self._folder / named if named else default_file
        if text is None and path is not None and (named is not None or path.is_file()):
            self.origins[key] = f"file {path}" if named is None else f"{origin}: file {path}"
            text = self.file(f"{key}_FILE", str(path))
            if text is None:
                return ""
        if text is None:
            if remedy is not None:
                self.fault(key, "there is no secret", remedy)
            return ""
        if len(text.encode()) < MIN_SECRET_BYTES:
            remedy = f"use at least {MIN_SECRET_BYTES} random bytes, or run `archibald-sync init`"
            self.fault(key, "the secret is too short", remedy)
        return text

    def file(self, key: str, path: str) -> str | None:
        """Return what stands in the file that ``key`` names; None where it cannot be read."""
        found = self._folder / Path(path).expanduser()
        try:
            return found.read_text("utf-8").strip()
        except OSError as exc:
            self.fault(key, f"{found}: {exc.strerror}", "name a file that this user can read")
        except UnicodeDecodeError:
            self.fault(key, f"{found} is not text", "name a file that holds text")
        return None

    def text(self, key: str, *, is_needed: bool = False) -> str | None:
        """Return what a key is set to; an empty value counts as not set."""
        text = self.values.get(key, "").strip()
        in_environ = bool(self._environ.get(key, "").strip())
        self.origins[key] = "environment" if in_environ else ".env" if text else "default"
        if is_needed and not text:
            self.fault(key, "is missing", "write it, or leave out the settings that need it")
        return text or None

    def parsed(self, key: str, default: T, parse: Callable[[str], T]) -> T:
        """Return what ``parse`` makes of a setting."""
        text = self.text(key)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError as exc:
            self.fault(key, f"{text!r} is not valid", str(exc))
            return default

    def fault(self, key: str, problem: str, remedy: str) -> None:
        """Remember what is wrong."""
        self.faults.append(ConfigFault(key, problem, remedy))


def _parse_roles(text: str) -> dict[str, str]:
    remedy = "write pairs such as sales=viewer,office=operator; ours: viewer, operator, admin"
    pairs = [[word.strip() for word in pair.split("=")] for pair in text.split(",")]
    if any(len(pair) != 2 or not pair[0] or pair[1] not in _ROLES for pair in pairs):  # noqa: PLR2004  # theirs=ours
        raise ValueError(remedy)
    return dict(pairs)


def _parse_seconds(text: str) -> float:
    remedy = "write seconds from 0 to 86400, such as 5 or 2.5"
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(remedy) from None
    if not 0 <= seconds <= _DAY_S:
        raise ValueError(remedy)
    return seconds
