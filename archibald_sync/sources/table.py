"""Read one table of ``source.toml``: every fault named with its remedy.

Secrets never stand in the file: it names the environment variable that holds one.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archibald_sync.errors import ConfigError, ConfigFault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archibald_sync.domain.resources import Resource


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


class TableReader:
    """Reads values of one table, and remembers in ``faults`` what was wrong.

    A wrong value is replaced by its default, so that all faults are found at once.
    """

    def __init__(
        self,
        table: Mapping[str, Any],
        where: str,
        environ: Mapping[str, str],
        folder: Path,
        scratch: Path | None = None,
    ) -> None:
        """Read ``table``, which faults call ``where``.

        Args:
            table: What the file says.
            where: How faults name it.
            environ: Where the secrets are.
            folder: Where relative paths count from.
            scratch: Where a source may keep temporary files; None means ``folder``.
        """
        self.table = table
        self._where = where
        self._environ = environ
        self.folder = folder
        self.scratch = scratch or folder
        self.faults: list[ConfigFault] = []

    def fault(self, key: str, problem: str, remedy: str) -> None:
        """Remember that ``key`` is wrong."""
        self.faults.append(ConfigFault(f"{self._where} {key}", problem, remedy))

    def subtable(self, key: str) -> Mapping[str, Any]:
        """Return the table at ``key``; an empty one where there is none."""
        value = self.table.get(key, {})
        if isinstance(value, dict):
            return value
        self.fault(key, "is no table", f"write {key} = {{ … }}")
        return {}

    def refuse_unknown(self, table: Mapping[str, Any], known: Sequence[str], prefix: str) -> None:
        """Remember each key of ``table`` that is not ``known``, with the nearest that is."""
        for key in table:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1, 0.5)
                remedy = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                self.fault(f"{prefix}{key}", "is unknown", remedy)

    def text(self, key: str, default: str, section: str = "") -> str:
        """Return a text."""
        value = self._section(section).get(key, default)
        if isinstance(value, str):
            return value
        self.fault(_name(section, key), f"{value!r} is no text", "write it in quotes")
        return default

    def word(self, key: str, words: Sequence[str], default: str, section: str = "") -> str:
        """Return one of ``words``."""
        value = self._section(section).get(key, default)
        if value in words:
            return str(value)
        near = difflib.get_close_matches(str(value), words, 1, 0.4)
        hint = f"; did you mean {str(near[0])!r}?" if near else ""
        remedy = f"write one of: {', '.join(words)}{hint}"
        self.fault(_name(section, key), f"{value!r} is not valid", remedy)
        return words[0]

    def number(
        self, key: str, default: float, least: float, most: float, section: str = ""
    ) -> float:
        """Return a number from ``least`` to ``most``."""
        value = self._section(section).get(key, default)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and least <= value <= most:
            return float(value)
        remedy = f"write a number from {least:g} to {most:g}"
        self.fault(_name(section, key), f"{value!r} is not valid", remedy)
        return default

    def integer(self, key: str, default: int, least: int, most: int, section: str = "") -> int:
        """Return a whole number from ``least`` to ``most``."""
        value = self._section(section).get(key, default)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        remedy = f"write a whole number from {least} to {most}"
        self.fault(_name(section, key), f"{value!r} is not valid", remedy)
        return default

    def flag(self, key: str, *, default: bool, section: str = "") -> bool:
        """Return true or false."""
        value = self._section(section).get(key, default)
        if isinstance(value, bool):
            return value
        self.fault(_name(section, key), f"{value!r} is not valid", "write true or false")
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
