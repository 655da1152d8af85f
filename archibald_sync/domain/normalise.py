"""Turn delivered values into the values that are kept and compared.

Every value is read by the declared type of its field, never guessed from its
looks: ``4.691`` is text in one column and four thousand in another. What does not
fit is refused with a reason, and its row is left out.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING

from archibald_sync.domain.resources import Field, FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value = str | int | None

_MAX_DIGITS = 38
_INTEGER_LIMIT = 2**63
_PLAIN_NUMBER = re.compile(r"-?[0-9]{1,38}(\.[0-9]{1,38})?", re.ASCII)
_ITALIAN_NUMBER = re.compile(r"([0-9]{1,3}(\.[0-9]{3})*|[0-9]+)(,[0-9]+)?", re.ASCII)
_ITALIAN_NEGATIVE = re.compile(r"\((?P<brackets>[^()]+)\)|(?P<trailing>.+)-|-(?P<leading>.+)")
_PLAIN_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", re.ASCII)
_ITALIAN_DATETIME = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", re.ASCII)
_TRUE = frozenset({"true", "1", "yes", "sì", "si"})
_FALSE = frozenset({"false", "0", "no"})


class Notation(StrEnum):
    """How a source writes numbers and dates in text."""

    PLAIN = "plain"  # 1000.50 and 2024-01-31T10:00:00
    ITALIAN = "italian"  # 1.000,50 and 31/01/2024 10:00:00


class ValueRejectedError(ValueError):
    """A value does not fit its field; ``reason`` says what was expected."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        """Keep the field, a short form of the value, and the reason."""
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.value = repr(value)[:80]
        self.reason = reason


def fold(text: str) -> str:
    """Return ``text`` as it is compared: outer spaces gone, inner runs of space made one."""
    return " ".join(text.split())


def _text(value: object, _notation: Notation) -> Value:
    if not isinstance(value, str):
        raise ValueError("expected text")  # noqa: TRY004  # one error for every misfit
    if "\x00" in value or (not value.isprintable() and _has_surrogate(value)):
        raise ValueError("expected text that can be written as UTF-8 without NUL")
    return value


def _has_surrogate(value: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in value)


def _integer(value: object, notation: Notation) -> Value:
    text = _decimal(value, notation)
    if text is None:
        return None
    if "." in str(text):
        raise ValueError("expected a whole number")
    number = int(text)
    if not -_INTEGER_LIMIT <= number < _INTEGER_LIMIT:
        raise ValueError("expected a whole number of at most 63 bits")
    return number


def _decimal(value: object, notation: Notation) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("expected a number")  # noqa: TRY004
    if isinstance(value, str):
        value = value.strip()
        if not value:
            return None
        plain = _from_italian(value) if notation is Notation.ITALIAN else value
        if not _PLAIN_NUMBER.fullmatch(plain):
            raise ValueError(f"expected a number in {notation} notation")
        return _canonical(plain)
    return _canonical(repr(value))


def _from_italian(text: str) -> str:
    negative = _ITALIAN_NEGATIVE.fullmatch(text)
    digits = next(part for part in negative.groups() if part) if negative else text
    if not _ITALIAN_NUMBER.fullmatch(digits):
        raise ValueError("expected a number in italian notation")
    return ("-" if negative else "") + digits.replace(".", "").replace(",", ".")


def _canonical(text: str) -> str:
    if len(text) > 2 * _MAX_DIGITS:
        raise ValueError(f"expected a number of at most {_MAX_DIGITS} digits")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("expected a number") from None
    if not number.is_finite() or abs(number.adjusted()) > _MAX_DIGITS:
        raise ValueError(f"expected a finite number of at most {_MAX_DIGITS} digits")
    plain = format(number, "f")
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    if not _PLAIN_NUMBER.fullmatch(plain):
        raise ValueError(f"expected a number of at most {_MAX_DIGITS} digits on either side")
    return "0" if plain == "-0" else plain


def _boolean(value: object, _notation: Notation) -> Value:
    if isinstance(value, bool | int) and value in {0, 1}:
        return int(value)
    if isinstance(value, str):
        word = value.strip().casefold()
        if not word:
            return None
        if word in _TRUE or word in _FALSE:
            return int(word in _TRUE)
    raise ValueError("expected true or false")


def _datetime(value: object, notation: Notation) -> Value:
    if not isinstance(value, str):
        raise ValueError("expected a date and time")  # noqa: TRY004
    text = value.strip()
    if not text:
        return None
    is_italian = notation is Notation.ITALIAN
    shape = _ITALIAN_DATETIME if is_italian else _PLAIN_DATETIME
    if not shape.fullmatch(text):
        example = "31/01/2024 10:00:00" if is_italian else "2024-01-31T10:00:00"
        raise ValueError(f"expected a date and time such as {example}")
    pattern = "%d/%m/%Y %H:%M:%S" if is_italian else "%Y-%m-%d %H:%M:%S"
    try:
        moment = datetime.strptime(text.replace("T", " "), pattern)  # noqa: DTZ007  # ERP local time
    except ValueError:
        raise ValueError("expected a date that exists") from None
    return moment.isoformat()


_READERS: dict[FieldType, Callable[[object, Notation], Value]] = {
    FieldType.TEXT: _text,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATETIME: _datetime,
}


class Normaliser:
    """Reads the values of a record by the declared types of its fields."""

    def __init__(self, fields: Sequence[Field], notation: Notation = Notation.PLAIN) -> None:
        """Prepare the reader of each of ``fields``, in their order."""
        self._notation = notation
        self._columns = tuple((field.name, _READERS[field.type]) for field in fields)

    def values(self, delivered: Sequence[object]) -> tuple[Value, ...]:
        """Return ``delivered`` as values to keep, None where nothing was delivered.

        Raises:
            ValueRejectedError: A value does not fit its field.
        """
        notation = self._notation
        return tuple(
            None if value is None else _read(reader, name, value, notation)
            for (name, reader), value in zip(self._columns, delivered, strict=True)
        )


def _read(
    reader: Callable[[object, Notation], Value], name: str, value: object, notation: Notation
) -> Value:
    try:
        return reader(value, notation)
    except ValueError as exc:
        raise ValueRejectedError(name, value, str(exc)) from None


def comparable(values: Sequence[Value]) -> bytes:
    """Return the bytes over which a record's content hash is taken.

    Two records are the same content if and only if these bytes are equal: text is
    folded, None differs from empty text, and no value can run into the next.
    """
    return "\x1f".join(
        "\x00" if value is None else fold(value) if type(value) is str else str(value)
        for value in values
    ).encode()


def empty_columns(content: bytes) -> list[int]:
    """Return which values of a record are empty, from what `comparable` made of them."""
    if b"\x1f\x1f" not in b"\x1f%b\x1f" % content and b"\x00" not in content:
        return []  # so nearly all records of a nearly full column cost one search
    return [i for i, part in enumerate(content.split(b"\x1f")) if part in {b"", b"\x00"}]


def is_empty(value: Value) -> bool:
    """Return whether a value counts as none: None, or text without a sign in it."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_same(one: Value, other: Value) -> bool:
    """Return whether two values of a field count as the same content."""
    if isinstance(one, str) and isinstance(other, str):
        return one == other or fold(one) == fold(other)
    return one == other
