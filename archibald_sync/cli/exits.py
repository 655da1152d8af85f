"""How a command ends: the one place where errors become messages and exit codes.

docs/cli.md tells the codes to the operator; a test keeps it in step.
"""

from __future__ import annotations

from enum import IntEnum

from archibald_sync import errors
from archibald_sync.domain.models import RunOutcome


class ExitCode(IntEnum):
    """What the exit code of a command says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    HELD = 3
    CANCELLED = 4
    NOT_DONE = 5
    STORAGE = 6


OUTCOMES = {
    RunOutcome.COMPLETED: ExitCode.DONE,
    RunOutcome.FAILED: ExitCode.FAILED,
    RunOutcome.HELD: ExitCode.HELD,
    RunOutcome.CANCELLED: ExitCode.CANCELLED,
    RunOutcome.INTERRUPTED: ExitCode.CANCELLED,
    RunOutcome.SKIPPED: ExitCode.NOT_DONE,
}

# The first class that fits decides.
_ERRORS: tuple[tuple[type[Exception], ExitCode], ...] = (
    (errors.ConfigError, ExitCode.USAGE),
    (errors.InvalidInputError, ExitCode.USAGE),
    (errors.StorageError, ExitCode.STORAGE),
    (errors.PlanHeld, ExitCode.HELD),
    (errors.SyncInProgressError, ExitCode.NOT_DONE),
    (errors.RefusedError, ExitCode.NOT_DONE),
    (errors.RunStopped, ExitCode.CANCELLED),
)


def exit_code(error: Exception) -> ExitCode:
    """Return the exit code of a command that ended with ``error``."""
    return next((code for kind, code in _ERRORS if isinstance(error, kind)), ExitCode.FAILED)


def message(error: Exception) -> str:
    """Return ``error`` as a sentence for the operator."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
