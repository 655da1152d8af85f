"""Tokens of a neighbouring backend: off unless configured, then strict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jwt
import pytest
from access_support import FOREIGN, FOREIGN_SECRET, bearer, foreign_claims, signed
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from web_support import SECRET, SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from support import World

# Not reckoned from now: the names of the tests must be the same in every process.
_LONG_AGO, _FAR_AHEAD = 1_000_000_000, 4_000_000_000


def _me(api: Api, token: str) -> Any:  # noqa: ANN401  # a test answer
    return api.client.get("/api/auth/me", headers=bearer(token))


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _private_key(algorithm: str) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey:
    if algorithm == "RS256":
        return rsa.generate_private_key(65537, 2048)
    return ec.generate_private_key(ec.SECP256R1())


def _public(folder: Path, algorithm: str, pem: str) -> Mapping[str, str]:
    """Return settings that name a public key."""
    path = folder / "neighbour.pem"
    path.write_text(pem)
    settings = {**FOREIGN, "ARCHIBALD_FOREIGN_JWT_ALGORITHM": algorithm}
    settings.pop("ARCHIBALD_FOREIGN_JWT_SECRET")
    return {**settings, "ARCHIBALD_FOREIGN_JWT_PUBLIC_KEY_FILE": str(path)}


def test_off_by_default(world: World) -> None:
    """Without settings a token of somebody else is just a wrong token."""
    assert _me(Api(world), signed(foreign_claims(), FOREIGN_SECRET)).status_code == 401


def test_shared_secret_lets_in(world: World) -> None:
    """A good token gets the role that its own is mapped to."""
    answer = _me(Api(world, settings=FOREIGN), signed(foreign_claims(), FOREIGN_SECRET))

    assert (answer.status_code, answer.json) == (200, {"name": "foreign:maria", "role": "viewer"})


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_public_key_lets_in(world: World, algorithm: str) -> None:
    """Signatures of the neighbour's private key count; nothing else of the kind does."""
    key, other = _private_key(algorithm), _private_key(algorithm)
    pem = _pem(key)
    api = Api(world, settings=_public(world.folder, algorithm, pem))

    assert _me(api, signed(foreign_claims(), key, algorithm)).status_code == 200
    assert _me(api, signed(foreign_claims(), other, algorithm)).status_code == 401
    assert _me(api, signed(foreign_claims(), SECRET)).status_code == 401
    assert _me(api, signed(foreign_claims(), "", "none")).status_code == 401


def test_public_key_is_no_shared_secret(world: World) -> None:
    """The old trick of signing HS256 with the public key itself does not work."""
    key = rsa.generate_private_key(65537, 2048)
    pem = _pem(key)
    api = Api(world, settings=_public(world.folder, "RS256", pem))
    header = jwt.utils.base64url_encode(b'{"alg":"HS256","typ":"JWT"}')
    token = signed(foreign_claims(), "x" * 32)
    body = token.split(".")[1].encode()
    hmac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = hmac.sign(header + b"." + body, pem.encode())
    forged = b".".join((header, body, jwt.utils.base64url_encode(signature))).decode()

    assert _me(api, forged).status_code == 401


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("sales", "viewer"),
        ("office", "operator"),
        ("boss", "admin"),
        (["sales", "office", "unknown"], "operator"),
        ("admin", None),
        ("viewer", None),
        ([], None),
        ("", None),
        (7, None),
        ({"sales": True}, None),
        ([["sales"]], None),
        (None, None),
    ],
    ids=str,
)
def test_role_is_mapped_or_refused(world: World, role: object, expected: str | None) -> None:
    """A role without a meaning here is 403, whatever it is called."""
    api = Api(world, settings=FOREIGN)

    answer = _me(api, signed(foreign_claims(role=role), FOREIGN_SECRET))

    if expected is None:
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    else:
        assert answer.json["role"] == expected


def test_nobody_is_admin_by_default(world: World) -> None:
    """Without a mapping a neighbour's admin has no meaning here."""
    settings = {key: value for key, value in FOREIGN.items() if not key.endswith("ROLES")}
    api = Api(world, settings=settings)

    statuses = {
        role: _me(api, signed(foreign_claims(role=role), FOREIGN_SECRET)).status_code
        for role in ("viewer", "operator", "admin")
    }

    assert statuses == {"viewer": 200, "operator": 200, "admin": 403}


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": None},
        {"exp": _LONG_AGO},
        {"exp": "tomorrow"},
        {"iat": None},
        {"iat": _FAR_AHEAD},
        {"jti": None},
        {"jti": ""},
        {"aud": None},
        {"aud": "somebody-else"},
        {"aud": ["somebody", "else"]},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"nbf": _FAR_AHEAD},
        {"iss": None},
        {"iss": "https://shop.example.com.evil.example"},
    ],
    ids=str,
)
def test_incomplete_token_is_refused(world: World, changes: dict[str, Any]) -> None:
    """Signed by the neighbour is not enough: every claim must be there and right."""
    api = Api(world, settings=FOREIGN)

    assert _me(api, signed(foreign_claims(**changes), FOREIGN_SECRET)).status_code == 401


def test_neighbour_signs_no_token_of_ours(world: World) -> None:
    """Its secret makes nobody a user of ours, not even with our own name as issuer."""
    api = Api(world, settings=FOREIGN)
    user = api.user(Role.ADMIN)
    claims = foreign_claims(iss="archibald-sync", aud="archibald-sync", sub=str(user.id), gen=0)

    assert _me(api, signed(claims, FOREIGN_SECRET)).status_code == 401


def test_subject_comes_from_the_claim_that_is_configured(world: World) -> None:
    """What is shown and recorded is printable and short, and others are told apart."""
    settings = {**FOREIGN, "ARCHIBALD_FOREIGN_JWT_SUBJECT_CLAIM": "email"}
    api = Api(world, settings=settings)
    odd = "bob\n=1+1\x1b[31m" + "x" * 200

    answer = _me(api, signed(foreign_claims(email=odd, sub=None), FOREIGN_SECRET))

    assert answer.status_code == 200
    assert answer.json["name"].isprintable()
    assert len(answer.json["name"]) <= 80


def test_subject_that_is_no_text_is_somebody_all_the_same(world: World) -> None:
    """JSON can hold what UTF-8 cannot: it is no error of ours."""
    api = Api(world, settings=FOREIGN)

    answer = _me(api, signed(foreign_claims(sub="\ud800"), FOREIGN_SECRET))

    assert (answer.status_code, answer.json["name"]) == (200, "foreign:?")


def test_neighbours_operator_acts_under_its_name(world: World) -> None:
    """What it asks for is recorded with who asked."""
    api = Api(world, settings=FOREIGN, answer_wait_s=0.01)
    token = signed(foreign_claims(role="office"), FOREIGN_SECRET)

    assert api.client.post(f"{SYNC}/stop", headers=bearer(token)).status_code == 200

    asked = world.database.rows("SELECT requestedBy FROM intents")
    assert [row[0] for row in asked] == ["foreign:maria"]


@pytest.mark.parametrize(
    ("algorithm", "pem"),
    [
        ("RS256", _pem(ec.generate_private_key(ec.SECP256R1()))),
        ("RS256", _pem(rsa.generate_private_key(65537, 1024))),  # noqa: S505  # the point of the case
        ("ES256", _pem(rsa.generate_private_key(65537, 2048))),
        ("ES256", _pem(ec.generate_private_key(ec.SECP384R1()))),
        ("ES256", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ],
    ids=["ec-for-rsa", "short-rsa", "rsa-for-ec", "other-curve", "garbage"],
)
def test_unfit_key_keeps_the_service_from_starting(world: World, algorithm: str, pem: str) -> None:
    """A key that does not fit is told at the start, and not at the first request."""
    with pytest.raises(ConfigError, match="PUBLIC_KEY_FILE"):
        Api(world, settings=_public(world.folder, algorithm, pem))
