"""Logins that are sent at the same moment: guesses are counted before they are looked at."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import pytest
from access_support import HERE, PASSWORD, Desk
from argon2 import PasswordHasher
from support import SteppedClock, World

from archibald_sync.domain.access import Failures
from archibald_sync.errors import AuthError, LoginThrottledError, StorageBusyError
from archibald_sync.services.accounts import AccountService
from archibald_sync.services.logins import PATIENCE, LoginService
from archibald_sync.services.passwords import Passwords

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support import FakeSource

AT_ONCE = 12


class SlowHasher(PasswordHasher):
    """Hashes quickly, and lets something happen while it looks at a password."""

    def __init__(self) -> None:
        """Let nothing happen until told otherwise."""
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.verified = 0
        self.meanwhile: Callable[[], object] = lambda: None

    def verify(self, *args: Any) -> Literal[True]:  # noqa: ANN401  # as argon2 has it
        """Verify, after what happens meanwhile has happened once."""
        self.verified += 1
        happening, self.meanwhile = self.meanwhile, lambda: None
        happening()
        return super().verify(*args)


@pytest.fixture
def hasher() -> SlowHasher:
    """Return what the passwords of the desk are hashed with."""
    return SlowHasher()


@pytest.fixture
def desk(tmp_path: Path, source: FakeSource, hasher: SlowHasher) -> Iterator[Desk]:
    """Return a login service whose clock stands still, and which could hash for everybody."""
    clock = SteppedClock()
    world = World(tmp_path, source, clock=clock)
    yield Desk(world, clock, passwords=Passwords(hasher, at_once=AT_ONCE))
    world.close()


def _answer(desk: Desk, password: str, address: str | None = None) -> str | int:
    """Log in; return the name, "wrong", or how many seconds to wait."""
    try:
        return desk.logins.log_in("maria", password, address).name
    except LoginThrottledError as error:
        return error.retry_after_s
    except AuthError:
        return "wrong"


def _burst(desk: Desk, password: str) -> list[str | int]:
    """Log in many times at once, and return the answers."""
    start, answers = threading.Barrier(AT_ONCE), []

    def ask(number: int) -> None:
        start.wait(30)
        answers.append(_answer(desk, password, f"10.1.{number}.1"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def _rows(desk: Desk) -> int:
    found: int = desk.database.rows("SELECT COUNT(*) FROM login_throttle")[0][0]
    return found


def _begin_and_die(desk: Desk) -> None:
    """Begin a login of the one account that has failed, of which nobody says how it ended."""
    row = desk.database.rows("SELECT kind, subject FROM login_throttle")[0]
    assert desk.failures.begin({row["kind"]: row["subject"]}, PATIENCE) == 0


def test_a_guess_during_a_guess_is_not_looked_at(desk: Desk, hasher: SlowHasher) -> None:
    """After the free ones there is one guess a wait, however many are sent at once."""
    for _ in range(5):
        desk.fail(address=None)
    desk.pass_s(1)
    during: list[str | int] = []
    hasher.meanwhile = lambda: during.append(_answer(desk, "another guess"))

    assert _answer(desk, "a guess") == "wrong"

    assert during == [1]
    assert hasher.verified == 6
    assert desk.wait_s(address=None) == 2


@pytest.mark.parametrize(("failed", "looked_at"), [(0, 5), (3, 2), (4, 1), (5, 1), (9, 1)])
def test_a_burst_of_guesses_passes_no_more_than_one_after_the_other(
    desk: Desk, hasher: SlowHasher, failed: int, looked_at: int
) -> None:
    """Guesses from everywhere at once are as few as guesses in a row."""
    for _ in range(failed):
        desk.fail(address=None)
        desk.pass_s(60)
    before = hasher.verified

    answers = _burst(desk, "a guess")

    assert hasher.verified - before == looked_at
    assert answers.count("wrong") == looked_at
    assert len([one for one in answers if isinstance(one, int)]) == AT_ONCE - looked_at


def test_two_honest_logins_at_once_are_both_let_in(desk: Desk, hasher: SlowHasher) -> None:
    """Who has made no mistake may open two pages."""
    during: list[str | int] = []
    hasher.meanwhile = lambda: during.append(_answer(desk, PASSWORD))

    assert _answer(desk, PASSWORD) == "maria"

    assert during == ["maria"]
    assert _rows(desk) == 0


def test_honest_logins_leave_nothing_behind(desk: Desk) -> None:
    """A success counts neither against the account nor against the address, and is forgotten."""
    for _ in range(PATIENCE["address"].free + 5):
        assert _answer(desk, PASSWORD, HERE) == "maria"

    assert desk.failures.of("address", HERE) == Failures()
    assert _rows(desk) == 0


def test_success_leaves_the_failures_of_an_address_as_they_were(desk: Desk) -> None:
    """Neither does it add to them, nor is a day without failures begun anew by it."""
    for number in range(3):
        desk.fail(f"user-{number}", HERE)
    desk.pass_s(23 * 3600)
    assert _answer(desk, PASSWORD, HERE) == "maria"

    assert desk.failures.of("address", HERE) == Failures(3)
    desk.pass_s(3601)
    assert desk.failures.of("address", HERE) == Failures()


def test_owner_who_logs_in_during_a_guess_excuses_no_guess(desk: Desk, hasher: SlowHasher) -> None:
    """What ends after the success counts from there on."""
    for _ in range(3):
        desk.fail(address=None)
    during: list[str | int] = []
    hasher.meanwhile = lambda: during.append(_answer(desk, PASSWORD))

    assert _answer(desk, "a guess", HERE) == "wrong"

    assert during == ["maria"]
    assert desk.failures.of("address", HERE) == Failures(1)
    for _ in range(4):
        desk.fail(address=None)
    assert desk.wait_s(address=None) == 1


def test_login_that_finds_no_place_counts_as_nothing(desk: Desk) -> None:
    """Nobody looked at the password: too many were hashed at that moment."""
    passwords = Passwords(at_once=1, waiting=0)
    with passwords.place():
        busy = LoginService(AccountService(desk.users, passwords), desk.failures)
        with pytest.raises(LoginThrottledError):
            busy.log_in("maria", "a guess", HERE)

    assert _rows(desk) == 0


def test_login_that_meets_a_database_in_trouble_counts_as_nothing(
    desk: Desk, hasher: SlowHasher
) -> None:
    """That the service could not tell is no failure of who logs in."""

    def get_into_trouble() -> None:
        raise StorageBusyError("busy")

    hasher.meanwhile = get_into_trouble
    with pytest.raises(StorageBusyError):
        desk.logins.log_in("maria", "a guess", HERE)

    assert _rows(desk) == 0


def test_login_whose_process_died_is_forgotten(desk: Desk) -> None:
    """Nobody says how it ended, and nobody waits for it for longer than some seconds."""
    for _ in range(4):
        desk.fail(address=None)
    _begin_and_die(desk)

    assert _answer(desk, PASSWORD) == 1
    desk.pass_s(15)
    assert _answer(desk, PASSWORD) == "maria"


def test_clock_set_back_during_a_login_keeps_nobody_waiting(desk: Desk) -> None:
    """What is under way until next year is no longer under way."""
    for _ in range(4):
        desk.fail(address=None)
    _begin_and_die(desk)
    desk.clock.wall -= 365 * 24 * 3600 * 1000

    assert _answer(desk, PASSWORD) == "maria"
