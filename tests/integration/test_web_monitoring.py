"""Metrics, status and history over HTTP: the plan's body to the letter, and always the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import World, wait_for
from web_support import SYNC, Api

from archibald_sync.domain.models import Role, SessionStatus

if TYPE_CHECKING:
    import threading


BASE = 1_705_678_900_000


def add_sessions(world: World, *statuses: str, duration_ms: int = 55_000) -> None:
    """Write sessions, a minute apart, each with its end if it has one."""
    for number, status in enumerate(statuses):
        started = BASE + number * 60_000
        ended = None if status == SessionStatus.RUNNING else started + duration_ms
        with world.database.transaction() as connection:
            connection.execute(
                "INSERT INTO sync_sessions (id, syncType, startedAt, completedAt, status, syncMode)"
                " VALUES (?, 'products', ?, ?, ?, 'auto')",
                (f"products-sync-{started}", started, ended, status),
            )


def test_metrics_before_the_first_sync(api: Api) -> None:
    """An empty table gives the plan's zeros and nulls."""
    answer = api.call("GET", f"{SYNC}/metrics", Role.VIEWER)

    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    assert answer.text == (
        '{"metrics":{"totalSyncs":0,"successfulSyncs":0,"failedSyncs":0,"successRate":0,'
        '"avgDurationMs":0,"lastSyncAt":null,"lastSyncStatus":null},"history":[]}\n'
    )


def test_metrics_are_those_of_the_plan(api: Api) -> None:
    """Five syncs of which one failed print as in the plan: 80 and 55000, not 80.0."""
    add_sessions(api.world, "completed", "failed", "completed", "completed", "completed")

    answer = api.call("GET", f"{SYNC}/metrics", Role.VIEWER)

    assert answer.text.startswith(
        '{"metrics":{"totalSyncs":5,"successfulSyncs":4,"failedSyncs":1,"successRate":80,'
        f'"avgDurationMs":55000,"lastSyncAt":{BASE + 240_000},"lastSyncStatus":"completed"}},'
    )
    assert [one["startedAt"] for one in answer.json["history"]] == [
        BASE + number * 60_000 for number in (4, 3, 2, 1, 0)
    ]


def test_metrics_that_are_not_whole_keep_their_fraction(api: Api) -> None:
    """Two of three is what JavaScript would print."""
    add_sessions(api.world, "completed", "completed", "failed")

    metrics = api.call("GET", f"{SYNC}/metrics").json["metrics"]

    assert metrics["successRate"] == 2 / 3 * 100


def test_history_beside_the_metrics_is_ten_whole_rows(api: Api) -> None:
    """The last ten sessions come with every column of their table."""
    add_sessions(api.world, *["completed"] * 12)
    columns = [row["name"] for row in api.world.database.rows("PRAGMA table_info(sync_sessions)")]

    history = api.call("GET", f"{SYNC}/metrics").json["history"]

    assert len(history) == 10
    assert list(history[0]) == columns
    assert history[0] == api.world.history.sessions(1)[0]


def test_session_without_a_live_owner_is_interrupted(api: Api) -> None:
    """A row left "running" by a dead process is never shown as running."""
    add_sessions(api.world, "completed", "running")
    session_id = f"products-sync-{BASE + 60_000}"

    body = api.call("GET", f"{SYNC}/metrics").json

    assert body["metrics"]["lastSyncStatus"] == "interrupted"
    assert body["history"][0]["status"] == "interrupted"
    assert api.call("GET", f"{SYNC}/sessions/{session_id}").json["status"] == "interrupted"


def test_status_tells_everything_that_the_service_knows(owned: Api) -> None:
    """No key of the status is lost on its way out."""
    owned.call("POST", SYNC)
    wait_for(lambda: owned.world.runs()[-1]["outcome"] is not None)
    owned.world.priority.take("orders", "order 7", 60)

    status = owned.call("GET", f"{SYNC}/status", Role.VIEWER).json

    expected = owned.world.monitoring.status()
    for one in (status, expected):  # what is computed from the time of the question
        one["owner"].pop("heartbeatAgeMs")
        one["priority"][0].pop("expiresAt")
    assert status == expected
    assert status["state"] == "paused"


def test_status_shows_progress(owned: Api, gate: threading.Event) -> None:
    """While a run works its progress is part of the status."""
    run = owned.call("POST", SYNC).json

    progress = owned.call("GET", f"{SYNC}/status").json["progress"]

    assert progress["runId"] == run["runId"]
    assert set(progress) == set(owned.world.monitoring.status()["progress"])


def test_history_is_read_page_by_page(api: Api) -> None:
    """Following `next` shows every session once, the newest first, and then ends."""
    add_sessions(api.world, *["completed", "failed"] * 4, "completed")
    seen: list[str] = []
    path = f"{SYNC}/history?limit=4"

    while path:
        page = api.call("GET", path, Role.VIEWER).json
        seen += [one["id"] for one in page["sessions"]]
        path = f"{SYNC}/history?limit=4&before={page['next']}" if page["next"] else ""

    assert seen == [f"products-sync-{BASE + n * 60_000}" for n in range(8, -1, -1)]


def test_history_is_twenty_by_default_and_can_be_narrowed(api: Api) -> None:
    """Without a limit there are twenty; a status leaves out the others."""
    add_sessions(api.world, *["completed"] * 25, "failed")

    assert len(api.call("GET", f"{SYNC}/history").json["sessions"]) == 20
    failed = api.call("GET", f"{SYNC}/history?status=failed").json
    assert [one["status"] for one in failed["sessions"]] == ["failed"]
    assert failed["next"] is None
    assert len(api.call("GET", f"{SYNC}/history?limit=200").json["sessions"]) == 26


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=abc", "limit"),
        ("limit=", "limit"),
        ("limit=1.5", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("status=lost", "status"),
        ("before=", "before"),
        ("before=x", "before"),
        ("before=%C3%A9", "before"),
        ("before=OTk5OTk5OTk5OTk5OTk5OTk5OS54", "before"),
        ("before=LTEueA", "before"),
        ("before=MQ", "before"),
        ("before=_w", "before"),
    ],
    ids=lambda text: text[:20],
)
def test_wrong_question_about_history_names_the_field(api: Api, query: str, field: str) -> None:
    """Bounds, statuses and cursors from outside are checked."""
    answer = api.call("GET", f"{SYNC}/history?{query}")

    assert answer.status_code == 400
    assert answer.json["field"] == field


@pytest.mark.parametrize("path", ["sessions/nothing", "runs/nothing", "sessions/%00", "runs/%FF"])
def test_unknown_id_is_not_found(api: Api, path: str) -> None:
    """There is no such session or run."""
    answer = api.call("GET", f"{SYNC}/{path}", Role.VIEWER)

    assert answer.status_code == 404
    assert answer.json["type"] == "/problems/not_found"


def test_run_of_a_dead_owner_is_interrupted(world: World, api: Api) -> None:
    """A run without a live owner is not shown as working."""
    claim = world.claim()
    path = f"{SYNC}/runs/{claim.run_id}"
    assert api.call("GET", path).json["outcome"] is None

    world.owner.release(claim.epoch)

    assert api.call("GET", path).json["outcome"] == "interrupted"
    assert api.call("GET", f"{SYNC}/status").json["lastRun"]["outcome"] == "interrupted"
