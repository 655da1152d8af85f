"""Claims of tokens that were verified a moment ago: what is remembered, and for how long."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from archibald_sync.errors import AuthError
from archibald_sync.web.claims import VerifiedClaims

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN = "header.payload.signature"


class Verifier:
    """Verifies everything but what is called forged, and counts how often it was asked."""

    def __init__(self, *, expires_in_s: float = 600) -> None:
        """Say that each token expires in so many seconds."""
        self.asked: list[str] = []
        self.expires_in_s = expires_in_s

    def __call__(self, token: str) -> dict[str, Any]:
        """Return claims that name the token."""
        self.asked.append(token)
        if token == "forged":
            raise AuthError("forged")
        return {"jti": token, "exp": time.time() + self.expires_in_s}


def test_a_token_is_verified_once() -> None:
    """Until the time is over a token says what it said when it was verified."""
    verifier = Verifier()
    claims = VerifiedClaims(verifier)

    said = [claims.of(TOKEN)["jti"] for _ in range(5)]

    assert said == [TOKEN] * 5
    assert verifier.asked == [TOKEN]


def test_a_token_is_verified_again_after_a_while() -> None:
    """Nothing is believed for longer than was said."""
    verifier = Verifier()
    claims = VerifiedClaims(verifier, remembered_s=0)

    claims.of(TOKEN)
    claims.of(TOKEN)

    assert verifier.asked == [TOKEN, TOKEN]


def test_expiry_is_looked_at_on_each_use() -> None:
    """A token that has expired since is the verifier's to refuse."""
    verifier = Verifier(expires_in_s=-1)
    claims = VerifiedClaims(verifier, remembered_s=60)

    claims.of(TOKEN)
    claims.of(TOKEN)

    assert verifier.asked == [TOKEN, TOKEN]


def test_a_refused_token_is_refused_each_time() -> None:
    """A refusal is neither remembered nor forgotten."""
    verifier = Verifier()
    claims = VerifiedClaims(verifier)

    for _ in range(2):
        with pytest.raises(AuthError):
            claims.of("forged")

    assert verifier.asked == ["forged", "forged"]


@pytest.mark.parametrize("change", ["header.payload.signaturE", TOKEN + "=", " " + TOKEN, "\ud800"])
def test_another_text_is_another_token(change: str) -> None:
    """What was verified says nothing about a text that differs in one character."""
    verifier = Verifier()
    claims = VerifiedClaims(verifier)

    claims.of(TOKEN)
    claims.of(change)

    assert verifier.asked == [TOKEN, change]


def test_the_token_not_seen_for_longest_is_forgotten() -> None:
    """Memory does not grow with the number of tokens."""
    verifier = Verifier()
    claims = VerifiedClaims(verifier, most=2)

    for token in ("a", "b", "a", "c", "a", "b"):
        claims.of(token)

    assert verifier.asked == ["a", "b", "c", "b"]


def test_no_token_is_kept() -> None:
    """What is remembered holds no token, only what it hashes to."""
    claims = VerifiedClaims(lambda _token: {"exp": time.time() + 60})

    claims.of(TOKEN)

    assert TOKEN not in repr(vars(claims))
    assert TOKEN.encode() not in repr(vars(claims)).encode()


def test_threads_share_what_is_remembered() -> None:
    """Many threads with more tokens than are remembered get the right claims each time."""
    claims = VerifiedClaims(Verifier(), most=3)
    wrong: list[str] = []

    def ask(first: int) -> None:
        for number in range(300):
            token = str((first + number) % 7)
            if claims.of(token)["jti"] != token:
                wrong.append(token)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


class Bound(int):
    """A bound, at whose first comparison something happens meanwhile."""

    meanwhile: Callable[[], object] | None = None

    def __lt__(self, other: int) -> bool:
        """Compare, after what happens meanwhile."""
        happening, self.meanwhile = self.meanwhile, None
        if happening is not None:
            happening()
        return super().__lt__(other)


def test_no_more_is_forgotten_than_must_be() -> None:
    """Two threads that make room at once make it one after the other, each for its token."""
    verifier, most = Verifier(), Bound(2)
    claims = VerifiedClaims(verifier, most=most)
    for token in ("a", "b"):
        claims.of(token)
    other = threading.Thread(target=claims.of, args=("d",))

    def let_the_other_go_first() -> None:
        other.start()
        other.join(0.3)  # it cannot end: the room is being made

    most.meanwhile = let_the_other_go_first
    claims.of("c")
    other.join()
    claims.of("c")
    claims.of("d")

    assert verifier.asked == ["a", "b", "c", "d"]
