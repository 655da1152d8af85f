"""The patience with what fails again and again."""

from __future__ import annotations

from archibald_sync.scheduler.backoff import Backoff


def test_waits_grow_and_end_with_success() -> None:
    """Each failure is left alone longer, up to a limit; a success starts over."""
    backoff = Backoff()
    assert backoff.remaining_s == 0

    waits = []
    for _ in range(8):
        backoff.fail()
        waits.append(round(backoff.remaining_s, 1))

    assert waits == [0.2, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0, 4.0]
    backoff.succeed()
    assert backoff.remaining_s == 0


def test_a_storm_of_failures_is_worth_few_words() -> None:
    """A thousand failures in a row are told ten times."""
    backoff = Backoff()

    assert sum(backoff.fail() for _ in range(1000)) == 10
