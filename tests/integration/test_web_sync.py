"""Starting, stopping and running over HTTP, and every request that must change nothing."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from support import FakeSource, World, catalogue_of, wait_for
from web_support import PROBLEM_KEYS, SYNC, Api

from archibald_sync.domain.models import IntentKind, IntentState, Role

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping


START, STOP, RUN = f"{SYNC}/start", f"{SYNC}/stop", f"{SYNC}/run"


def pending(world: World) -> list[tuple[IntentKind, Mapping[str, object]]]:
    """Return what was asked of the owner and not answered yet."""
    return [(one.kind, one.parameters) for one in world.schedule.pending_intents()]


@pytest.mark.parametrize(
    ("body", "interval"), [(None, 30), ({}, 30), ({"intervalMinutes": 15}, 15)], ids=str
)
def test_start_is_applied_by_the_owner(
    owned: Api, body: dict[str, int] | None, interval: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Start answers with the interval and the next run, and logs the plan's line."""
    caplog.set_level("INFO")
    options: dict[str, Any] = {} if body is None else {"json": body}

    answer = owned.call("POST", START, **options)

    assert answer.status_code == 200
    assert list(answer.json) == ["success", "intervalMinutes", "nextRunAt", "applied"]
    assert (answer.json["success"], answer.json["applied"]) == (True, True)
    assert answer.json["intervalMinutes"] == interval
    assert isinstance(answer.json["nextRunAt"], int)
    state = owned.world.schedule.state()
    assert (state.is_started, state.interval_minutes) == (True, interval)
    line = next(r for r in caplog.records if r.getMessage() == "Starting products auto-sync")
    fields: dict[str, object] = line.__dict__["fields"]
    assert line.__dict__["component"] == "API"
    assert fields["intervalMinutes"] == interval
    assert isinstance(fields["userId"], int)


def test_start_without_an_owner_is_recorded_and_says_so(api: Api) -> None:
    """Nobody has applied the wish yet: the answer does not claim it."""
    answer = api.call("POST", START, json={"intervalMinutes": 15})

    assert answer.status_code == 200
    assert answer.json == {
        "success": True,
        "intervalMinutes": 15,
        "nextRunAt": None,
        "applied": False,
    }
    assert pending(api.world) == [(IntentKind.START, {"intervalMinutes": 15})]


@pytest.mark.parametrize("value", [0, -1, 1441, 30.5, 1e30, "abc", "30", None, True, [15]])
def test_start_with_a_wrong_interval_changes_nothing(api: Api, value: object) -> None:
    """Anything but a whole number from 1 to 1440 is 400, and names the field."""
    answer = api.call("POST", START, json={"intervalMinutes": value})

    assert answer.status_code == 400
    assert set(answer.json) == PROBLEM_KEYS | {"field", "errors"}
    assert answer.json["field"] == "intervalMinutes"
    assert answer.json["error"] == (
        "intervalMinutes: expected a whole number of minutes from 1 to 1440"
    )
    assert pending(api.world) == []


@pytest.mark.parametrize(
    "body",
    [b"[15]", b"null", b"15", b'"abc"', b"{", b"\xff", b" ", b"[" * 5000, b"1" * 5000, b"NaN"],
    ids=lambda body: str(body[:8]),
)
@pytest.mark.parametrize("path", [START, STOP, SYNC])
def test_body_that_is_no_object_changes_nothing(api: Api, path: str, body: bytes) -> None:
    """A list, a number, broken JSON and endless nesting are 400."""
    answer = api.call("POST", path, data=body, content_type="application/json")

    assert answer.status_code == 400
    assert answer.json["field"] == "body"
    assert pending(api.world) == []


@pytest.mark.parametrize(
    ("path", "key"), [(START, "interval"), (STOP, "force"), (SYNC, "dryrun"), (RUN, "force")]
)
def test_unknown_key_changes_nothing(api: Api, path: str, key: str) -> None:
    """A misspelt key is 400 and named, not ignored."""
    answer = api.call("POST", path, json={key: True})

    assert answer.status_code == 400
    assert answer.json["errors"] == {key: ["there is no such key"]}
    assert pending(api.world) == []


@pytest.mark.parametrize("path", [START, STOP, SYNC, RUN])
def test_body_that_is_too_large_changes_nothing(api: Api, path: str) -> None:
    """2 MB of JSON are 413, with and without an announced length."""
    body = b'{"intervalMinutes": 15}'.ljust(2_000_000)

    announced = api.call("POST", path, data=body, content_type="application/json")
    streamed = api.call(
        "POST",
        path,
        headers={"Transfer-Encoding": "chunked"},
        input_stream=BytesIO(body),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert [announced.status_code, streamed.status_code] == [413, 413]
    assert set(announced.json) == PROBLEM_KEYS
    assert pending(api.world) == []


@pytest.mark.parametrize("path", [START, STOP, SYNC, RUN])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_body_of_another_type_changes_nothing(api: Api, path: str, content_type: str) -> None:
    """A body that is not declared as JSON is 415."""
    answer = api.call("POST", path, data=b'{"intervalMinutes": 15}', content_type=content_type)

    assert answer.status_code == 415
    assert pending(api.world) == []


def test_stop_is_applied_by_the_owner(owned: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Stop ends the schedule, and logs the plan's line."""
    caplog.set_level("INFO")
    owned.call("POST", START)

    answer = owned.call("POST", STOP)

    assert (answer.status_code, answer.json) == (200, {"success": True, "applied": True})
    assert not owned.world.schedule.state().is_started
    assert "Stopping products auto-sync" in [one.getMessage() for one in caplog.records]


def test_stop_with_cancel_ends_the_run_at_work(owned: Api, gate: threading.Event) -> None:
    """With cancel the run at work ends at its next checkpoint."""
    run = owned.call("POST", SYNC).json

    owned.call("POST", STOP, json={"cancel": True})
    gate.set()

    wait_for(lambda: owned.world.runs()[-1]["outcome"] is not None)
    assert owned.call("GET", f"{SYNC}/runs/{run['runId']}").json["outcome"] == "cancelled"


@pytest.mark.parametrize("value", [1, 0, "true", "yes", None, []])
def test_stop_with_a_wrong_cancel_changes_nothing(api: Api, value: object) -> None:
    """Cancel is true or false, and nothing that resembles them."""
    answer = api.call("POST", STOP, json={"cancel": value})

    assert answer.status_code == 400
    assert answer.json["field"] == "cancel"
    assert pending(api.world) == []


@pytest.mark.parametrize("path", [SYNC, RUN])
def test_run_begins_and_can_be_followed(owned: Api, source: FakeSource, path: str) -> None:
    """202 names the run and its session; Location leads to both."""
    source.records = catalogue_of(3)

    answer = owned.call("POST", path)

    assert answer.status_code == 202
    assert list(answer.json) == ["runId", "sessionId"]
    location = answer.headers["Location"]
    assert location == f"{SYNC}/runs/{answer.json['runId']}"
    wait_for(lambda: owned.world.runs()[-1]["outcome"] == "completed")
    run = owned.call("GET", location, Role.VIEWER).json
    assert (run["outcome"], run["trigger"]) == ("completed", "manual")
    assert [one["id"] for one in run["sessions"]] == [answer.json["sessionId"]]
    assert run["sessions"][0]["itemsCreated"] == 3


def test_run_while_one_is_at_work_names_that_one(owned: Api, gate: threading.Event) -> None:
    """409 carries the id of the run that is in the way."""
    first = owned.call("POST", SYNC).json

    answer = owned.call("POST", SYNC)

    assert answer.status_code == 409
    assert set(answer.json) == PROBLEM_KEYS | {"runId"}
    assert answer.json["runId"] == first["runId"]
    assert answer.json["code"] == "sync_in_progress"
    assert owned.call("GET", f"{SYNC}/status").json["state"] == "running"


@pytest.mark.parametrize(
    ("path", "headers"),
    [(SYNC, {"Prefer": "wait"}), (SYNC, {"Prefer": "x, wait=10"}), (f"{SYNC}?attach=true", {})],
)
def test_run_can_attach_to_the_one_at_work(
    owned: Api, gate: threading.Event, path: str, headers: dict[str, str]
) -> None:
    """Whoever only wants a fresh copy follows the run that is at work."""
    first = owned.call("POST", SYNC).json

    answer = owned.call("POST", path, headers=headers)

    assert answer.status_code == 202
    assert answer.json == {**first, "attached": True}
    assert answer.headers["Location"].endswith(first["runId"])


def test_run_waits_without_session_while_priority_is_held(owned: Api) -> None:
    """A held lease keeps the run from beginning: there is no session to name yet."""
    owned.world.priority.take("orders", "", 60)

    answer = owned.call("POST", SYNC)
    attached = owned.call("POST", SYNC, headers={"Prefer": "wait"})

    assert answer.status_code == 202
    assert answer.json["sessionId"] is None
    assert attached.json == {**answer.json, "attached": True}


def test_repeated_key_gives_the_first_answer(owned: Api) -> None:
    """A client that asks again after a lost answer causes no second run."""
    token = {"Authorization": f"Bearer {owned.token(owned.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "order-1"}

    first = owned.client.post(SYNC, headers=headers)
    wait_for(lambda: owned.world.runs()[-1]["outcome"] is not None)
    again = owned.client.post(SYNC, headers=headers)

    assert (again.status_code, again.json) == (202, first.json)
    assert len(owned.world.runs()) == 1
    other = owned.call("POST", SYNC, headers={"Idempotency-Key": "order-1"})
    assert other.json["runId"] != first.json["runId"]


def test_repeated_key_does_not_start_anew_what_was_stopped_since(owned: Api) -> None:
    """A start that is sent again after a stop is the old one: the stop stays."""
    token = {"Authorization": f"Bearer {owned.token(owned.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "k"}

    first = owned.client.post(f"{SYNC}/start", headers=headers)
    stopped = [owned.client.post(f"{SYNC}/stop", headers=headers) for _ in range(2)]
    again = owned.client.post(f"{SYNC}/start", headers=headers)

    assert (again.status_code, again.json) == (200, first.json)
    assert [one.json for one in stopped] == [{"success": True, "applied": True}] * 2
    assert not owned.world.schedule.state().is_started


@pytest.mark.parametrize(
    ("path", "one", "other"),
    [
        ("start", {"intervalMinutes": 15}, {"intervalMinutes": 16}),
        ("stop", {"cancel": False}, {"cancel": True}),
    ],
)
def test_key_of_another_request_is_refused(
    owned: Api, path: str, one: dict[str, object], other: dict[str, object]
) -> None:
    """A key that was used with other values is 409, and changes nothing."""
    token = {"Authorization": f"Bearer {owned.token(owned.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "k"}
    owned.client.post(f"{SYNC}/{path}", headers=headers, json=one)
    before = owned.world.schedule.state().changed_at

    answer = owned.client.post(f"{SYNC}/{path}", headers=headers, json=other)

    assert (answer.status_code, answer.json["code"]) == (409, "key_reused")
    assert "Idempotency-Key" in answer.json["detail"]
    assert owned.world.schedule.state().changed_at == before


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", "é"])
def test_wrong_key_changes_nothing(api: Api, key: str) -> None:
    """A key that cannot be kept is 400 and named."""
    answer = api.call("POST", SYNC, headers={"Idempotency-Key": key})

    assert answer.status_code == 400
    assert answer.json["field"] == "Idempotency-Key"
    assert pending(api.world) == []


def test_run_that_nobody_takes_on_says_what_will_happen(api: Api) -> None:
    """503 says that the request is recorded, and until when."""
    answer = api.call("POST", SYNC)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "recorded" in answer.json["detail"]
    assert "60 s" in answer.json["detail"]
    assert pending(api.world) == [(IntentKind.RUN, {"dryRun": False})]


def test_run_that_expired_is_not_promised_any_more(api: Api) -> None:
    """A repeated key learns that the request came to nothing."""
    token = {"Authorization": f"Bearer {api.token(api.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "order-1"}
    api.client.post(SYNC, headers=headers)
    intent = api.world.schedule.pending_intents()[0]
    api.world.schedule.answer_intent(intent.id, IntentState.EXPIRED, {}, api.world.own())

    answer = api.client.post(SYNC, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (503, "run_expired")
