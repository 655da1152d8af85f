"""The command `archibald-sync` itself: which commands there are, and where."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from archibald_sync import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entry(NamedTuple):
    """Where a command stands, and the line that the list of commands shows for it."""

    module: str
    attribute: str
    line: str


COMMANDS: Mapping[str, Entry] = {
    "init": Entry("initialise", "init", "Make what this instance needs and lacks."),
    "check": Entry("checking", "check", "Show the settings and test the ERP connection."),
    "serve": Entry("serving", "serve", "Run the service."),
    "scheduler": Entry("serving", "scheduler", "Run the scheduler as a process of its own."),
    "sync": Entry("syncing", "sync", "Run one sync in the foreground."),
    "approve": Entry("judging", "approve", "Approve a held plan, once."),
    "rollback": Entry("judging", "rollback", "Restore the catalogue as it was before a session."),
    "status": Entry("monitoring", "status", "Show how the sync stands."),
    "history": Entry("monitoring", "history", "Show the last sessions."),
    "start": Entry("schedule", "start", "Start the automatic sync."),
    "stop": Entry("schedule", "stop", "Stop the automatic sync."),
    "priority": Entry("priority", "priority", "Keep the sync away while other work goes first."),
    "token": Entry("accounts", "token", "Print an access token of a user."),
    "user": Entry("accounts", "user", "Manage the users."),
    "key": Entry("keys", "key", "Manage the API keys of machines."),
    "demo-erp": Entry("demo", "demo_erp", "Run an ERP stand-in for trying things out."),
}


class LazyGroup(click.Group):
    """A group that imports a command when it is used, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands, in the order of a newcomer's use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command, importing its module."""
        entry = COMMANDS.get(cmd_name)
        return load(entry) if entry else None

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the list of commands from the table, which costs no import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.line) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # whatever a command returns
        """Run the command; errors of ours become a sentence and an exit code."""
        errors = import_module("archibald_sync.errors")
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # click ends quietly when nobody reads on
        except (errors.ArchibaldSyncError, OSError) as exc:
            exits = import_module("archibald_sync.cli.exits")
            click.echo(f"error: {exits.message(exc)}", err=True)
            ctx.exit(exits.exit_code(exc))


def load(entry: Entry) -> click.Command:
    """Import and return the command of ``entry``."""
    module = import_module(f"archibald_sync.cli.{entry.module}")
    command: click.Command = getattr(module, entry.attribute)
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archibald-sync", message="%(prog)s %(version)s")
def cli() -> None:
    """Keep a local copy of an ERP's product list in step with the ERP.

    Settings come from the environment and from .env in the working folder.
    """


def main() -> None:
    """Run the command line; the console script calls this."""
    cli(prog_name="archibald-sync")
