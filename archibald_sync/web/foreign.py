"""Tokens of a neighbouring backend: off unless configured, and strict.

The algorithm is the configured one and no other, so that a public key can never serve as
a shared secret. Their role counts only where it is mapped to one of ours.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

import jwt
from werkzeug.exceptions import Forbidden

from archibald_sync.domain.access import Caller, CallerKind
from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError, ConfigError, ConfigFault

if TYPE_CHECKING:
    from archibald_sync.config import ForeignTokens

_NEEDED = ["exp", "iat", "jti", "iss", "aud"]
_LEEWAY_S = 10  # two machines' clocks
_MIN_RSA_BITS = 2048
_MAX_SUBJECT = 64
_UNPRINTABLE = re.compile(r"[^!-~]")


class ForeignVerifier:
    """Tells who shows a token of the neighbouring backend."""

    def __init__(self, foreign: ForeignTokens) -> None:
        """Believe what ``foreign`` describes.

        Raises:
            ConfigError: The public key is none for the algorithm, or is too weak.
        """
        self._foreign = foreign
        self._key = foreign.key if foreign.algorithm == "HS256" else _public_key(foreign)

    def is_meant(self, token: str) -> bool:
        """Return whether ``token`` claims to be theirs; nothing is verified yet."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            return False
        return claims.get("iss") == self._foreign.issuer

    def caller(self, token: str) -> Caller:
        """Return who shows ``token``.

        Raises:
            AuthError: It is wrong, incomplete or expired.
            Forbidden: No role of ours belongs to theirs.
        """
        claims = self._verified(token)
        subject = claims.get(self._foreign.subject_claim)
        if not isinstance(subject, str) or not subject or not claims["jti"]:
            raise AuthError("the access token says nothing about who shows it")
        shown = _UNPRINTABLE.sub("?", subject)[:_MAX_SUBJECT]
        digest = hashlib.sha256(subject.encode(errors="surrogatepass")).hexdigest()[:32]
        role = self._role(claims.get(self._foreign.role_claim))
        return Caller(CallerKind.FOREIGN, f"foreign-{digest}", f"foreign:{shown}", role)

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key,
                algorithms=[self._foreign.algorithm],
                issuer=self._foreign.issuer,
                audience=self._foreign.audience,
                leeway=_LEEWAY_S,
                options={"require": _NEEDED},
            )
        except (jwt.PyJWTError, ValueError, RecursionError) as exc:
            raise AuthError("the access token is wrong or has expired; log in again") from exc
        return claims

    def _role(self, given: object) -> Role:
        """Return the most that any of their roles, one or a list, means here."""
        words = given if isinstance(given, list) else [given]
        ours = [
            Role(self._foreign.roles[word])
            for word in words
            if isinstance(word, str) and word in self._foreign.roles
        ]
        if not ours:
            raise Forbidden("no role of this token has a meaning here")
        return max(ours, key=list(Role).index)


def _public_key(foreign: ForeignTokens) -> Any:  # noqa: ANN401  # a type of the delayed import
    # Only who configures a public key pays for the import.
    from cryptography.hazmat.primitives.asymmetric.ec import (  # noqa: PLC0415  # see above
        SECP256R1,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    try:
        key = load_pem_public_key(foreign.key.encode())
    except Exception as exc:  # the library promises no common class; it is read once, at start
        raise _unfit("cannot be read") from exc
    if foreign.algorithm == "RS256":
        if not isinstance(key, RSAPublicKey) or key.key_size < _MIN_RSA_BITS:
            raise _unfit(f"is no RSA key of {_MIN_RSA_BITS} bits or more")
    elif not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise _unfit("is no key on the curve P-256")
    return key


def _unfit(problem: str) -> ConfigError:
    setting = "ARCHIBALD_FOREIGN_JWT_PUBLIC_KEY_FILE"
    return ConfigError([ConfigFault(setting, problem, "give the key that fits the algorithm")])
