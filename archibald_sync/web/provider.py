"""JSON as orjson reads and writes it: fast, strict, UTF-8."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response
from flask.json.provider import JSONProvider

_LINE = orjson.OPT_APPEND_NEWLINE  # a shell's prompt belongs on a line of its own


class OrjsonProvider(JSONProvider):
    """Flask's JSON, by orjson; formatting options of the standard library are ignored."""

    def dumps(self, obj: object, **_kwargs: object) -> str:
        """Return ``obj`` as JSON."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: object) -> Any:  # noqa: ANN401
        """Return the value of a JSON text.

        Raises:
            ValueError: It is no JSON, or one of NaN, Infinity and endless nesting.
        """
        return orjson.loads(s)

    def response(self, *args: object, **kwargs: object) -> Response:
        """Return an answer with the given value as JSON."""
        value = self._prepare_response_obj(args, kwargs)
        return Response(orjson.dumps(value, option=_LINE), mimetype="application/json")
