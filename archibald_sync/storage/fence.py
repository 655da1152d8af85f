"""The fence: a write of a run counts only while its owner still owns the resource."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.errors import Fenced

if TYPE_CHECKING:
    import sqlite3

_EPOCH = "SELECT epoch FROM owner_lease WHERE name = :name"


def check_epoch(connection: sqlite3.Connection, name: str, epoch: int) -> None:
    """Refuse to go on when ``epoch`` is over; call it inside the writing transaction.

    Raises:
        Fenced: Another process has become the owner of ``name`` since.
    """
    row = connection.execute(_EPOCH, {"name": name}).fetchone()
    if row is None or row[0] != epoch:
        raise Fenced(f"another process owns {name} now (epoch {epoch} is over)")
