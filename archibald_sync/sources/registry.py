"""Which connector serves which ``kind``, and the guards that a source sets."""

from __future__ import annotations

from dataclasses import fields, replace
from importlib import import_module
from typing import TYPE_CHECKING

from archibald_sync.domain.policy import VERIFY_EVERY_HOURS, GuardPolicy
from archibald_sync.errors import ConfigError, ConfigFault
from archibald_sync.sources.mapping import read_mapping
from archibald_sync.sources.table import TableReader, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archibald_sync.domain.ports import Source
    from archibald_sync.domain.resources import Resource
    from archibald_sync.sources.connector import Connector

COMMON_KEYS = ("kind", "notation", "fields", "guards", "verify_every_hours")
# Imported when used: nobody pays for the libraries of a face that his ERP has not.
_MODULES = {
    "rest": "rest",
    "odata": "odata",
    "csv": "files.delimited",
    "xlsx": "files.workbook",
    "archibald": "archibald",
}
KINDS = tuple(_MODULES)


def load_source(
    resource: Resource, path: Path, environ: Mapping[str, str], scratch: Path | None = None
) -> Source:
    """Return the source of ``resource`` as the file ``path`` declares it.

    Args:
        resource: What the source delivers.
        path: The file ``source.toml``; relative paths in it count from its folder.
        environ: Where the secrets are that it names.
        scratch: Where it may keep temporary files; None means the folder of ``path``.

    Raises:
        ConfigError: The file is missing or wrong; it names every fault.
    """
    table = read_table(resource, path)
    where = f"{path.name} [{resource.name}]"
    reader = TableReader(table, where, environ, path.parent, scratch)
    connector = connector_of(reader.word("kind", KINDS, ""))
    reader.refuse_unknown(table, (*COMMON_KEYS, *connector.keys), "")
    source = connector.make(reader, read_mapping(reader, resource, connector.notation))
    if reader.faults:
        raise ConfigError(reader.faults)
    return source


def connector_of(kind: str) -> Connector:
    """Return the connector that serves ``kind``, one of ``KINDS``."""
    connector: Connector = import_module(f"{__package__}.{_MODULES[kind]}").CONNECTOR
    return connector


def load_guards(resource: Resource, path: Path) -> GuardPolicy:
    """Return the guards of ``resource``: the defaults, changed by ``[<resource>.guards]``.

    Raises:
        ConfigError: A guard is unknown, or its value is no number that fits.
    """
    table = read_table(resource, path).get("guards", {})
    if not isinstance(table, dict):
        where = f"{path.name} [{resource.name}] guards"
        raise ConfigError([ConfigFault(where, "is no table", f"write [{resource.name}.guards]")])
    defaults = GuardPolicy()
    known = {one.name: getattr(defaults, one.name) for one in fields(GuardPolicy)}
    faults = []
    for name, value in table.items():
        where = f"{path.name} [{resource.name}.guards] {name}"
        if name not in known:
            faults.append(ConfigFault(where, "is unknown", f"known: {', '.join(known)}"))
        elif not _fits(value, known[name]):
            remedy = "write a number from 0 to 1" if _is_ratio(known[name]) else "write a count"
            faults.append(ConfigFault(where, f"{value!r} is not valid", remedy))
    if faults:
        raise ConfigError(faults)
    return replace(defaults, **table)


def load_verify_every_hours(resource: Resource, path: Path) -> float:
    """Return for how long a source is believed that says that nothing changed.

    Raises:
        ConfigError: It is no number from 0 to 24.
    """
    reader = TableReader(read_table(resource, path), f"{path.name} [{resource.name}]", {}, path)
    hours = reader.number("verify_every_hours", VERIFY_EVERY_HOURS, 0, VERIFY_EVERY_HOURS)
    if reader.faults:
        raise ConfigError(reader.faults)
    return hours


def _is_ratio(default: float) -> bool:
    return isinstance(default, float)


def _fits(value: object, default: float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 1 if _is_ratio(default) else isinstance(value, int) and value >= 1
