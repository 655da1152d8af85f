"""What `status --watch` shows: one line, or a view with countdowns."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from archibald_sync.cli.watching import line_of, view_of

NOW = 1_700_000_000_000
PROGRESS = {
    "stage": "download",
    "pages": 3,
    "totalPages": 10,
    "items": 1500,
    "totalItems": 5000,
    "attempt": 1,
    "startedAt": NOW - 4000,
    "etaAt": NOW + 61_000,
}
WAITING = {"attempt": 1, "maxAttempts": 3, "nextAttemptAt": NOW + 9_000}


def status(**changes: object) -> dict[str, Any]:
    """Return the status of a service at rest, with ``changes``."""
    rest: dict[str, Any] = {
        "state": "idle",
        "reason": None,
        "freshness": "fresh",
        "autoSync": "started",
        "intervalMinutes": 30,
        "nextRunAt": NOW + 125_000,
        "lastCheckedAt": None,
        "lastSuccessAt": None,
        "lastVerifiedAt": None,
        "lastChangeAt": None,
        "progress": None,
        "currentRun": None,
        "owner": None,
        "priority": [],
        "records": {"active": 5, "deleted": 0},
    }
    return {**rest, **changes}


def shown(found: dict[str, Any], runs: tuple[dict[str, Any], ...] = ()) -> str:
    """Return what a wide terminal without colours shows."""
    console = Console(width=160, record=True, file=None, force_terminal=False, quiet=False)
    with console.capture() as capture:
        console.print(view_of("products", found, runs, NOW))
    return capture.get()


def test_rest_counts_down_to_the_next_run() -> None:
    """Between runs the view says in how long the next one comes."""
    assert "in 2 min 05 s" in shown(status())
    assert line_of("products", status()).startswith("products idle; next run at 20")


def test_run_at_work_shows_how_far_it_is() -> None:
    """Pages, rows, how long it has worked and when it will probably end."""
    found = status(
        state="running", progress=PROGRESS, currentRun={**WAITING, "nextAttemptAt": None}
    )

    view = shown(found)

    assert "download, 3/10 pages, 1500/5000 rows, attempt 1" in view
    assert "in 1 min 01 s" in view
    assert "━" in view
    assert line_of("products", found).endswith("1500/5000 rows, attempt 1")


def test_wait_between_attempts_is_counted_down() -> None:
    """Which attempt follows, and in how long."""
    found = status(state="running", reason="attempt 1 of 3 failed: cut off", currentRun=WAITING)

    assert "attempt 2 of 3 in 9 s" in shown(found)
    assert "cut off; next attempt at 20" in line_of("products", found)


def test_instant_gone_by_is_now() -> None:
    """No countdown runs below zero."""
    assert "in 0 s" in shown(status(nextRunAt=NOW - 5000))


def test_last_runs_and_priority_are_shown() -> None:
    """How the last runs ended, and who goes first."""
    run = {
        "startedAt": NOW,
        "outcome": "failed",
        "durationMs": 1500,
        "attempts": 3,
        "itemsCreated": None,
        "itemsUpdated": None,
        "itemsDeleted": None,
        "detail": "the ERP is \x1b[31maway",
    }
    lease = {"owner": "orders", "expiresAt": NOW, "reason": "order 7"}

    view = shown(status(priority=[lease]), (run, {**run, "outcome": None}))

    assert "orders until" in view
    assert "failed" in view
    assert "at work" in view
    assert "\x1b[31m" not in view


def test_no_bar_where_nobody_knows_the_whole() -> None:
    """Without a total there is nothing to draw a part of."""
    progress = {**PROGRESS, "totalItems": None, "totalPages": None}

    assert "━" not in shown(status(state="running", progress=progress))
