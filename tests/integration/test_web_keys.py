"""API keys: made once, shown never again, and never worth more than who answers for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from access_support import bearer, key_of
from support import ShiftedClock, World
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import FakeSource

MINUTE_MS = 60_000


@pytest.fixture
def api(world: World) -> Api:
    """Return an API whose resource nobody owns."""
    return Api(world, answer_wait_s=0.01)


@pytest.fixture
def later(tmp_path: Path, source: FakeSource) -> Iterator[tuple[Api, ShiftedClock]]:
    """Return an API whose clock can be set forward."""
    clock = ShiftedClock()
    world = World(tmp_path, source, clock=clock)
    yield Api(world), clock
    world.close()


def _me(api: Api, secret: str) -> Any:  # noqa: ANN401  # a test answer
    return api.client.get("/api/auth/me", headers={"X-Api-Key": secret})


def test_key_lets_a_machine_in(api: Api) -> None:
    """The secret is told once, with enough chance in it, and says what it is."""
    body = {"name": "orders", "role": "operator"}

    answer = api.call("POST", "/api/keys", Role.ADMIN, json=body)

    assert answer.status_code == 201
    secret, key = answer.json["secret"], answer.json["key"]
    assert secret.startswith("ask_")
    assert len(secret) >= 4 + 43  # 256 bits in base64
    assert secret.startswith(key["prefix"])
    assert len(key["prefix"]) == 10
    assert _me(api, secret).json == {"name": "key:orders", "role": "operator"}
    assert api.client.get("/api/auth/me", headers=bearer(secret)).status_code == 200
    assert api.client.post(f"{SYNC}/stop", headers={"X-Api-Key": secret}).status_code == 200


def test_only_a_hash_of_the_secret_is_kept(api: Api) -> None:
    """Neither the database nor the list gives a secret back."""
    body = {"name": "orders", "role": "viewer"}
    secret = api.call("POST", "/api/keys", Role.ADMIN, json=body).json["secret"]

    listed = api.call("GET", "/api/keys", Role.ADMIN)

    assert [key["name"] for key in listed.json["keys"]] == ["orders"]
    assert secret[11:] not in listed.text
    rows = api.world.access_database.rows("SELECT * FROM api_keys")
    assert secret[11:] not in str([tuple(row) for row in rows])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"role": "root"}, "role"),
        ({"expiresInDays": 0}, "expiresInDays"),
        ({"expiresInDays": 3651}, "expiresInDays"),
        ({"expiresInDays": "7"}, "expiresInDays"),
        ({"secret": "ask_mine"}, "secret"),
    ],
    ids=str,
)
def test_wrong_key_is_not_made(api: Api, changes: dict[str, object], field: str) -> None:
    """What does not fit is 400 and named."""
    api.access.keys.add("taken", Role.VIEWER, api.user(Role.ADMIN))
    body = {"name": "orders", "role": "viewer", **changes}

    answer = api.call("POST", "/api/keys", Role.ADMIN, json=body)

    assert (answer.status_code, answer.json["field"]) == (400, field)
    assert len(api.access.keys.all_keys()) == 1


def test_a_name_of_a_key_is_given_once(api: Api) -> None:
    """A name that a key has, in whatever case, is 409 and named."""
    api.access.keys.add("taken", Role.VIEWER, api.user(Role.ADMIN))

    answer = api.call("POST", "/api/keys", Role.ADMIN, json={"name": "TAKEN", "role": "viewer"})

    assert (answer.status_code, answer.json["code"]) == (409, "name_taken")
    assert len(api.access.keys.all_keys()) == 1


def test_revoked_key_is_out_at_once_and_its_name_free(api: Api) -> None:
    """It stays in the list, and cannot be revoked twice."""
    key_id, secret = key_of(api, Role.VIEWER)
    name = api.access.keys.all_keys()[0].name

    assert api.call("DELETE", f"/api/keys/{key_id}", Role.ADMIN).status_code == 204

    assert _me(api, secret).status_code == 401
    assert api.call("DELETE", f"/api/keys/{key_id}", Role.ADMIN).status_code == 404
    api.access.keys.add(name, Role.VIEWER, api.user(Role.ADMIN))
    states = [key.revoked_at is None for key in api.access.keys.all_keys()]
    assert states == [True, False]


@pytest.mark.parametrize("key_id", ["x", "-1", "²", "9" * 19, "9" * 400, "1;DROP"])
def test_no_such_key_is_not_found(api: Api, key_id: str) -> None:
    """Any text in place of an id is 404."""
    assert api.call("DELETE", f"/api/keys/{key_id}", Role.ADMIN).status_code == 404


def test_key_is_never_worth_more_than_its_maker(api: Api) -> None:
    """A role above one's own cannot be given, and sinks with the maker's."""
    operator, admin = api.user(Role.OPERATOR), api.user(Role.ADMIN)
    api.user(Role.ADMIN)
    with pytest.raises(InvalidInputError, match="at most operator"):
        api.access.keys.add("too-much", Role.ADMIN, operator)
    _, secret = api.access.keys.add("much", Role.ADMIN, admin)
    assert _me(api, secret).json["role"] == "admin"

    api.accounts.set_role(admin.name, Role.VIEWER)
    assert _me(api, secret).json["role"] == "viewer"

    api.accounts.disable_user(admin.name)
    assert _me(api, secret).status_code == 401

    api.accounts.enable_user(admin.name)
    assert _me(api, secret).json["role"] == "viewer"


def test_key_makes_no_keys(api: Api) -> None:
    """A machine cannot give itself a second way in, nor change a password."""
    _, secret = key_of(api, Role.ADMIN)
    header = {"X-Api-Key": secret}
    body = {"name": "more", "role": "viewer"}

    assert api.client.post("/api/keys", headers=header, json=body).status_code == 403
    assert api.client.post("/api/auth/password", headers=header).status_code == 403
    assert api.client.post("/api/auth/logout", headers=header).status_code == 403


def test_key_expires(later: tuple[Api, ShiftedClock]) -> None:
    """It ends on the day that was said."""
    api, clock = later
    _, secret = api.access.keys.add("brief", Role.VIEWER, api.user(Role.ADMIN), 1)
    assert _me(api, secret).status_code == 200

    clock.shift_ms = 24 * 60 * MINUTE_MS + 1

    assert _me(api, secret).status_code == 401


def test_last_use_is_kept_to_the_minute(later: tuple[Api, ShiftedClock]) -> None:
    """A machine that asks all the time costs one write a minute."""
    api, clock = later
    key_id, secret = key_of(api, Role.VIEWER)

    def last_used() -> int | None:
        key = next(one for one in api.access.keys.all_keys() if one.id == key_id)
        return key.last_used_at

    assert last_used() is None
    _me(api, secret)
    first = last_used()
    assert first is not None
    _me(api, secret)
    assert last_used() == first
    clock.shift_ms += 2 * MINUTE_MS
    _me(api, secret)
    second = last_used()
    assert second is not None
    assert second >= first + MINUTE_MS
    clock.shift_ms -= 10 * MINUTE_MS
    _me(api, secret)
    third = last_used()
    assert third is not None
    assert third < first


def test_key_counts_while_nothing_can_be_written(api: Api) -> None:
    """A full or read-only disk locks no machine out."""
    _, secret = key_of(api, Role.VIEWER)
    api.world.access_database.connection().execute("PRAGMA query_only = ON")

    answer = _me(api, secret)

    assert answer.status_code == 200
    api.world.access_database.connection().execute("PRAGMA query_only = OFF")


@pytest.mark.parametrize("secret", ["ask_", "ask_" + "x" * 43, "ask_" + "x" * 60_000, "é", " "])
def test_garbage_is_no_key(api: Api, secret: str) -> None:
    """Any text in place of a key is 401."""
    assert _me(api, secret).status_code == 401


def test_two_keys_do_not_mean_the_same_request(api: Api) -> None:
    """An Idempotency-Key belongs to who chose it, also among machines of one user."""
    owner = api.user(Role.ADMIN)
    secrets = [api.access.keys.add(name, Role.OPERATOR, owner)[1] for name in ("one", "two")]

    leases = [
        api.client.post(
            "/api/priority/leases",
            headers={"X-Api-Key": secret, "Idempotency-Key": "k"},
            json={"owner": "o"},
        ).json["id"]
        for secret in (*secrets, secrets[0])
    ]

    assert leases[0] == leases[2] != leases[1]
