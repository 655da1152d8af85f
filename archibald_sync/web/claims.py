"""Claims of tokens whose signature was verified a moment ago.

Verifying a signature costs more than everything else that a request asks for. What is
remembered is found by a digest, never by the token itself, for a bounded time and of a
bounded number of tokens. It says what a token says and no more: whether it has expired is
looked at on each use, and whether it still counts is for the database to say.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Claims = Mapping[str, Any]

REMEMBERED_S = 60
MOST_TOKENS = 2048


class VerifiedClaims:
    """Verifies tokens, and remembers what they said."""

    def __init__(
        self,
        verify: Callable[[str], Claims],
        *,
        remembered_s: float = REMEMBERED_S,
        most: int = MOST_TOKENS,
    ) -> None:
        """Ask ``verify`` about each token at least every ``remembered_s`` seconds.

        Args:
            verify: Returns the claims of a token, among them ``exp``, or raises.
            remembered_s: For how long the signature is not verified again.
            most: How many tokens are remembered; the one not seen for longest is forgotten.
        """
        self._verify = verify
        self._remembered_s = remembered_s
        self._most = most
        self._kept: OrderedDict[bytes, tuple[float, Claims]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, token: str) -> Claims:
        """Return the claims of ``token``, which must not be changed.

        Raises:
            Exception: What ``verify`` raises; a token that is refused is not remembered.
        """
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        kept = self._kept.get(digest)
        if kept is not None and time.monotonic() < kept[0] and time.time() < kept[1]["exp"]:
            self._touch(digest)
            return kept[1]
        claims = self._verify(token)
        self._keep(digest, claims)
        return claims

    def _touch(self, digest: bytes) -> None:
        with self._lock:
            if digest in self._kept:  # another thread may have forgotten it
                self._kept.move_to_end(digest)

    def _keep(self, digest: bytes, claims: Claims) -> None:
        with self._lock:
            self._kept[digest] = (time.monotonic() + self._remembered_s, claims)
            self._kept.move_to_end(digest)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
