"""Blueprints that read requests strictly: JSON or nothing, and 400 for what is wrong."""

from __future__ import annotations

from functools import partial, wraps
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, TypeVar

import flask_smorest
import orjson
from webargs.core import is_json
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from archibald_sync.errors import InvalidInputError
from archibald_sync.web.delivery import tagged

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Request, Response


View = TypeVar("View", bound="Callable[..., Any]")


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

    def etag(self, view: Callable[..., Response]) -> Callable[..., Response]:
        """Tag the answers of a view, so that an unchanged one is not sent again.

        The library describes this in the document; what it does would hash what it has
        dumped, and not know its own tags again once they are compressed or weak.
        """

        @wraps(super().etag(view))
        def tagging(*args: Any, **kwargs: Any) -> Response:  # noqa: ANN401  # as the view has them
            return tagged(view(*args, **kwargs))

        return tagging

    def describe(self, status: int, schema: Any, **more: Any) -> Callable[[View], View]:  # noqa: ANN401  # as the library has them
        """Describe what a view answers, as ``response`` does, but let the view answer itself.

        What is asked for most often costs a fraction of a dump by its schema; a test
        holds the two against each other.
        """
        return partial(_described, decorate=self.response(status, schema, **more))

    @staticmethod
    def doc(**members: Any) -> Callable[[View], View]:  # noqa: ANN401  # as the library has them
        """Add to the description of a view."""
        return partial(_described, decorate=flask_smorest.Blueprint.doc(**members))


def _described(view: View, decorate: Callable[[View], View]) -> View:
    """Keep what the library's decorator says of a view, without what it does at each request."""
    said = {name: value for name, value in vars(decorate(view)).items() if name != "__wrapped__"}
    vars(view).update(said)
    return view
