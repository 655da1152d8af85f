"""The API over real databases, as tests ask it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flask import Flask
from support import World, quick_passwords, wait_for

from archibald_sync import web
from archibald_sync.bootstrap import AccessServices, access_services
from archibald_sync.config import Settings, load_settings
from archibald_sync.domain.models import Role, User
from archibald_sync.domain.resources import PRODUCTS, Resource
from archibald_sync.services.accounts import AccountService
from archibald_sync.services.schedule import ScheduleService
from archibald_sync.storage.accounts import SqliteAccounts
from archibald_sync.web.tokens import issue_token

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.services.catalogue import CatalogueService
    from archibald_sync.services.feed import StatusFeed
    from archibald_sync.services.monitoring import MonitoringService
    from archibald_sync.services.overview import OverviewService
    from archibald_sync.services.passwords import Passwords
    from archibald_sync.services.priority import PriorityManager

SECRET = "a secret for tests, long enough for HS256"
SYNC = "/api/products/sync"
PROBLEM_KEYS = {"type", "title", "status", "detail", "code", "error", "requestId"}


@dataclass(frozen=True)
class OneResource:
    """The services of one resource."""

    resource: Resource
    schedule: ScheduleService
    monitoring: MonitoringService
    catalogue: CatalogueService
    overview: OverviewService
    feed: StatusFeed


@dataclass(frozen=True)
class AllServices:
    """The services that the API is built on."""

    settings: Settings
    resources: Mapping[str, OneResource]
    accounts: AccountService
    access: AccessServices
    priority: PriorityManager


class Api:
    """The API over the real databases of ``world``, with a user of each role."""

    def __init__(
        self,
        world: World,
        *,
        answer_wait_s: float = 0.1,
        settings: Mapping[str, str] | None = None,
        passwords: Passwords | None = None,
    ) -> None:
        """Build the application; an intent is waited for ``answer_wait_s`` seconds."""
        self.world = world
        self.users = SqliteAccounts(world.database, world.clock)
        schedule = ScheduleService(world.schedule, answer_wait_s=answer_wait_s)
        accounts = AccountService(self.users, passwords or quick_passwords())
        environ = {"JWT_SECRET_KEY": SECRET, **(settings or {})}
        services = AllServices(
            load_settings(environ, folder=world.folder),
            {
                PRODUCTS.name: OneResource(
                    PRODUCTS, schedule, world.monitoring, world.reading, world.overview, world.feed
                )
            },
            accounts,
            access_services(accounts, world.access_database, world.clock),
            world.priority,
        )
        self.accounts = services.accounts
        self.access = services.access
        self.app = Flask("archibald_sync")
        web.init_app(self.app, services)
        # Every answer here has JSON, which its type does not know.
        self.client: Any = self.app.test_client()

    @classmethod
    def with_owner(cls, world: World) -> Api:
        """Build the application, and let a real driver answer what it asks."""
        driver = world.driver()
        driver.start()
        wait_for(lambda: driver.is_owner)
        return cls(world, answer_wait_s=10)

    def user(self, role: Role) -> User:
        """Return a new user of ``role``, who cannot log in."""
        return self.users.add_user(f"{role}-{secrets.token_hex(4)}", "no hash", role)

    def token(self, user: User, ttl_s: float = 60) -> str:
        """Return a token of ``user``."""
        with self.app.app_context():
            return issue_token(user, ttl_s)

    def call(
        self,
        method: str,
        path: str,
        role: Role | None = Role.OPERATOR,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Ask as a new user of ``role``; None sends no token."""
        headers = dict(options.pop("headers", {}))
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(self.user(role))}"
        return self.client.open(path, method=method, headers=headers, **options)
