"""The entries of plans that were not applied: files in the instance folder, the last few.

A first extract may have a million entries; they are looked at once or never, and must
not make the database grow for good.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from archibald_sync.errors import InvalidInputError, NotFoundError, StorageFullError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from archibald_sync.domain.models import PlanKind

_KEPT_PLANS = 5
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
_DRAFT = ".new-"


class PlanFolder:
    """A folder a run; in it a file a kind, an entry a line."""

    def __init__(self, folder: Path) -> None:
        """Keep the plans in ``folder``, which is made when there is one to keep."""
        self._folder = folder

    def keep(self, run_id: str, entries: Iterable[tuple[PlanKind, Mapping[str, object]]]) -> None:
        """Keep all ``entries`` of a run's plan, and forget those of runs long ago.

        Raises:
            StorageFullError: There is no room.
        """
        draft, final = self._folder / f"{_DRAFT}{run_id}", self._folder / run_id
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            # Drafts are of runs that ended in the midst of it: only one run works at a time.
            for left in self._folder.glob(f"{_DRAFT}*"):
                shutil.rmtree(left)
            draft.mkdir(mode=0o700)
            _write(draft, entries)
            if final.exists():
                shutil.rmtree(final)
            draft.rename(final)
            self._prune()
        except OSError as exc:
            raise StorageFullError(
                "the plan cannot be kept to look at; make room on the disk and check the "
                "permissions of the instance folder"
            ) from exc

    def page(
        self, run_id: str, kind: PlanKind, start: int, limit: int
    ) -> tuple[list[Mapping[str, Any]], int | None]:
        """Return up to ``limit`` entries from ``start`` on, and where more begin.

        Raises:
            NotFoundError: No plan of this run is kept.
            InvalidInputError: No entry begins at ``start``.
        """
        folder = self._folder / run_id
        if not _RUN_ID.fullmatch(run_id) or not folder.is_dir():
            raise NotFoundError(
                f"the plan of {run_id} is not kept; those of the last {_KEPT_PLANS} dry and "
                "held runs are"
            )
        try:
            with (folder / f"{kind}.jsonl").open("rb") as file:
                return _read(file, start, limit)
        except FileNotFoundError:
            return [], None

    def _prune(self) -> None:
        kept = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        for old in kept[:-_KEPT_PLANS]:
            shutil.rmtree(old)


def _write(folder: Path, entries: Iterable[tuple[PlanKind, Mapping[str, object]]]) -> None:
    with ExitStack() as stack:
        files: dict[PlanKind, IO[str]] = {}
        for kind, entry in entries:
            if kind not in files:
                files[kind] = stack.enter_context(_opened(folder / f"{kind}.jsonl"))
            files[kind].write(json.dumps(entry) + "\n")


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        yield file


def _read(file: IO[bytes], start: int, limit: int) -> tuple[list[Mapping[str, Any]], int | None]:
    if start:
        file.seek(start - 1)
        if file.read(1) != b"\n":
            raise InvalidInputError("cursor", "expected the `next` of an earlier answer")
    entries = [json.loads(line) for line in islice(file, limit)]
    following = file.tell()
    return entries, following if file.read(1) else None
