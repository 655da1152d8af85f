"""`key`: how machines get in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from archibald_sync.cli.instance import audited, opened_services
from archibald_sync.cli.output import echo_json, echo_table, instant, json_option
from archibald_sync.domain.models import Role
from archibald_sync.services.keys import MAX_DAYS

if TYPE_CHECKING:
    from archibald_sync.domain.access import ApiKey


@click.group()
def key() -> None:
    """Manage the API keys of machines."""


@key.command("add")
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    required=True,
    help="What it may; at most what its user may.",
)
@click.option(
    "--user", "owner", default="admin", show_default=True, help="The user who answers for it."
)
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    help="Days until it expires; else it does not.",
)
def add(name: str, role: str, owner: str, days: int | None) -> None:
    """Make an API key; its secret is printed once, on the last line."""
    with opened_services() as services, audited(services, "keys.add", name, role=role, user=owner):
        maker = services.accounts.user(owner)
        made, secret = services.access.keys.add(name, Role(role), maker, days)
    click.echo(f"Added key {made.name}, {made.role}, for which {maker.name} answers.")
    click.echo(f"Secret of {made.name}, shown only this once: {secret}")


@key.command("list")
@json_option
def list_keys(*, as_json: bool) -> None:
    """Show all keys, also revoked ones, the newest first; never their secrets."""
    with opened_services() as services:
        keys = services.access.keys.all_keys()
        names = {one.id: one.name for one in services.accounts.users()}
    if as_json:
        echo_json([_public(one) for one in keys])
        return
    rows = [
        (
            one.name,
            one.prefix,
            one.role,
            names.get(one.user_id),
            instant(one.last_used_at),
            instant(one.expires_at),
            instant(one.revoked_at),
        )
        for one in keys
    ]
    echo_table(("NAME", "PREFIX", "ROLE", "USER", "LAST USED", "EXPIRES", "REVOKED"), rows)


@key.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """End a key at once."""
    with opened_services() as services, audited(services, "keys.revoke", name):
        services.access.keys.revoke_by_name(name)
    click.echo(f"Revoked {name}.")


def _public(one: ApiKey) -> dict[str, object]:
    """Return a key with the names that the API uses."""
    return {
        "id": one.id,
        "name": one.name,
        "prefix": one.prefix,
        "role": one.role,
        "userId": one.user_id,
        "createdAt": one.created_at,
        "expiresAt": one.expires_at,
        "lastUsedAt": one.last_used_at,
        "revokedAt": one.revoked_at,
    }
