"""Fields of requests and answers that take JSON at its word.

marshmallow's own fields turn "30" into 30 and "yes" into true; an interval or a
cancellation must not come about like that.
"""

from __future__ import annotations

import re
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

_INSTANT = "Milliseconds since the epoch, UTC"
_DIGITS = re.compile(r"[0-9]{1,18}")


class RequestSchema(Schema):
    """The body of a request: a key that it does not know is an error."""

    error_messages = {"unknown": "there is no such key"}  # noqa: RUF012  # as marshmallow has it


class WholeNumber(fields.Integer):
    """A JSON number without fraction, within bounds."""

    def __init__(
        self,
        least: int,
        most: int,
        unit: str,
        *,
        is_text: bool = False,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        """Accept ``least`` to ``most``.

        Args:
            least: The smallest number.
            most: The greatest number.
            unit: What is counted, for errors.
            is_text: Whether the number comes as text, from a query string.
            kwargs: As for every field.
        """
        self._is_text = is_text
        self._expected = f"expected a whole number of {unit} from {least} to {most}"
        kwargs.setdefault("error_messages", {"null": self._expected})
        bounds = validate.Range(least, most, error=self._expected)
        super().__init__(strict=True, validate=bounds, **kwargs)

    def _validated(self, value: Any) -> int:  # noqa: ANN401
        if self._is_text and isinstance(value, str) and _DIGITS.fullmatch(value):
            return int(value)
        if isinstance(value, float) and value.is_integer():
            return int(value)  # 30.0 is the integer 30 to JSON Schema, and so to OpenAPI
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError(self._expected)
        return value


class TrueOrFalse(fields.Boolean):
    """JSON's true or false, and nothing that resembles them."""

    def _deserialize(
        self,
        value: Any,  # noqa: ANN401
        attr: str | None,  # noqa: ARG002
        data: Any,  # noqa: ANN401, ARG002
        **_kwargs: Any,  # noqa: ANN401
    ) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("expected true or false")
        return value


class Number(fields.Float):
    """A number as JavaScript prints it: 80, not 80.0."""

    def _serialize(
        self,
        value: Any,  # noqa: ANN401
        attr: str | None,
        obj: Any,  # noqa: ANN401
        **kwargs: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        number = super()._serialize(value, attr, obj, **kwargs)
        if isinstance(number, float) and number.is_integer():
            return int(number)
        return number


def instant(what: str | None = None, **kwargs: Any) -> fields.Integer:  # noqa: ANN401
    """Return a field of an answer: milliseconds since the epoch, UTC; ``what`` says of what."""
    description = _INSTANT if what is None else f"{what}. {_INSTANT}"
    return fields.Integer(metadata={"format": "int64", "description": description}, **kwargs)
