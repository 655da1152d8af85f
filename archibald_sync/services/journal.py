"""What is logged on behalf of a run, kept with the run.

Lines are gathered in memory and written a few times: with the heartbeat of the owner, and
once when the run has ended. They never fail a run: what cannot be written is tried again
with the next heartbeat, and lost with the run.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING

from archibald_sync import logs
from archibald_sync.domain.models import RunLine
from archibald_sync.errors import ArchibaldSyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archibald_sync.domain.models import Claim
    from archibald_sync.domain.overview_ports import RunLines

FIRST_LINES, LAST_LINES = 250, 250
MAX_MESSAGE = 2000
_MAX_FIELDS = 2000


class RunJournal:
    """Keeps the lines of the run at work in this process."""

    def __init__(self, store: RunLines) -> None:
        """Keep lines in ``store``."""
        self._store = store
        self._active: _Lines | None = None
        self._keeping = threading.Lock()

    @contextmanager
    def recording(self, claim: Claim) -> Iterator[None]:
        """Keep what is logged for the run of ``claim`` inside the block."""
        self._active = lines = _Lines(claim)
        try:
            with logs.heard(claim.run_id, lines.add):
                yield
        finally:
            self._keep(lines)
            self._active = None

    def keep(self) -> None:
        """Write what was logged since the last time; call it from time to time."""
        if (lines := self._active) is not None:
            self._keep(lines)

    def _keep(self, lines: _Lines) -> None:
        # Whether we still own the resource, and what is wrong with the database, is found
        # out by the writes of the run itself.
        with self._keeping, suppress(ArchibaldSyncError):
            lines.keep(self._store)


class _Lines:
    """The first lines of one run, and its last."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._lock = threading.Lock()
        self._first: list[RunLine] = []
        self._last: deque[RunLine] = deque(maxlen=LAST_LINES)
        self._logged = self._kept = 0

    def add(self, line: logs.Line) -> None:
        with self._lock:
            self._logged += 1
            kept = RunLine(
                self._logged,
                line.logged_at,
                line.level,
                line.component,
                line.message[:MAX_MESSAGE],
                _fields_of(line),
            )
            (self._first if self._logged <= FIRST_LINES else self._last).append(kept)

    def keep(self, store: RunLines) -> None:
        """Write what was not written yet.

        Raises:
            Fenced: Another process owns the resource now.
            StorageError: The database cannot be written.
        """
        with self._lock:
            logged = self._logged
            lines = [one for one in chain(self._first, self._last) if one.number > self._kept]
        if lines:
            forgotten = (FIRST_LINES, logged - LAST_LINES)
            store.keep(self._claim.run_id, lines, forgotten, self._claim.epoch)
            self._kept = logged


def _fields_of(line: logs.Line) -> dict[str, object]:
    """Return the fields of a line but for the run, which is known; none where they are many."""
    fields = {name: value for name, value in line.fields.items() if name != "runId"}
    return fields if len(json.dumps(fields, default=str)) <= _MAX_FIELDS else {}
