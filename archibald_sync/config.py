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

T = TypeVar("T")


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
    settings = Settings(
        jwt_secret_key=reader.secret("JWT_SECRET_KEY", instance / SECRET_FILE_NAME, needs_secret),
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
        environment=reader.values,
        origins=reader.origins,
    )
    if reader.faults:
        raise ConfigError(reader.faults)
    return settings


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
        text = self._text(key)
        return default if text is None else self._folder / Path(text).expanduser()

    def word(self, key: str, words: tuple[str, ...]) -> str:
        """Return one of ``words``; the first is the default."""

        def parse(text: str) -> str:
            if text.lower() not in words:
                raise ValueError(f"write one of: {', '.join(words)}")
            return text.lower()

        return self._parsed(key, words[0], parse)

    def integer(self, key: str, default: int, least: int, most: int) -> int:
        def parse(text: str) -> int:
            remedy = f"write a whole number from {least} to {most}"
            if not text.strip().isascii() or not text.strip().isdigit():
                raise ValueError(remedy)
            if not least <= int(text) <= most:
                raise ValueError(remedy)
            return int(text)

        return self._parsed(key, default, parse)

    def seconds(self, key: str, default: float) -> float:
        return self._parsed(key, default, _parse_seconds)

    def delays(self, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
        def parse(text: str) -> tuple[float, ...]:
            return tuple(_parse_seconds(part) for part in text.split(","))

        return self._parsed(key, default, parse)

    def secret(self, key: str, default_file: Path, is_needed: bool) -> str:  # noqa: FBT001
        """Return a secret from ``KEY``, from the file ``KEY_FILE`` names, or from our own."""
        text, named = self._text(key), self._text(f"{key}_FILE")
        origin = self.origins.pop(f"{key}_FILE")
        if text is None and (named is not None or default_file.is_file()):
            path = default_file if named is None else self._folder / named
            self.origins[key] = f"file {path}" if named is None else f"{origin}: file {path}"
            try:
                text = path.read_text("utf-8").strip()
            except OSError as exc:
                remedy = "name a file that this user can read"
                self._fault(f"{key}_FILE", f"{path}: {exc.strerror}", remedy)
                return ""
        if text is None:
            if is_needed:
                self._fault(key, "there is no secret", "run `archibald-sync init` to make one")
            return ""
        if len(text.encode()) < MIN_SECRET_BYTES:
            remedy = f"use at least {MIN_SECRET_BYTES} random bytes, or run `archibald-sync init`"
            self._fault(key, "the secret is too short", remedy)
        return text

    def _parsed(self, key: str, default: T, parse: Callable[[str], T]) -> T:
        text = self._text(key)
        if text is None:
            return default
        try:
            return parse(text)
        except ValueError as exc:
            self._fault(key, f"{text!r} is not valid", str(exc))
            return default

    def _text(self, key: str) -> str | None:
        """Return what a key is set to; an empty value counts as not set."""
        text = self.values.get(key, "").strip()
        in_environ = bool(self._environ.get(key, "").strip())
        self.origins[key] = "environment" if in_environ else ".env" if text else "default"
        return text or None

    def _fault(self, key: str, problem: str, remedy: str) -> None:
        self.faults.append(ConfigFault(key, problem, remedy))


def _parse_seconds(text: str) -> float:
    remedy = "write seconds from 0 to 86400, such as 5 or 2.5"
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(remedy) from None
    if not 0 <= seconds <= _DAY_S:
        raise ValueError(remedy)
    return seconds
