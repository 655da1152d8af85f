"""The composition root: the only module that knows services, sources and storage at once."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import xxhash

from archibald_sync.clock import SystemClock
from archibald_sync.config import SECRET_FILE_NAME
from archibald_sync.domain.models import Role
from archibald_sync.domain.policy import RetryPolicy, SchedulePolicy, SessionLimits
from archibald_sync.domain.resources import RESOURCES
from archibald_sync.scheduler.background import SchedulerFactory, background_scheduler
from archibald_sync.scheduler.desk import Driven
from archibald_sync.scheduler.driver import Driver
from archibald_sync.scheduler.ownership import Ownership
from archibald_sync.services.accounts import AccountService
from archibald_sync.services.attempt import Mirror
from archibald_sync.services.audit import AuditService
from archibald_sync.services.catalogue import CatalogueService
from archibald_sync.services.feed import StatusFeed
from archibald_sync.services.journal import RunJournal
from archibald_sync.services.keys import KeyService
from archibald_sync.services.logins import LoginService
from archibald_sync.services.monitoring import MonitoringService
from archibald_sync.services.overview import OverviewService
from archibald_sync.services.priority import PriorityManager
from archibald_sync.services.schedule import ScheduleService
from archibald_sync.services.sync import SyncService
from archibald_sync.services.tokens import TokenService
from archibald_sync.sources.registry import load_guards, load_source, load_verify_every_hours
from archibald_sync.storage.accounts import SqliteAccounts
from archibald_sync.storage.audit import SqliteAuditLog
from archibald_sync.storage.catalogue import SqliteCatalogue
from archibald_sync.storage.catalogue_reader import SqliteCatalogueReader
from archibald_sync.storage.connection import Database
from archibald_sync.storage.history import SqliteHistory
from archibald_sync.storage.keys import SqliteApiKeys
from archibald_sync.storage.migrate import check_integrity, migrate
from archibald_sync.storage.overview import SqliteOverview
from archibald_sync.storage.owner import SqliteOwnerLeases
from archibald_sync.storage.plans import PlanFolder
from archibald_sync.storage.priority import SqlitePriorityLeases
from archibald_sync.storage.run_lines import SqliteRunLines
from archibald_sync.storage.schedule import SqliteSchedule
from archibald_sync.storage.search_index import SqliteSearchIndex
from archibald_sync.storage.spool import FileSpool
from archibald_sync.storage.throttle import SqliteLoginFailures
from archibald_sync.storage.tokens import SqliteTokenFamilies

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archibald_sync.clock import Clock
    from archibald_sync.config import Settings
    from archibald_sync.domain.ports import Source
    from archibald_sync.domain.resources import Resource


# Between two looks for the file a reader serves hundreds of requests.
_LOOKED_FOR_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class ResourceServices:
    """What can be asked about one resource, and of its owner."""

    resource: Resource
    schedule: ScheduleService
    monitoring: MonitoringService
    catalogue: CatalogueService
    overview: OverviewService
    feed: StatusFeed


@dataclass(frozen=True, slots=True)
class AccessServices:
    """Who gets in, with what, and what is remembered of it."""

    logins: LoginService
    tokens: TokenService
    keys: KeyService
    audit: AuditService


@dataclass(frozen=True, slots=True)
class Services:
    """What the web pages and the command line work with."""

    settings: Settings
    clock: Clock
    storage: Storage
    resources: Mapping[str, ResourceServices]
    accounts: AccountService
    access: AccessServices
    priority: PriorityManager


@dataclass(frozen=True, slots=True)
class Storage:
    """The databases of an instance.

    What an order needs stands apart from what a sync writes, so that it never waits for one.
    """

    main: Database
    priority: Database
    access: Database

    def has_changed(self) -> bool:
        """Return whether others wrote what a status tells since this thread last asked."""
        # Both are asked each time: an answer that was not heard is lost.
        return any([self.main.has_changed(), self.priority.has_changed()])

    def close(self) -> None:
        """Close this thread's connections."""
        self.main.close()
        self.priority.close()
        self.access.close()


def open_storage(settings: Settings) -> Storage:
    """Bring the databases of an instance up to date and return them.

    Raises:
        SchemaVersionError: A newer version wrote them.
        StorageCorruptError: One is damaged.
    """
    storage = Storage(
        main=_database(settings.database),
        priority=_database(settings.priority_database),
        access=_database(settings.access_database),
    )
    migrate(storage.main, "main", RESOURCES.values())
    migrate(storage.priority, "priority")
    migrate(storage.access, "access")
    check_integrity(storage.main)
    return storage


def _database(path: Path) -> Database:
    return Database(path, looked_for_every_s=_LOOKED_FOR_EVERY_S)


def build_services(settings: Settings, clock: Clock | None = None) -> Services:
    """Return the services over the databases of an instance; starts no thread.

    Raises:
        StorageError: A database cannot be used.
    """
    clock = clock or SystemClock()
    storage = open_storage(settings)
    resources = {
        name: _resource_services(resource, storage, clock) for name, resource in RESOURCES.items()
    }
    leases = SqlitePriorityLeases(storage.priority, clock)
    accounts = AccountService(SqliteAccounts(storage.main, clock))

    def is_quiet() -> bool:
        return all(one.monitoring.is_quiet() for one in resources.values())

    return Services(
        settings=settings,
        clock=clock,
        storage=storage,
        resources=resources,
        accounts=accounts,
        access=access_services(accounts, storage.access, clock),
        priority=PriorityManager(leases, is_quiet),
    )


def access_services(accounts: AccountService, access: Database, clock: Clock) -> AccessServices:
    """Return who decides about access, over ``accounts`` and the database ``access``."""
    return AccessServices(
        logins=LoginService(accounts, SqliteLoginFailures(access, clock)),
        tokens=TokenService(SqliteTokenFamilies(access, clock), clock),
        keys=KeyService(SqliteApiKeys(access), accounts, clock),
        audit=AuditService(SqliteAuditLog(access, clock), clock),
    )


def build_driver(
    services: Services,
    resource: Resource,
    *,
    has_schedule: bool = True,
    make_scheduler: SchedulerFactory = background_scheduler,
) -> Driver:
    """Return this process's part in driving ``resource``; it takes part once started.

    Raises:
        ConfigError: ``source.toml`` is missing or wrong.
    """
    settings, clock, main = services.settings, services.clock, services.storage.main
    history = SqliteHistory(main, clock, resource.name)
    schedule = SqliteSchedule(main, clock, resource.name)
    owner = SqliteOwnerLeases(main, clock, resource.name)
    mirror = Mirror(
        resource=resource,
        source=source_of(settings, resource),
        catalogue=SqliteCatalogue(main, clock, resource),
        history=history,
        guards=load_guards(resource, settings.source),
        digest=xxhash.xxh3_128_digest,
        spool=partial(FileSpool, settings.database.parent),
        plans=_plans(main),
        verify_every_hours=load_verify_every_hours(resource, settings.source),
    )
    sync = SyncService(
        mirror,
        transactions=main,
        schedule=schedule,
        owner=owner,
        priority=SqlitePriorityLeases(services.storage.priority, clock),
        journal=RunJournal(SqliteRunLines(main, resource.name)),
        retry=RetryPolicy(settings.sync_max_attempts, settings.sync_retry_delays_s),
        limits=SessionLimits(),
        clock=clock,
    )
    policy = SchedulePolicy(settings.sync_interval_minutes, settings.sync_initial_delay_s)
    index = SqliteSearchIndex(main, resource)
    driven = Driven(resource, sync, history, schedule, main, policy, clock, index)
    ownership = Ownership(settings.lock_file(resource.name), owner)
    return Driver(driven, ownership, has_schedule=has_schedule, make_scheduler=make_scheduler)


def source_of(settings: Settings, resource: Resource) -> Source:
    """Return the source of ``resource`` as ``source.toml`` declares it.

    Raises:
        ConfigError: The file is missing or wrong.
    """
    scratch = settings.database.parent
    return load_source(resource, settings.source, settings.environment, scratch)


def initialise(settings: Settings) -> str | None:
    """Make what an instance needs and lacks: folder, secret, databases, first admin.

    Returns:
        The password generated for the first admin; None where there are users already.

    Raises:
        OSError: The instance folder cannot be written.
        StorageError: A database cannot be used.
    """
    settings.instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not settings.jwt_secret_key:
        _make_secret(settings.instance / SECRET_FILE_NAME)
    services = build_services(settings)
    try:
        if services.accounts.users():
            return None
        _, password = services.accounts.add_user("admin", Role.ADMIN)
        return password
    finally:
        services.storage.close()


def _make_secret(path: Path) -> None:
    """Write a new secret; a crash leaves no half of it behind."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(secrets.token_urlsafe(48) + "\n", "utf-8")
    draft.replace(path)


def _plans(main: Database) -> PlanFolder:
    return PlanFolder(main.path.parent / "plans")


def _resource_services(resource: Resource, storage: Storage, clock: Clock) -> ResourceServices:
    main, name = storage.main, resource.name
    schedule = SqliteSchedule(main, clock, name)
    monitoring = MonitoringService(
        history=SqliteHistory(main, clock, name),
        schedule=schedule,
        owner=SqliteOwnerLeases(main, clock, name),
        priority=SqlitePriorityLeases(storage.priority, clock),
        catalogue=SqliteCatalogue(main, clock, resource),
        plans=_plans(main),
        transactions=main,
        clock=clock,
    )
    return ResourceServices(
        resource=resource,
        schedule=ScheduleService(schedule),
        monitoring=monitoring,
        overview=OverviewService(
            SqliteOverview(main, name), SqliteRunLines(main, name), monitoring.is_driven, clock
        ),
        feed=StatusFeed(monitoring.status, storage.has_changed, storage.close),
        catalogue=CatalogueService(resource, SqliteCatalogueReader(main, resource)),
    )
