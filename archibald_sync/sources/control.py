"""The control of a reading that belongs to no run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Unstoppable:
    """Lets everything go on; for a check, which nobody has to stop."""

    def checkpoint(self) -> None:
        """Go on."""

    def closing(self, close: Callable[[], None]) -> contextlib.nullcontext[None]:  # noqa: ARG002
        """Never call ``close``."""
        return contextlib.nullcontext()
