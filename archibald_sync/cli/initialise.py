"""`init`: from nothing to an instance that can be served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archibald_sync.bootstrap import initialise
from archibald_sync.cli.instance import opened_services, record_act
from archibald_sync.cli.output import echo_pairs
from archibald_sync.config import SECRET_FILE_NAME, load_settings

if TYPE_CHECKING:
    from archibald_sync.config import Settings


@click.command()
def init() -> None:
    """Make what this instance needs and lacks.

    That is its folder, a JWT secret, the databases and a first admin named `admin`, whose
    generated password is printed once. What exists already stays as it is, so that it
    does no harm to run this again.
    """
    settings = load_settings(needs_secret=False)
    has_database, secret = settings.database.exists(), _secret(settings)
    password = initialise(settings)
    if password is not None:
        with opened_services() as services:
            record_act(services, "users.add", "admin", role="admin")
    click.echo("The instance is ready:")
    echo_pairs(
        [
            ("folder", settings.instance),
            ("JWT secret", secret),
            ("database", f"{settings.database} ({_made(is_old=has_database)})"),
            ("first admin", _made(is_old=password is None)),
        ]
    )
    if password is not None:
        click.echo(f"Password of admin, shown only this once: {password}")


def _secret(settings: Settings) -> str:
    """Return where the secret is, before a missing one is made."""
    if settings.jwt_secret_key:
        return f"{settings.origins['JWT_SECRET_KEY']} ({_made(is_old=True)})"
    return f"{settings.instance / SECRET_FILE_NAME} ({_made(is_old=False)})"


def _made(*, is_old: bool) -> str:
    return "exists already" if is_old else "made now"
