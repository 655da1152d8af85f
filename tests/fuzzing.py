"""How hard property tests try: briefly in the suite, for minutes with ``make fuzz``."""

from __future__ import annotations

import os

from hypothesis import settings

_FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))


def tried(examples: int) -> settings:
    """Return settings that try as many ``examples`` in the suite, more where it is asked for."""
    return settings(max_examples=examples * _FACTOR, deadline=None)
