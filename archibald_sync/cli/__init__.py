"""The command line `archibald-sync`: a module a group of commands.

It turns options into calls of the services and answers into lines; it decides nothing
itself. A command's module is imported when the command is used, so that ``--help`` is quick.
"""

from archibald_sync.cli.root import main

__all__ = ["main"]
