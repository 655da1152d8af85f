"""Passwords that two people change at once, and how many hashes a login costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from access_support import PASSWORD, bearer, logged_in, login
from argon2 import PasswordHasher
from web_support import Api

from archibald_sync.domain.models import Role
from archibald_sync.services.passwords import Passwords

if TYPE_CHECKING:
    from collections.abc import Callable

    from support import World

MINE, RESET = "the password I want", "the password of the admin"


class WatchedHasher(PasswordHasher):
    """Hashes quickly, counts what it verifies, and lets something happen before it hashes."""

    def __init__(self) -> None:
        """Let nothing happen until told otherwise."""
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def hash(self, *args: Any, **more: Any) -> str:  # noqa: ANN401  # as argon2 has it
        """Hash, after what happens meanwhile has happened once."""
        happening, self.meanwhile = self.meanwhile, lambda: None
        happening()
        return super().hash(*args, **more)

    def verify(self, *args: Any) -> Literal[True]:  # noqa: ANN401  # as argon2 has it
        """Verify, and count it."""
        self.verified += 1
        return super().verify(*args)


@pytest.fixture
def hasher() -> WatchedHasher:
    """Return what the passwords of the API are hashed with."""
    return WatchedHasher()


@pytest.fixture
def api(world: World, hasher: WatchedHasher) -> Api:
    """Return an API that shows how it hashes."""
    return Api(world, passwords=Passwords(hasher))


def _change(api: Api, header: dict[str, str], new: str) -> Any:  # noqa: ANN401  # a test answer
    body = {"oldPassword": PASSWORD, "newPassword": new}
    return api.client.post("/api/auth/password", headers=header, json=body)


def test_own_change_does_not_undo_a_reset(api: Api, hasher: WatchedHasher) -> None:
    """An admin shuts somebody out for good, who is changing the password at that moment."""
    header = bearer(logged_in(api)["accessToken"])
    hasher.meanwhile = lambda: api.accounts.reset_password("maria", RESET)

    answer = _change(api, header, MINE)

    assert (answer.status_code, answer.json["field"]) == (400, "oldPassword")
    assert [login(api, "maria", word).status_code for word in (MINE, PASSWORD, RESET)] == [
        401,
        401,
        200,
    ]


def test_own_change_does_not_outlive_a_disabling(api: Api, hasher: WatchedHasher) -> None:
    """Who is disabled meanwhile changes nothing, and is let in again with the old password."""
    header = bearer(logged_in(api)["accessToken"])
    hasher.meanwhile = lambda: api.accounts.disable_user("maria")

    assert _change(api, header, MINE).status_code == 400

    api.accounts.enable_user("maria")
    assert login(api, "maria", PASSWORD).status_code == 200


def test_one_of_two_changes_counts(api: Api, hasher: WatchedHasher) -> None:
    """The second of two changes that began with the same old password is refused."""
    header = bearer(logged_in(api)["accessToken"])
    first: list[int] = []
    hasher.meanwhile = lambda: first.append(_change(api, header, "the first to arrive").status_code)

    second = _change(api, header, MINE)

    assert (first, second.status_code) == ([204], 400)
    assert login(api, "maria", "the first to arrive").status_code == 200


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("maria", PASSWORD, 200),
        ("maria", "wrong", 401),
        ("nobody", PASSWORD, 401),
        ("disabled", PASSWORD, 401),
        ("disabled", "wrong", 401),
        ("maria", "w" * 5000, 401),
    ],
)
def test_each_login_verifies_one_hash(
    api: Api, hasher: WatchedHasher, name: str, password: str, status: int
) -> None:
    """How long the answer takes does not tell whether there is such a user."""
    api.accounts.add_user("maria", Role.VIEWER, PASSWORD)
    api.accounts.add_user("disabled", Role.VIEWER, PASSWORD)
    api.accounts.disable_user("disabled")

    for number in (1, 2):
        assert login(api, name, password).status_code == status
        assert hasher.verified == number
