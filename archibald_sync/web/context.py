"""What a request works with: the services, its own id, the headers of each answer.

The services are described here as far as the API uses them, so that nothing in this
package needs to know who made them.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any, Protocol

from flask import current_app, g, request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from flask import Flask, Response

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
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Referrer-Policy", "no-referrer"),
)


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


class StaticHeaders:
    """Puts the headers that all answers have in common on each, where a view has not."""

    def __init__(self, wsgi_app: WSGIApplication) -> None:
        """Finish the answers of ``wsgi_app``."""
        self._wsgi_app = wsgi_app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:  # noqa: ANN401  # as WSGI has it
            present = {name.lower() for name, _ in headers}
            headers += [pair for pair in _HEADERS if pair[0].lower() not in present]
            return start_response(status, headers, *error)

        return self._wsgi_app(environ, start)


def init_app(app: Flask, services: Services) -> None:
    """Keep ``services`` for the requests of ``app``, and finish each of its answers."""
    app.extensions[EXTENSION] = services
    app.after_request(_name_request)
    # Assigned like this on purpose: it is how Flask has a middleware added.
    app.wsgi_app = StaticHeaders(app.wsgi_app)  # type: ignore[method-assign]  # see above


def services() -> Services:
    """Return the services of the current application."""
    found: Services = current_app.extensions[EXTENSION]
    return found


def header(name: str) -> str | None:
    """Return a header of this request by its name in the environment: ``HTTP_X_API_KEY``."""
    found: str | None = request.environ.get(name)
    return found


def request_id() -> str:
    """Return the id of this request: the client's, if it is a short token, else our own."""
    known: str | None = g.get("request_id")
    if known is None:
        given = header("HTTP_X_REQUEST_ID")
        g.request_id = known = given if given and _REQUEST_ID.fullmatch(given) else new_request_id()
    return known


def new_request_id() -> str:
    """Return an id for a request that brings none."""
    return f"{random.getrandbits(128):032x}"  # a name, and no secret


def _name_request(response: Response) -> Response:
    response.headers.add("X-Request-ID", request_id())
    return response
