"""Database files to work on: each measurement has a copy of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def working_copy(original: Path | None, folder: Path) -> Iterator[Path]:
    """Return a copy of ``original``, on disk already; a name without a file for None."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        path = Path(place) / "work.sqlite3"
        if original is not None:
            shutil.copyfile(original, path)
            with path.open("rb+") as file:
                os.fsync(file.fileno())  # else it is written while we measure
        yield path
