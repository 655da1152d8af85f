"""The OpenAPI document, written from the schemas that check requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask_smorest

from archibald_sync import __version__
from archibald_sync.web.problems import ProblemSchema
from archibald_sync.web.security import SECURITY_SCHEMES, public

if TYPE_CHECKING:
    from flask import Flask

_CONFIG = {
    "API_TITLE": "archibald-sync",
    "API_VERSION": __version__,
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/api",
    "OPENAPI_JSON_PATH": "openapi.json",
}
_DOCUMENT_ENDPOINT = "api-docs.openapi_json"


class Api(flask_smorest.Api):  # type: ignore[misc]  # the library has no types
    """flask-smorest's API, with errors described as what they are: problems."""

    ERROR_SCHEMA = ProblemSchema
    DEFAULT_ERROR_RESPONSE_NAME = None


def make_api(app: Flask) -> Api:
    """Return the API of ``app``, to register blueprints with."""
    app.config.update(_CONFIG)
    api = Api(app)
    for name, scheme in SECURITY_SCHEMES.items():
        api.spec.components.security_scheme(name, scheme)
    app.view_functions[_DOCUMENT_ENDPOINT] = public(app.view_functions[_DOCUMENT_ENDPOINT])
    return api
