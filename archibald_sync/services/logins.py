"""Logging in, with a delay that grows with every failure.

An account fails a few times for free, then each failure doubles the wait, up to a
minute: guessing is hopeless, and a stranger cannot lock an owner out for long. An
address, behind which many people may sit, has more for free and then waits longer.

A login counts before its password is looked at: where one more failure would mean to wait,
one password at a time is looked at, however many are sent at once.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from archibald_sync.domain.access import Patience
from archibald_sync.domain.addresses import network_of
from archibald_sync.errors import AuthError, LoginThrottledError

if TYPE_CHECKING:
    from archibald_sync.domain.access_ports import LoginFailures
    from archibald_sync.domain.models import User
    from archibald_sync.services.accounts import AccountService

PATIENCE = {"account": Patience(5, 60), "address": Patience(20, 900)}


class LoginService:
    """Checks passwords of those who have not failed too often."""

    def __init__(self, accounts: AccountService, failures: LoginFailures) -> None:
        """Check with ``accounts``, and remember in ``failures`` who failed."""
        self._accounts = accounts
        self._failures = failures

    def log_in(self, name: str, password: str, address: str | None) -> User:
        """Return the user whose password this is.

        Args:
            name: The account, which need not exist: it is throttled all the same.
            password: As given.
            address: Where the request comes from, if that is known.

        Raises:
            AuthError: Name or password is wrong; which of them is not told.
            LoginThrottledError: There were too many failures, or too many log in at once.
        """
        subjects = _subjects(name, address)
        if wait_s := self._failures.begin(subjects, PATIENCE):
            raise LoginThrottledError(wait_s)
        has_failed = False
        try:
            user = self._accounts.log_in(name, password)
        except LoginThrottledError:
            raise  # the password was not looked at
        except AuthError:
            has_failed = True
            raise
        finally:
            self._failures.end(subjects, PATIENCE, has_failed=has_failed)
        # Only the account's: who owns one account must not guess at others for free.
        if self._failures.of("account", subjects["account"]).count:
            self._failures.clear("account", subjects["account"])
        return user

    def forgive(self, name: str) -> None:
        """Forget the failures of an account."""
        self._failures.clear("account", _subjects(name, None)["account"])


def _subjects(name: str, address: str | None) -> dict[str, str]:
    """Return what is throttled by kind; no names, since one may be a misplaced password."""
    account = hashlib.sha256(name.casefold().encode()).hexdigest()
    found = {"account": account}
    return {**found, "address": network_of(address)} if address else found
