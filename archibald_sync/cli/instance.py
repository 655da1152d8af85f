"""The instance that a command works with: its settings, its services, who asks."""

from __future__ import annotations

import getpass
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from archibald_sync.bootstrap import build_services
from archibald_sync.config import load_settings
from archibald_sync.domain.access import Act, AuditOutcome, CallerKind
from archibald_sync.domain.resources import RESOURCES
from archibald_sync.errors import ArchibaldSyncError, ConfigError, ConfigFault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archibald_sync.bootstrap import Services
    from archibald_sync.config import Settings

resource_option = click.option(
    "--resource",
    type=click.Choice(list(RESOURCES)),
    default=next(iter(RESOURCES)),
    show_default=True,
    help="What is mirrored.",
)


@contextmanager
def opened_services(*, needs_secret: bool = False) -> Iterator[Services]:
    """Open the services of the instance that the settings name, and close them afterwards.

    Args:
        needs_secret: Whether a missing JWT secret is a fault.

    Raises:
        ConfigError: Settings are wrong, or the instance was never made.
        StorageError: A database cannot be used.
    """
    settings = load_settings(needs_secret=needs_secret)
    require_database(settings)
    services = build_services(settings)
    try:
        yield services
    finally:
        services.storage.close()


def require_database(settings: Settings) -> None:
    """Refuse to make a database in passing: a wrong folder would go unnoticed.

    Raises:
        ConfigError: There is no database.
    """
    if not settings.database.exists():
        problem = f"there is no database {settings.database}"
        remedy = "run `archibald-sync init`, or name the right folder in ARCHIBALD_INSTANCE"
        raise ConfigError([ConfigFault("ARCHIBALD_DATABASE", problem, remedy)])


def requester() -> str:
    """Return who asks, for the record: ``cli:`` and the user of the operating system."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"


@contextmanager
def audited(
    services: Services, action: str, target: str | None = None, **detail: object
) -> Iterator[None]:
    """Write into the audit log what the block does, and how it ended.

    Args:
        services: The services of the instance.
        action: What is done, by the name that the same act has over HTTP.
        target: Whom or what it changes.
        detail: What else is worth knowing years later; never a secret.
    """
    try:
        yield
    except ArchibaldSyncError as exc:
        act = _act(action, AuditOutcome.FAILED, target, {**detail, "code": exc.code})
        services.access.audit.record(act)
        raise
    record_act(services, action, target, **detail)


def record_act(
    services: Services, action: str, target: str | None = None, **detail: object
) -> None:
    """Write into the audit log what was done; the arguments are those of ``audited``."""
    services.access.audit.record(_act(action, AuditOutcome.DONE, target, detail))


def _act(action: str, outcome: AuditOutcome, target: str | None, detail: dict[str, object]) -> Act:
    return Act(action, outcome, requester(), CallerKind.CLI, target, detail)


def has_terminal() -> bool:
    """Return whether somebody watches: a progress bar in a log file helps nobody."""
    return sys.stderr.isatty()
