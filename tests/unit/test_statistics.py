"""What the past says about success and about the time that is left."""

from __future__ import annotations

import pytest

from archibald_sync.domain.statistics import Effort, expected_duration_ms, success_rate


def test_rate_counts_what_the_sync_did_itself() -> None:
    """Runs at work, skipped and cancelled ones are neither a success nor a failure."""
    rate = success_rate(
        ["completed", "failed", "held", "interrupted", "cancelled", "skipped", None, "completed"]
    )

    assert (rate.counted, rate.completed, rate.percent) == (5, 2, 40.0)


def test_no_run_has_no_rate() -> None:
    """Before the first run there is no rate, not one of zero."""
    assert success_rate(["skipped"]).percent is None


@pytest.mark.parametrize(
    ("past", "total", "expected"),
    [
        ([], 100, None),
        ([Effort(1000, 100), Effort(3000, 100), Effort(9000, 100)], 200, 6000),
        ([Effort(1000, 100), Effort(3000, 100), Effort(9000, 100)], None, 3000),
        ([Effort(1000, 0), Effort(5000, 0)], 200, 3000),
        ([Effort(4000, 0), Effort(1000, 100)], 50, 500),
    ],
)
def test_expected_duration(past: list[Effort], total: int | None, expected: int | None) -> None:
    """The median a row where rows are known, else the median, else nobody knows."""
    assert expected_duration_ms(past, total) == expected
