"""How long each stage of a session took, by a clock that nobody sets."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.domain.models import Stage


class StageTimes:
    """Times the stages of one session; one that is entered again goes on."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        """Be in no stage; ``seconds`` is the clock."""
        self._seconds = seconds
        self._spent_s: dict[Stage, float] = defaultdict(float)
        self._stage: Stage | None = None
        self._since_s = 0.0

    @property
    def stage(self) -> Stage | None:
        """Return the stage that was entered last."""
        return self._stage

    def enter(self, stage: Stage) -> None:
        """Begin ``stage``, which ends the one before."""
        self._settle()
        self._stage = stage

    def in_ms(self) -> dict[str, int]:
        """Return the milliseconds of each stage so far, in the order they were entered."""
        self._settle()
        return {stage.value: round(spent_s * 1000) for stage, spent_s in self._spent_s.items()}

    def _settle(self) -> None:
        now_s = self._seconds()
        if self._stage is not None:
            self._spent_s[self._stage] += now_s - self._since_s
        self._since_s = now_s
