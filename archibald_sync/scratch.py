"""Temporary files for which there is no room: told as what it is, and what to do about it.

Knows neither what is kept in them nor why.
"""

from __future__ import annotations

import errno
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from archibald_sync.errors import StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# No room, or too little for one file; a folder that is gone, or that we may not write.
_NO_ROOM = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EACCES,
        errno.EPERM,
    }
)


@contextmanager
def room_in(folder: Path | None) -> Iterator[None]:
    """Tell inside the block that a temporary file cannot be made or written.

    Args:
        folder: Where the file is; None means the folder that ``TMPDIR`` names.

    Raises:
        StorageFullError: There is no room in the folder, or none that can be written.
    """
    try:
        yield
    except OSError as exc:
        if exc.errno not in _NO_ROOM:
            raise
        raise StorageFullError(_sentence(folder)) from exc


def _sentence(folder: Path | None) -> str:
    if folder is not None:
        return (
            f"no temporary file can be written in the folder {folder.name}; "
            "make room on its disk and check its permissions"
        )
    return (
        f"no temporary file can be written in {tempfile.tempdir or 'any of the usual folders'}; "
        "make room on the disk, check the permissions, or let TMPDIR name another folder"
    )
