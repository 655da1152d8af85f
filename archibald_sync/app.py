"""The Flask application, and the background work that goes with it."""

from __future__ import annotations

import os
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Flask

from archibald_sync import logs, web
from archibald_sync.bootstrap import build_driver, build_services
from archibald_sync.config import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.bootstrap import Services
    from archibald_sync.config import Settings
    from archibald_sync.scheduler.driver import Driver

EXTENSION = "archibald_sync"
BOOT_ID = "ARCHIBALD_BOOT_ID"


class Application(Flask):
    """A Flask application without asynchronous views, which need not be looked for each time."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func``: it is synchronous."""
        return func


class Background:
    """The drivers of this process: started after the last fork, stopped before the end."""

    def __init__(self, services: Services, drivers: dict[str, Driver]) -> None:
        """Keep ``drivers`` by resource, which may be none; nothing runs before ``start``."""
        self._services = services
        self._drivers = drivers

    @property
    def settings(self) -> Settings:
        """Return the settings of this process."""
        return self._services.settings

    def start(self) -> None:
        """Say that the service booted, and take part in driving; does nothing when repeated."""
        for one in self._services.resources.values():
            one.feed.resume()
        boot_id = os.environ.get(BOOT_ID) or str(uuid.uuid4())
        policy = self._services.settings.auto_sync
        for name, driver in self._drivers.items():
            schedule = self._services.resources[name].schedule
            driver.start(partial(schedule.boot, policy, boot_id))

    def request_stop(self) -> None:
        """Begin to stop without waiting; fit for a signal handler."""
        for one in self._services.resources.values():
            one.feed.request_stop()
        for driver in self._drivers.values():
            driver.request_stop()

    def stop(self) -> None:
        """Stop, and return when nothing works any more."""
        for one in self._services.resources.values():
            one.feed.request_stop()
        for driver in self._drivers.values():
            driver.stop()


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application; no thread runs before ``background(app).start()``.

    Args:
        settings: The settings; None means those of the environment.

    Raises:
        ConfigError: Settings or ``source.toml`` are wrong.
        StorageError: A database cannot be used.
    """
    settings = settings or load_settings()
    logs.configure(settings.log_format)
    services = build_services(settings)
    drivers = {}
    if settings.is_scheduler_on:
        drivers = {
            name: build_driver(services, one.resource) for name, one in services.resources.items()
        }
    app = Application("archibald_sync", static_folder=None)
    app.extensions[EXTENSION] = Background(services, drivers)
    web.init_app(app, services)
    # Whoever forks after this must not inherit an open connection.
    services.storage.close()
    return app


def background(app: Flask) -> Background:
    """Return the background work of an application made by ``create_app``."""
    found: Background = app.extensions[EXTENSION]
    return found


def fit_to_threads(app: Flask, threads: int) -> None:
    """Let no more clients follow the status than ``threads`` a process leave room for."""
    if background(app).settings.event_clients is None:
        web.fit_seats(app, threads)
