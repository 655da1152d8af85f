"""Failed logins: the wait grows, is the same for all names, and ends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from access_support import HERE, PASSWORD, Desk, login
from support import SteppedClock, World
from web_support import Api

from archibald_sync.domain.access import Failures
from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError, InvalidInputError, LoginThrottledError
from archibald_sync.services.accounts import AccountService
from archibald_sync.services.logins import PATIENCE
from archibald_sync.services.passwords import Passwords
from archibald_sync.storage.accounts import SqliteAccounts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support import FakeSource

THERE = "10.0.0.2"


@pytest.fixture
def desk(tmp_path: Path, source: FakeSource) -> Iterator[Desk]:
    """Return a login service whose clock stands still."""
    clock = SteppedClock()
    world = World(tmp_path, source, clock=clock)
    yield Desk(world, clock)
    world.close()


@pytest.mark.parametrize("name", ["maria", "nobody", "MARIA", "a password in the wrong field"])
def test_wait_doubles_with_each_failure(desk: Desk, name: str) -> None:
    """After five failures the wait is 1, 2, 4 … s up to a minute, whoever the name is."""
    for _ in range(5):
        desk.fail(name, None)
    waits = []
    for _ in range(8):
        with pytest.raises(LoginThrottledError) as error:
            desk.logins.log_in(name, "wrong", None)
        waits.append(error.value.retry_after_s)
        desk.pass_s(waits[-1])
        desk.fail(name, None)

    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_right_password_in_time_of_waiting_is_not_looked_at(desk: Desk) -> None:
    """While one must wait, a right guess cannot be told from a wrong one."""
    for _ in range(5):
        desk.fail()

    assert desk.wait_s() == 1
    desk.pass_s(1)
    assert desk.wait_s() == 0


def test_success_clears_the_account(desk: Desk) -> None:
    """Who knows the password starts anew."""
    for _ in range(4):
        desk.fail()
    desk.logins.log_in("maria", PASSWORD, HERE)
    for _ in range(4):
        desk.fail()

    assert desk.wait_s() == 0


def test_success_does_not_clear_the_address(desk: Desk) -> None:
    """Who owns one account cannot guess at others for free."""
    free = PATIENCE["address"].free
    for number in range(free):
        desk.fail(f"user-{number}")
        if number < free - 1:
            desk.logins.log_in("maria", PASSWORD, HERE)

    assert desk.wait_s("maria") == 1
    assert desk.wait_s("maria", THERE) == 0


def test_address_waits_up_to_a_quarter_of_an_hour(desk: Desk) -> None:
    """Whoever tries many names from one address waits, and nobody else does."""
    for number in range(35):
        desk.fail(f"user-{number}")
        desk.pass_s(desk.wait_s("another"))
    desk.fail("one more")

    assert desk.wait_s("another") == PATIENCE["address"].longest_s
    assert desk.wait_s("another", THERE) == 0


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("not an address", "nor this", True),
    ],
)
def test_addresses_of_one_customer_are_one(
    desk: Desk,
    one: str,
    other: str,
    is_same: bool,  # noqa: FBT001
) -> None:
    """An IPv6 customer has 2^64 addresses, and they count as one."""
    for number in range(PATIENCE["address"].free):
        desk.fail(f"user-{number}", one)

    assert (desk.wait_s("maria", other) > 0) is is_same


def test_failures_are_forgotten_after_a_day(desk: Desk) -> None:
    """A day without failures clears the slate, and the table."""
    for _ in range(5):
        desk.fail()
    desk.pass_s(24 * 3600 + 1)

    assert desk.failures.of("address", HERE) == Failures()
    desk.fail("nobody", THERE)
    assert desk.database.rows("SELECT COUNT(*) FROM login_throttle")[0][0] == 2


def test_clock_set_back_keeps_nobody_waiting(desk: Desk) -> None:
    """A wall clock that steps back by a year does not make a minute of it a year."""
    for _ in range(5):
        desk.fail()
    desk.clock.wall -= 365 * 24 * 3600 * 1000

    assert desk.wait_s() == 0


def test_table_does_not_grow_without_bounds(tmp_path: Path, source: FakeSource) -> None:
    """A flood of names pushes out the least suspicious, never the account under attack."""
    clock = SteppedClock()
    world = World(tmp_path, source, clock=clock)
    desk = Desk(world, clock, max_subjects=10)
    for _ in range(9):
        desk.fail(address=None)
        desk.pass_s(60)

    for number in range(50):
        desk.fail(f"flood-{number}", None)

    assert world.access_database.rows("SELECT COUNT(*) FROM login_throttle")[0][0] == 10
    assert [row[0] for row in desk.database.rows("SELECT MAX(failures) FROM login_throttle")] == [9]
    world.close()


def test_no_name_is_kept(desk: Desk) -> None:
    """A name may be a password typed into the wrong field: only its hash is kept."""
    desk.fail("my secret password 1")

    rows = desk.database.rows("SELECT * FROM login_throttle")
    assert "secret" not in str([tuple(row) for row in rows])


def test_forgiven_account_waits_no_longer(desk: Desk) -> None:
    """An admin who sets a password ends the wait."""
    for number in range(8):
        desk.fail(address=f"10.0.{number}.1")
        desk.pass_s(60)
    desk.fail(address="10.1.0.1")
    assert desk.wait_s(address=None) > 0

    desk.logins.forgive("maria")

    assert desk.wait_s(address=None) == 0


def test_throttled_login_over_http(world: World) -> None:
    """429 with Retry-After, the same for a name that exists and one that does not."""
    api = Api(world)
    api.accounts.add_user("maria", Role.VIEWER, PASSWORD)

    answers = {name: [login(api, name, "wrong") for _ in range(6)] for name in ("maria", "nobody")}

    for name, tried in answers.items():
        assert [answer.status_code for answer in tried] == [401] * 5 + [429], name
        assert int(tried[-1].headers["Retry-After"]) == 1
        assert tried[-1].json["code"] == "too_many_logins"
    same = [
        {key: value for key, value in answer.json.items() if key != "requestId"}
        for tried in zip(*answers.values(), strict=True)
        for answer in tried
    ]
    assert all(same[index] == same[index + 1] for index in range(0, len(same), 2))


@pytest.mark.parametrize(("proxies", "is_apart"), [("0", False), ("1", True), ("2", False)])
def test_clients_behind_a_proxy_are_told_apart(
    world: World,
    proxies: str,
    is_apart: bool,  # noqa: FBT001
) -> None:
    """Only the header of a proxy that we know of counts: nobody invents an address."""
    api = Api(world, settings={"ARCHIBALD_PROXIES": proxies})
    free = PATIENCE["address"].free

    def ask(name: str, client: str) -> int:
        headers = {"X-Forwarded-For": client}
        body = {"username": name, "password": "wrong"}
        status: int = api.client.post("/api/auth/login", json=body, headers=headers).status_code
        return status

    for number in range(free):
        assert ask(f"user-{number}", HERE) == 401

    assert ask("one-more", HERE) == 429
    assert (ask("and-more", THERE) == 401) is is_apart


def test_flood_of_logins_leaves_threads_free() -> None:
    """Beyond those that hash and those that wait, a login is refused at once."""
    passwords = Passwords(at_once=1, waiting=1)
    inside, leave = threading.Event(), threading.Event()
    refused: list[LoginThrottledError] = []

    def hash_slowly() -> None:
        with passwords.place():
            inside.set()
            leave.wait(30)

    def wait_for_a_place() -> None:
        with passwords.place():
            pass

    slow = threading.Thread(target=hash_slowly)
    slow.start()
    assert inside.wait(30)
    # One of several may wait; each of the others is refused while the place is taken.
    waiting = [threading.Thread(target=_collect, args=(wait_for_a_place, refused)) for _ in "123"]
    for thread in waiting:
        thread.start()
    for thread in waiting[:]:
        thread.join(0.5)
    leave.set()
    for thread in (slow, *waiting):
        thread.join(30)

    assert len(refused) == 2
    assert all(error.retry_after_s == 1 for error in refused)
    with passwords.place():
        pass  # every place has been given back


def _collect(work: object, refused: list[LoginThrottledError]) -> None:
    assert callable(work)
    try:
        work()
    except LoginThrottledError as error:
        refused.append(error)


def test_outdated_hash_is_renewed_with_the_login(world: World) -> None:
    """A stronger setting reaches each user with the next login, and ends no token."""
    users = SqliteAccounts(world.database, world.clock)
    weak = "$argon2id$v=19$m=8,t=1,p=1$"  # parameters of long ago
    accounts = AccountService(users)
    user, _ = accounts.add_user("maria", Role.VIEWER, PASSWORD)
    users.rehash(user.id, users.password_hash(user.id), _weakly_hashed(PASSWORD))
    assert users.password_hash(user.id).startswith(weak)

    assert accounts.log_in("maria", PASSWORD) == user

    assert not users.password_hash(user.id).startswith(weak)
    assert accounts.log_in("maria", PASSWORD) == user


def _weakly_hashed(password: str) -> str:
    from argon2 import PasswordHasher  # noqa: PLC0415  # only this test makes a weak one

    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password)


def test_disabled_user_is_refused_like_a_wrong_password(desk: Desk) -> None:
    """Nothing tells that an account exists."""
    desk.accounts.disable_user("maria")

    with pytest.raises(AuthError, match="name or password is wrong"):
        desk.logins.log_in("maria", PASSWORD, HERE)


@pytest.mark.parametrize("password", ["", "short", "x" * 257])
def test_password_must_fit(desk: Desk, password: str) -> None:
    """What cannot be a password is named, and nobody is added."""
    with pytest.raises(InvalidInputError, match="12 to 256"):
        desk.accounts.add_user("new", Role.VIEWER, password)
    assert [user.name for user in desk.accounts.users()] == ["maria"]
