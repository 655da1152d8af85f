"""Blueprints that read requests strictly: JSON or nothing, and 400 for what is wrong."""

from __future__ import annotations

from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

import flask_smorest
import orjson
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from archibald_sync.errors import InvalidInputError

if TYPE_CHECKING:
    from flask import Request


class StrictParser(FlaskParser):
    """Reads a body as JSON whatever its length, and refuses every other content type."""

    DEFAULT_VALIDATION_STATUS = 400

    def _raw_load_json(self, req: Request) -> Any:  # noqa: ANN401
        """Return the body; no body is an object without keys."""
        body = req.get_data(cache=True)
        if len(body) == req.max_content_length and req.content_length is None:
            # A body of unknown length was cut off at the limit; only reading on says 413.
            req.stream.read(1)
        if not body:
            return {}
        if not is_json(req.mimetype):
            raise UnsupportedMediaType("send JSON, with Content-Type: application/json")
        try:
            return orjson.loads(body)
        except JSONDecodeError as exc:
            raise InvalidInputError("body", "expected valid JSON") from exc


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]  # the library has no types
    """A blueprint whose views take what `StrictParser` accepts."""

    ARGUMENTS_PARSER = StrictParser()
