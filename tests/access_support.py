"""What the tests of access share: tokens of every kind, good and bad."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from support import quick_passwords
from web_support import SECRET, Api

from archibald_sync.domain.models import Role
from archibald_sync.errors import AuthError, LoginThrottledError
from archibald_sync.services.accounts import AccountService
from archibald_sync.services.logins import LoginService
from archibald_sync.storage.accounts import SqliteAccounts
from archibald_sync.storage.throttle import SqliteLoginFailures
from archibald_sync.web.security import declared_permission, is_for_persons

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support import SteppedClock, World

    from archibald_sync.domain.models import User
    from archibald_sync.services.passwords import Passwords

PASSWORD = "correct horse battery"
HERE = "10.0.0.1"
FOREIGN_SECRET = "the neighbour's secret, long enough for HS256"
FOREIGN = {
    "ARCHIBALD_FOREIGN_JWT_ISSUER": "https://shop.example.com",
    "ARCHIBALD_FOREIGN_JWT_AUDIENCE": "catalogue",
    "ARCHIBALD_FOREIGN_JWT_SECRET": FOREIGN_SECRET,
    "ARCHIBALD_FOREIGN_JWT_ROLES": "sales=viewer,office=operator,boss=admin",
}


@dataclass(frozen=True)
class Route:
    """One method of one route, with a path that can be asked for."""

    method: str
    path: str
    rule: str
    endpoint: str
    permission: str | None
    is_for_persons: bool

    @property
    def is_page(self) -> bool:
        """Return whether it is a page for people, and no part of the API."""
        return self.endpoint.startswith("pages")


def routes(api: Api) -> list[Route]:
    """Return every method of every route of ours, by walking the URL map."""
    return [
        Route(
            method,
            re.sub(r"<[^>]+>", "1", rule.rule),
            re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule),
            rule.endpoint,
            declared_permission(api.app.view_functions[rule.endpoint]),
            is_for_persons(api.app.view_functions[rule.endpoint]),
        )
        for rule in api.app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if rule.endpoint != "static"
    ]


def claims_of(user: User, **changes: object) -> dict[str, Any]:
    """Return the claims of a good token of ``user``, with ``changes``; None leaves one out."""
    now = int(time.time())
    good = {
        "sub": str(user.id),
        "gen": user.token_generation,
        "iat": now,
        "exp": now + 600,
        "jti": "one",
        "iss": "archibald-sync",
        "aud": "archibald-sync",
        "type": "access",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def foreign_claims(**changes: object) -> dict[str, Any]:
    """Return the claims of a good token of the neighbour; None leaves one out."""
    now = int(time.time())
    good = {
        "sub": "maria",
        "role": "sales",
        "iat": now,
        "exp": now + 600,
        "jti": "one",
        "iss": FOREIGN["ARCHIBALD_FOREIGN_JWT_ISSUER"],
        "aud": FOREIGN["ARCHIBALD_FOREIGN_JWT_AUDIENCE"],
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not None}


def signed(claims: dict[str, Any], secret: Any = SECRET, algorithm: str = "HS256") -> str:  # noqa: ANN401  # a secret or a private key
    """Return a token."""
    return jwt.encode(claims, secret, algorithm=algorithm)


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries ``token``."""
    return {"Authorization": f"Bearer {token}"}


def key_of(api: Api, role: Role, owner: User | None = None) -> tuple[int, str]:
    """Return id and secret of a new key of ``role``."""
    owner = owner or api.user(Role.ADMIN)
    key, secret = api.access.keys.add(f"key-of-{owner.name}", role, owner)
    return key.id, secret


def login(api: Api, name: str, password: str = PASSWORD, **more: object) -> Any:  # noqa: ANN401  # a test answer
    """Log in over HTTP and return the answer."""
    body = {"username": name, "password": password, **more}
    return api.client.post("/api/auth/login", json=body)


def logged_in(api: Api, role: Role = Role.VIEWER, name: str = "maria") -> Mapping[str, Any]:
    """Add a user, log in and return the body of the answer."""
    api.accounts.add_user(name, role, PASSWORD)
    answer = login(api, name)
    assert answer.status_code == 200, answer.text
    body: Mapping[str, Any] = answer.json
    return body


class Desk:
    """A login service over real databases, with a clock that the test sets."""

    def __init__(
        self,
        world: World,
        clock: SteppedClock,
        max_subjects: int = 100,
        passwords: Passwords | None = None,
    ) -> None:
        """Add the user maria."""
        self.clock = clock
        self.database = world.access_database
        self.users = SqliteAccounts(world.database, clock)
        self.accounts = AccountService(self.users, passwords or quick_passwords())
        self.failures = SqliteLoginFailures(world.access_database, clock, max_subjects)
        self.logins = LoginService(self.accounts, self.failures)
        self.accounts.add_user("maria", Role.VIEWER, PASSWORD)

    def fail(self, name: str = "maria", address: str | None = HERE) -> None:
        """Log in with a wrong password, whose check is not skipped."""
        with pytest.raises(AuthError) as error:
            self.logins.log_in(name, "wrong", address)
        assert not isinstance(error.value, LoginThrottledError)

    def wait_s(self, name: str = "maria", address: str | None = HERE) -> int:
        """Return how long one must wait who logs in now with the right password; 0 if not."""
        try:
            self.logins.log_in(name, PASSWORD, address)
        except LoginThrottledError as error:
            return error.retry_after_s
        except AuthError:
            return 0
        return 0

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.wall += int(seconds * 1000)
