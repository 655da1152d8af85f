"""Every error that archibald-sync raises on purpose, and nothing else.

    ArchibaldSyncError
    ├── ConfigError                  settings or source.toml are wrong; carries all faults
    ├── SourceError                  the ERP did not deliver a complete extract
    │   ├── TransientSourceError     may work in a moment: the only class that is retried
    │   └── PermanentSourceError     trying again would give the same answer
    │       ├── SourceAuthError      the ERP refused us, or showed its login page
    │       └── SourceFormatError    a complete answer of the wrong shape
    ├── NotModified                  the source says that nothing changed: a short-cut
    ├── PlanHeld                     a guard refused the plan: nothing was written
    ├── RunStopped                   the run was told to end before it had finished
    │   ├── Preempted                a priority lease: the session yields and runs again
    │   ├── Fenced                   another process owns the resource: write nothing more
    │   ├── DeadlineExceeded         the session ran too long, or made no progress
    │   └── RunCancelled             an admin cancelled it, or the process shuts down
    ├── SyncInProgressError          another run is working; carries its id
    ├── RefusedError                 what is asked cannot be done as things stand
    ├── StorageError
    │   ├── StorageBusyError         somebody else holds the database: try again
    │   ├── StorageFullError         no room, or the file is read-only
    │   ├── StorageCorruptError      the file is damaged: restore a copy
    │   └── SchemaVersionError       the file was written by a newer version
    ├── InvalidInputError            a field of a request is wrong
    │   └── NameTakenError           it is right, but somebody has that name already
    ├── KeyReusedError               an idempotency key came with another request
    ├── NotFoundError
    └── AuthError                    who are you?
        └── LoginThrottledError      too many failed logins, or too many at once: wait

``code`` is stable and fit for machines; the message is a sentence for an
operator, and never holds a secret, a response body or SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence


class ArchibaldSyncError(Exception):
    """Base of every deliberate error; ``code`` names the kind for machines."""

    code: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One wrong setting: where it stands, what is wrong and what to write instead."""

    key: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one line for an operator."""
        return f"{self.key}: {self.problem}; {self.remedy}"


class ConfigError(ArchibaldSyncError):
    """Settings are wrong; all faults are reported at once."""

    code = "config_invalid"

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        """Keep ``faults`` and make one line of each."""
        self.faults = tuple(faults)
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        super().__init__(f"{len(self.faults)} setting(s) are wrong:\n{lines}")


class SourceError(ArchibaldSyncError):
    """The source did not deliver a complete extract.

    ``code`` is refined by the instance: each way to fail has its own.
    """

    code: ClassVar[str] = "source_failed"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        """Keep the sentence for the operator and the refined ``code``, if any."""
        super().__init__(message)
        if code is not None:
            self.code = code  # type: ignore[misc]  # an instance refines its class


class TransientSourceError(SourceError):
    """The source failed in a way that may pass; the only error that is retried."""

    code = "source_unavailable"

    def __init__(
        self, message: str, *, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        """Keep ``retry_after_s``: how long the source asked us to wait, if it did."""
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class PermanentSourceError(SourceError):
    """The source failed in a way that a second try would repeat."""

    code = "source_rejected"


class SourceAuthError(PermanentSourceError):
    """The source refused our credentials, or answered with its login page."""

    code = "source_auth"


class SourceFormatError(PermanentSourceError):
    """The source answered completely, but not in the agreed shape."""

    code = "source_format"


class NotModified(ArchibaldSyncError):  # noqa: N818  # good news
    """The source says that nothing changed since the extract that the catalogue holds."""

    code = "not_modified"


class PlanHeld(ArchibaldSyncError):  # noqa: N818  # a verdict, not a malfunction
    """A guard refused the plan; nothing was written."""

    code = "held"

    def __init__(self, reason: str, message: str) -> None:
        """Keep ``reason`` (the code of the first guard that refused) and a sentence."""
        super().__init__(message)
        self.reason = reason


class RunStopped(ArchibaldSyncError):  # noqa: N818  # an order obeyed, not a malfunction
    """The run was told to end before it had finished."""

    code = "stopped"


class Preempted(RunStopped):
    """Foreground work holds a priority lease: the session yields and runs again later."""

    code = "priority"


class Fenced(RunStopped):
    """Another process has become the owner: this one must write nothing more."""

    code = "fenced"


class DeadlineExceeded(RunStopped):
    """The session exceeded its total deadline, or made no progress for too long."""

    code = "deadline"


class RunCancelled(RunStopped):
    """An admin cancelled the run, or the process shuts down; ``reason`` says which."""

    code = "cancelled"

    def __init__(self, reason: str, message: str) -> None:
        """Keep ``reason``: ``requested`` or ``shutdown``."""
        super().__init__(message)
        self.reason = reason


class SyncInProgressError(ArchibaldSyncError):
    """A run is working already; ``run_id`` says which."""

    code = "sync_in_progress"

    def __init__(self, run_id: str) -> None:
        """Keep the id of the run that is in the way."""
        super().__init__(f"run {run_id} is already working")
        self.run_id = run_id


class RefusedError(ArchibaldSyncError):
    """What is asked cannot be done as things stand; ``code`` says why."""

    code: ClassVar[str] = "refused"

    def __init__(self, code: str, message: str) -> None:
        """Keep ``code``, a stable word for why, and a sentence."""
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # an instance refines its class


class StorageError(ArchibaldSyncError):
    """The database could not do what was asked."""

    code = "storage_failed"


class StorageBusyError(StorageError):
    """Somebody else held the database for longer than we may wait."""

    code = "storage_busy"


class StorageFullError(StorageError):
    """There is no room on the disk, or the database is read-only."""

    code = "storage_full"


class StorageCorruptError(StorageError):
    """The database file is damaged, or is not a database of ours."""

    code = "storage_corrupt"


class SchemaVersionError(StorageError):
    """The database was written by a newer version of archibald-sync."""

    code = "schema_version"


class InvalidInputError(ArchibaldSyncError):
    """A field of a request is wrong; ``field`` names it."""

    code = "invalid_input"

    def __init__(self, field: str, message: str) -> None:
        """Keep the name of the field; ``message`` says what was expected."""
        super().__init__(f"{field}: {message}")
        self.field = field


class NameTakenError(InvalidInputError):
    """Something has the name already that another was to get."""

    code = "name_taken"

    def __init__(self, message: str) -> None:
        """Keep the field; ``message`` says what has the name."""
        super().__init__("name", message)


class KeyReusedError(ArchibaldSyncError):
    """An idempotency key came before, with another request."""

    code = "key_reused"

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("this Idempotency-Key was used for another request; choose a new key")


class NotFoundError(ArchibaldSyncError):
    """There is no such thing."""

    code = "not_found"


class AuthError(ArchibaldSyncError):
    """The caller is unknown: no proof, a wrong one, or one that no longer counts."""

    code = "unauthorized"


class LoginThrottledError(AuthError):
    """Nobody looked at the password: there were too many failed logins, or too many at once."""

    code = "too_many_logins"

    def __init__(self, retry_after_s: int) -> None:
        """Keep after how many seconds it is worth trying again."""
        super().__init__(f"too many logins; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s
