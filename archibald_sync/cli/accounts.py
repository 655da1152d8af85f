"""`token` and `user`: who may do what."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from archibald_sync.app import create_app
from archibald_sync.cli.instance import audited, opened_services
from archibald_sync.cli.output import echo_json, echo_table, json_option
from archibald_sync.domain.models import Role
from archibald_sync.web.tokens import issue_token

if TYPE_CHECKING:
    from archibald_sync.domain.models import User

_DAY_S = 86_400

_role_option = click.Choice([role.value for role in Role])
_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input."
)


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
        with audited(services, "token", name, ttlSeconds=ttl_s):
            user = services.accounts.user(name)
        app = create_app(replace(services.settings, is_scheduler_on=False))
        with app.app_context():
            click.echo(issue_token(user, ttl_s))


@click.group()
def user() -> None:
    """Manage the users."""


@user.command("add")
@click.argument("name")
@click.option("--role", type=_role_option, required=True, help="What it may.")
@_password_option
def add(name: str, role: str, *, password_stdin: bool) -> None:
    """Add a user; a generated password is printed once."""
    given = _given_password(is_wanted=password_stdin)
    with opened_services() as services, audited(services, "users.add", name, role=role):
        added, password = services.accounts.add_user(name, Role(role), given)
    click.echo(f"Added {added.role} {added.name}.")
    _tell(added.name, given, password)


@user.command("list")
@json_option
def list_users(*, as_json: bool) -> None:
    """Show all users."""
    with opened_services() as services:
        users = services.accounts.users()
    if as_json:
        echo_json([_public(one) for one in users])
        return
    states = {True: "disabled", False: "enabled"}
    rows = [(one.name, one.role, states[one.is_disabled]) for one in users]
    echo_table(("NAME", "ROLE", "STATE"), rows)


@user.command("role")
@click.argument("name")
@click.argument("role", type=_role_option)
def set_role(name: str, role: str) -> None:
    """Give a user another role; its tokens no longer count."""
    with opened_services() as services, audited(services, "users.change", name, role=role):
        changed = services.accounts.set_role(name, Role(role))
    click.echo(f"{changed.name} is {changed.role}.")


@user.command("password")
@click.argument("name")
@_password_option
def set_password(name: str, *, password_stdin: bool) -> None:
    """Give a user another password; a generated one is printed once.

    Its tokens no longer count, and its failed logins are forgotten.
    """
    given = _given_password(is_wanted=password_stdin)
    with opened_services() as services, audited(services, "users.reset_password", name):
        password = services.accounts.reset_password(name, given)
        services.access.logins.forgive(name)
    click.echo(f"Changed the password of {name}.")
    _tell(name, given, password)


@user.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Disable a user; its tokens and API keys no longer count."""
    with opened_services() as services, audited(services, "users.change", name, isDisabled=True):
        services.accounts.disable_user(name)
    click.echo(f"Disabled {name}.")


@user.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Let a disabled user in again, with its old password."""
    with opened_services() as services, audited(services, "users.change", name, isDisabled=False):
        services.accounts.enable_user(name)
    click.echo(f"Enabled {name}.")


def _given_password(*, is_wanted: bool) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if is_wanted else None


def _tell(name: str, given: str | None, password: str) -> None:
    """Print a generated password; whoever gave one knows it."""
    if given is None:
        click.echo(f"Password of {name}, shown only this once: {password}")


def _public(one: User) -> dict[str, object]:
    """Return a user with the names that the API uses."""
    return {
        "id": one.id,
        "name": one.name,
        "role": one.role,
        "isDisabled": one.is_disabled,
        "createdAt": one.created_at,
    }
