"""The seed of everything that is random in these tests: shown on failure, given to repeat it."""

from __future__ import annotations

import os
import random

import pytest

_SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(2**32))


@pytest.fixture
def seed() -> int:
    """Return the seed of this session, which pytest shows where the test fails."""
    print(f"CHAOS_SEED={_SEED}")  # noqa: T201  # captured, and shown on failure
    return _SEED


def pytest_report_header() -> str:
    """Say how to repeat a failure."""
    return f"chaos: CHAOS_SEED={_SEED}"
