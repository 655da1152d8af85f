"""Priority leases over HTTP."""

from __future__ import annotations

import re
import time

import pytest
from web_support import PROBLEM_KEYS, Api

from archibald_sync.domain.models import Role

LEASES = "/api/priority/leases"


def test_lease_is_taken_with_its_defaults(api: Api) -> None:
    """201 describes the lease, and Location leads to it."""
    answer = api.call("POST", LEASES, json={"owner": "orders"})

    assert answer.status_code == 201
    assert list(answer.json) == ["id", "owner", "reason", "takenAt", "expiresAt", "quiet"]
    assert (answer.json["owner"], answer.json["reason"]) == ("orders", "")
    assert abs(answer.json["expiresAt"] - answer.json["takenAt"] - 60_000) <= 5
    assert answer.json["quiet"] is True
    assert answer.headers["Location"] == f"{LEASES}/{answer.json['id']}"
    other = api.call("POST", LEASES, json={"owner": "other"})
    found = [api.call("GET", one.headers["Location"], Role.VIEWER) for one in (answer, other)]
    assert [one.json["id"] for one in found] == [answer.json["id"], other.json["id"]]


@pytest.mark.parametrize("blank", ["", " ", "\v\n", "\xa0", "\x1c", "\ufeff"])
def test_owner_that_nobody_can_see_is_refused_as_documented(api: Api, blank: str) -> None:
    """What the service refuses, the document refuses before; what it takes may begin so."""
    document = api.client.get("/api/openapi.json").json
    owner = document["components"]["schemas"]["Take"]["properties"]["owner"]

    refused = api.call("POST", LEASES, json={"owner": blank})
    taken = api.call("POST", LEASES, json={"owner": f"{blank}è"})

    assert (refused.status_code, refused.json["field"]) == (400, "owner")
    assert refused.json["errors"] == {
        "owner": ["expected 1 to 200 characters, not all of them blank"]
    }
    assert (taken.status_code, taken.json["owner"]) == (201, f"{blank}è")
    allowed = [re.search(owner["pattern"], one) is not None for one in (blank, f"{blank}è")]
    assert allowed == [False, True]


def test_lease_asked_for_twice_is_held_once(api: Api) -> None:
    """A client that lost the answer gets the same lease; one release ends it."""
    token = {"Authorization": f"Bearer {api.token(api.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "order-7"}

    first = api.client.post(LEASES, headers=headers, json={"owner": "orders"})
    again = api.client.post(LEASES, headers=headers, json={"owner": "orders"})
    held = [one.id for one in api.world.leases.held()]
    api.call("DELETE", first.headers["Location"])
    anew = api.client.post(LEASES, headers=headers, json={"owner": "orders"})

    assert again.json["id"] == first.json["id"]
    assert held == [first.json["id"]]
    assert anew.json["id"] != first.json["id"]


@pytest.mark.parametrize(
    "other", [{"owner": "others"}, {"reason": "order 8"}, {"reason": ""}, {"ttlSeconds": 61}]
)
def test_key_of_another_lease_is_refused(api: Api, other: dict[str, object]) -> None:
    """Another order does not get the lease of this one, which may end before it."""
    token = {"Authorization": f"Bearer {api.token(api.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "k"}
    body = {"owner": "orders", "reason": "order 7", "ttlSeconds": 60}
    first = api.client.post(LEASES, headers=headers, json=body)

    answer = api.client.post(LEASES, headers=headers, json={**body, **other})
    again = api.client.post(LEASES, headers=headers, json={**body, "waitSeconds": 1})

    assert (answer.status_code, answer.json["code"]) == (409, "key_reused")
    assert set(answer.json) == PROBLEM_KEYS
    assert (again.status_code, again.json["id"]) == (201, first.json["id"])
    assert [one.id for one in api.world.leases.held()] == [first.json["id"]]


def test_renewed_lease_is_still_that_of_its_key(api: Api) -> None:
    """The first request is repeated, not what became of the lease since."""
    token = {"Authorization": f"Bearer {api.token(api.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "k"}
    first = api.client.post(LEASES, headers=headers, json={"owner": "orders"})
    api.client.put(first.headers["Location"], headers=token, json={"ttlSeconds": 300})

    again = api.client.post(LEASES, headers=headers, json={"owner": "orders"})

    assert (again.status_code, again.json["id"]) == (201, first.json["id"])


def test_lease_of_an_earlier_version_is_that_of_its_key(api: Api) -> None:
    """Of such a lease the time that was asked for is unknown, and only the rest is compared."""
    token = {"Authorization": f"Bearer {api.token(api.user(Role.OPERATOR))}"}
    headers = {**token, "Idempotency-Key": "k"}
    api.client.post(LEASES, headers=headers, json={"owner": "orders", "ttlSeconds": 61})
    with api.world.priority_database.transaction() as connection:
        connection.execute("UPDATE priority_leases SET askedTtlMs = NULL")

    answers = [
        api.client.post(LEASES, headers=headers, json={"owner": owner}).status_code
        for owner in ("orders", "others")
    ]

    assert answers == [201, 409]


def test_viewer_takes_no_lease(api: Api) -> None:
    """Only operators go first."""
    assert api.call("POST", LEASES, Role.VIEWER, json={"owner": "x"}).status_code == 403
    assert api.world.leases.held() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "owner"),
        ({"owner": ""}, "owner"),
        ({"owner": "  "}, "owner"),
        ({"owner": "x" * 201}, "owner"),
        ({"owner": 7}, "owner"),
        ({"owner": None}, "owner"),
        ({"owner": "x", "reason": "y" * 201}, "reason"),
        ({"owner": "x", "ttlSeconds": 0}, "ttlSeconds"),
        ({"owner": "x", "ttlSeconds": 601}, "ttlSeconds"),
        ({"owner": "x", "ttlSeconds": "60"}, "ttlSeconds"),
        ({"owner": "x", "ttlSeconds": True}, "ttlSeconds"),
        ({"owner": "x", "waitSeconds": -1}, "waitSeconds"),
        ({"owner": "x", "waitSeconds": 11}, "waitSeconds"),
        ({"owner": "x", "priority": 1}, "priority"),
        ([], "body"),
    ],
    ids=str,
)
def test_wrong_lease_is_not_taken(api: Api, body: object, field: str) -> None:
    """400 names the field, and nobody goes first."""
    answer = api.call("POST", LEASES, json=body)

    assert answer.status_code == 400
    assert answer.json["field"] == field
    assert api.world.leases.held() == []


def test_lease_during_a_sync_is_not_quiet_and_waits_no_longer_than_asked(api: Api) -> None:
    """Quiet is the truth, and waiting for it is bounded."""
    api.world.claim()
    started = time.monotonic()

    at_once = api.call("POST", LEASES, json={"owner": "a"})
    assert time.monotonic() - started < 1
    after_a_while = api.call("POST", LEASES, json={"owner": "b", "waitSeconds": 1})

    assert 1 <= time.monotonic() - started < 4
    assert (at_once.json["quiet"], after_a_while.json["quiet"]) == (False, False)
    assert len(api.world.leases.held()) == 2


def test_leases_are_listed_the_oldest_first(api: Api) -> None:
    """Everybody who may look sees who goes first, and whether it is quiet."""
    taken = [api.call("POST", LEASES, json={"owner": owner}).json for owner in ("a", "b")]

    answer = api.call("GET", LEASES, Role.VIEWER)

    assert list(answer.json) == ["leases", "quiet"]
    assert [one["id"] for one in answer.json["leases"]] == [one["id"] for one in taken]
    assert set(answer.json["leases"][0]) == {"id", "owner", "reason", "takenAt", "expiresAt"}
    assert answer.json["quiet"] is True


def test_lease_is_renewed(api: Api) -> None:
    """PUT moves the end; without a body by the default."""
    lease = api.call("POST", LEASES, json={"owner": "a", "ttlSeconds": 5}).json
    path = f"{LEASES}/{lease['id']}"

    answer = api.call("PUT", path, json={"ttlSeconds": 600})

    assert answer.status_code == 200
    assert answer.json["expiresAt"] > lease["expiresAt"] + 590_000
    assert api.call("PUT", path).json["expiresAt"] < answer.json["expiresAt"]
    assert api.call("PUT", path, json={"ttlSeconds": 601}).json["field"] == "ttlSeconds"


def test_lease_is_released_once(api: Api) -> None:
    """DELETE is 204, and 404 the second time."""
    path = f"{LEASES}/{api.call('POST', LEASES, json={'owner': 'a'}).json['id']}"

    first, second = api.call("DELETE", path), api.call("DELETE", path)

    assert (first.status_code, first.data) == (204, b"")
    assert second.status_code == 404
    assert api.world.leases.held() == []


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_unknown_lease_is_not_found(api: Api, method: str) -> None:
    """There is nothing to show, renew or release."""
    answer = api.call(method, f"{LEASES}/nothing")

    assert answer.status_code == 404
    assert set(answer.json) == PROBLEM_KEYS


def test_renewing_nothing_is_wrong_before_it_is_unknown(api: Api) -> None:
    """A body that is wrong is told even where the lease has gone."""
    assert api.call("PUT", f"{LEASES}/nothing", json={"ttlSeconds": 0}).status_code == 400
