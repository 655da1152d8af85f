"""HTTP: routes, schemas, permissions and errors.

It owns what the API looks like from outside. It knows neither SQL nor sources nor
how the services were put together: it is handed them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

from archibald_sync.web import (
    audit,
    auditing,
    auth,
    catalogue,
    context,
    delivery,
    docs,
    errors,
    events,
    health,
    keys,
    overview,  # noqa: F401  # adds its routes to those of sync
    pages,
    priority,
    provider,
    redirects,
    security,
    sync,
    users,
)
from archibald_sync.web.events import fit_seats
from archibald_sync.web.openapi import make_api

if TYPE_CHECKING:
    from flask import Flask

    from archibald_sync.web.context import Services

__all__ = ["fit_seats", "init_app"]

MAX_BODY_BYTES = 64 * 1024


def init_app(app: Flask, services: Services) -> None:
    """Add the API to ``app``, over ``services``."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # A preflight would be answered without asking who is there.
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.json = provider.OrjsonProvider(app)
    delivery.init_app(app)
    _trust_proxies(app, services.settings.proxies)
    context.init_app(app, services)
    redirects.init_app(app)
    security.init_app(app, services.settings)
    auditing.init_app(app)
    events.init_app(app, services.settings.event_clients)
    api = make_api(app)
    for one in services.resources.values():
        name = one.resource.name
        api.register_blueprint(sync.bp, name=name, url_prefix=f"/api/{name}/sync")
    catalogue.init_app(app, api, [one.resource for one in services.resources.values()])
    for bp in (priority.bp, auth.bp, users.bp, keys.bp, audit.bp, health.bp):
        api.register_blueprint(bp)
    docs.init_app(app)
    pages.init_app(app, services.resources)
    errors.init_app(app)


def _trust_proxies(app: Flask, count: int) -> None:
    """Believe what the last ``count`` proxies say about the client, and nobody else."""
    if count:
        # Assigned like this on purpose: it is how Flask has a middleware added.
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count)  # type: ignore[method-assign]  # see above
