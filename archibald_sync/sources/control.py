"""The control of a reading that belongs to no run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.domain.models import Stage


class Unstoppable:
    """Lets everything go on; for a check, which nobody has to stop."""

    def checkpoint(self) -> None:
        """Go on."""

    def enter(self, stage: Stage) -> None:
        """Keep no times."""

    def closing(self, close: Callable[[], None]) -> contextlib.nullcontext[None]:  # noqa: ARG002
        """Never call ``close``."""
        return contextlib.nullcontext()
