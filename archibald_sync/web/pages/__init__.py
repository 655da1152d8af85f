"""The pages for people: what the API tells and does, to be seen and clicked.

Every page is rendered here, from the same services as the API; what changes something
is sent to the API by the page's script. One set of pages a resource, under its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint

from archibald_sync.web.pages import (
    account,
    admin,
    assets,
    catalogue,
    changes,
    filters,
    history,
    language,
    layout,
    overview,
    priority,
    records,  # noqa: F401  # adds its routes to those of the catalogue
    refusals,
    session,
)
from archibald_sync.web.pages.layout import GENERAL, of_resource

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flask import Flask

# A page is a module with a blueprint `bp`; these are registered once a resource …
OF_RESOURCE = (overview.bp, history.bp, catalogue.bp, changes.bp)
# … and these once.
OF_ALL = (session.bp, priority.bp, admin.bp, account.bp)


def init_app(app: Flask, resources: Iterable[str]) -> None:
    """Add the pages to ``app``: those of each of ``resources``, and those for all."""
    language.init_app(app)
    layout.init_app(app)
    assets.init_app(app)
    filters.init_app(app)
    _register(app, GENERAL, "", OF_ALL)
    for name in resources:
        _register(app, of_resource(name), f"/{name}", OF_RESOURCE)


def _register(app: Flask, name: str, prefix: str, children: tuple[Blueprint, ...]) -> None:
    parent = Blueprint(
        name, "archibald_sync.web", url_prefix=prefix or None, template_folder="templates"
    )
    for child in children:
        parent.register_blueprint(child)
    parent.context_processor(layout.context)
    parent.after_request(refusals.protect)
    parent.register_error_handler(Exception, refusals.show)
    app.register_blueprint(parent)
