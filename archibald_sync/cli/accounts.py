"""`token` and `user`: who may do what."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace

import click

from archibald_sync.app import create_app
from archibald_sync.cli.instance import opened_services
from archibald_sync.cli.output import echo_json, echo_table, json_option
from archibald_sync.domain.models import Role
from archibald_sync.web.security import issue_token

_DAY_S = 86_400


@click.command()
@click.option("--user", "name", default="admin", show_default=True, help="Whose token.")
@click.option(
    "--ttl",
    "ttl_s",
    type=click.IntRange(1, _DAY_S),
    default=3600,
    show_default=True,
    help="Seconds until it expires.",
)
def token(name: str, ttl_s: int) -> None:
    """Print an access token of a user.

    Nothing else is printed: JWT_TOKEN=$(archibald-sync token --user admin)
    """
    with opened_services(needs_secret=True) as services:
        user = services.accounts.user(name)
        app = create_app(replace(services.settings, is_scheduler_on=False))
        with app.app_context():
            click.echo(issue_token(user, ttl_s))


@click.group()
def user() -> None:
    """Manage the users."""


@user.command("add")
@click.argument("name")
@click.option(
    "--role", type=click.Choice([role.value for role in Role]), required=True, help="What it may."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def add(name: str, role: str, *, password_stdin: bool) -> None:
    """Add a user; a generated password is printed once."""
    given = sys.stdin.readline().rstrip("\r\n") if password_stdin else None
    with opened_services() as services:
        added, password = services.accounts.add_user(name, Role(role), given)
    click.echo(f"Added {added.role} {added.name}.")
    if given is None:
        click.echo(f"Password of {added.name}, shown only this once: {password}")


@user.command("list")
@json_option
def list_users(*, as_json: bool) -> None:
    """Show all users."""
    with opened_services() as services:
        users = services.accounts.users()
    if as_json:
        echo_json([_public(asdict(one)) for one in users])
        return
    states = {True: "disabled", False: "enabled"}
    rows = [(one.name, one.role, states[one.is_disabled]) for one in users]
    echo_table(("NAME", "ROLE", "STATE"), rows)


@user.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Disable a user for good; its tokens no longer count."""
    with opened_services() as services:
        services.accounts.disable_user(name)
    click.echo(f"Disabled {name}.")


def _public(user: dict[str, object]) -> dict[str, object]:
    """Return a user with the names that the API uses."""
    return {"isDisabled" if key == "is_disabled" else key: value for key, value in user.items()}
