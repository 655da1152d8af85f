"""What a request works with: the services, its own id, its headers.

The services are described here as far as the API uses them, so that nothing in this
package needs to know who made them.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Protocol

from flask import current_app, request

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

    from flask import Flask

    from archibald_sync.config import Settings
    from archibald_sync.domain.resources import Resource
    from archibald_sync.services.accounts import AccountService
    from archibald_sync.services.audit import AuditService
    from archibald_sync.services.catalogue import CatalogueService
    from archibald_sync.services.feed import StatusFeed
    from archibald_sync.services.keys import KeyService
    from archibald_sync.services.logins import LoginService
    from archibald_sync.services.monitoring import MonitoringService
    from archibald_sync.services.overview import OverviewService
    from archibald_sync.services.priority import PriorityManager
    from archibald_sync.services.schedule import ScheduleService
    from archibald_sync.services.tokens import TokenService

EXTENSION = "archibald_sync.web"

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID_KEY = "archibald_sync.request_id"


class ResourceServices(Protocol):
    """What can be asked about one resource, and of its owner."""

    @property
    def resource(self) -> Resource:
        """Return the declaration of the resource."""

    @property
    def schedule(self) -> ScheduleService:
        """Return whom to ask for start, stop and run."""

    @property
    def monitoring(self) -> MonitoringService:
        """Return whom to ask how things stand."""

    @property
    def catalogue(self) -> CatalogueService:
        """Return whom to ask about the records themselves."""

    @property
    def overview(self) -> OverviewService:
        """Return whom to ask about the past at a glance."""

    @property
    def feed(self) -> StatusFeed:
        """Return who tells when the status changes."""


class AccessServices(Protocol):
    """Who gets in, with what, and what is remembered of it."""

    @property
    def logins(self) -> LoginService:
        """Return whom to ask about passwords."""

    @property
    def tokens(self) -> TokenService:
        """Return whom to ask about logins that go on."""

    @property
    def keys(self) -> KeyService:
        """Return whom to ask about API keys."""

    @property
    def audit(self) -> AuditService:
        """Return who remembers what was done."""


class Services(Protocol):
    """Everything that the API is built on."""

    @property
    def settings(self) -> Settings:
        """Return the settings of this process."""

    @property
    def resources(self) -> Mapping[str, ResourceServices]:
        """Return the services of each resource by its name."""

    @property
    def accounts(self) -> AccountService:
        """Return whom to ask about users."""

    @property
    def access(self) -> AccessServices:
        """Return whom to ask about logins, tokens and keys, and who remembers."""

    @property
    def priority(self) -> PriorityManager:
        """Return whom to ask about priority leases."""


def init_app(app: Flask, services: Services) -> None:
    """Keep ``services`` for the requests of ``app``."""
    app.extensions[EXTENSION] = services


def services() -> Services:
    """Return the services of the current application."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def header(name: str) -> str | None:
    """Return a header of this request by its name in the environment: ``HTTP_X_API_KEY``."""
    found: str | None = request.environ.get(name)
    return found


def request_id() -> str:
    """Return the id of this request."""
    return request_id_of(request.environ)


def request_id_of(environ: WSGIEnvironment) -> str:
    """Return the id of a request: the client's, if it is a short token, else one of our own."""
    known: str | None = environ.get(_REQUEST_ID_KEY)
    if known is None:
        given = environ.get("HTTP_X_REQUEST_ID")
        known = given if given and _REQUEST_ID.fullmatch(given) else new_request_id()
        environ[_REQUEST_ID_KEY] = known
    return known


def new_request_id() -> str:
    """Return an id for a request that brings none."""
    return f"{random.getrandbits(128):032x}"  # a name, and no secret
