"""`check`: are the settings right, and does the ERP answer?"""

from __future__ import annotations

import click

from archibald_sync.bootstrap import source_of
from archibald_sync.cli.output import echo_table, plain
from archibald_sync.config import load_settings
from archibald_sync.domain.resources import RESOURCES


@click.command()
def check() -> None:
    """Show the settings and test the ERP connection.

    Every setting is shown with where it comes from, secrets masked. Nothing is changed.
    """
    settings = load_settings()
    echo_table(("SETTING", "VALUE", "FROM"), settings.described())
    if not settings.database.exists():
        click.echo("\nThere is no database yet; `archibald-sync init` makes it.")
    click.echo()
    sources = {name: source_of(settings, resource) for name, resource in RESOURCES.items()}
    for name, source in sources.items():
        click.echo(f"{name}: {plain(source.check())}")
