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
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.resources import Field, FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    _Reader = Callable[[object, "Notation"], "Value"]

Value = str | int | None

_MAX_DIGITS = 38
_INTEGER_LIMIT = 2**63
_PLAIN_NUMBER = re.compile(r"(-?)([0-9]{1,38})(?:\.([0-9]{1,38}))?", re.ASCII)
# As it is kept: most plain numbers are written so already.
_SHORTEST_NUMBER = re.compile(
    r"0|-?[1-9][0-9]{0,37}(?:\.[0-9]{0,37}[1-9])?|-?0\.[0-9]{0,37}[1-9]", re.ASCII
)
_ITALIAN_NUMBER = re.compile(r"([0-9]{1,3}(\.[0-9]{3})*|[0-9]+)(,[0-9]+)?", re.ASCII)
_ITALIAN_NEGATIVE = re.compile(r"\((?P<brackets>[^()]+)\)|(?P<trailing>.+)-|-(?P<leading>.+)")
_PLAIN_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d", re.ASCII)
_ITALIAN_DATETIME = re.compile(r"\d\d/\d\d/\d{4} \d\d:\d\d:\d\d", re.ASCII)
# Between values, and in place of one that is not there: no folded text holds either.
_BETWEEN, _NOTHING = "\x1f", "\x00"
# How many different texts of a column are remembered with what they were read as.
_REMEMBERED = 4096
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
    if is_unwritable(value):
        raise ValueError("expected text that can be written as UTF-8 without NUL")
    return value


def is_unwritable(text: str) -> bool:
    """Return whether a text cannot be written as UTF-8 without NUL."""
    if "\x00" in text:
        return True
    # No surrogate is printable, and most texts are: few are looked at char by char.
    is_harmless = text.isascii() or text.isprintable()
    return not is_harmless and any("\ud800" <= char <= "\udfff" for char in text)


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
    if isinstance(value, str):
        if notation is Notation.PLAIN and _SHORTEST_NUMBER.fullmatch(value):
            return value
        value = value.strip()
        if not value:
            return None
        plain = _from_italian(value) if notation is Notation.ITALIAN else value
        if (parts := _PLAIN_NUMBER.fullmatch(plain)) is None:
            raise ValueError(f"expected a number in {notation} notation")
        return _shortest(parts)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")  # noqa: TRY004
    return _canonical(repr(value))


def _from_italian(text: str) -> str:
    negative = _ITALIAN_NEGATIVE.fullmatch(text)
    digits = next(part for part in negative.groups() if part) if negative else text
    if not _ITALIAN_NUMBER.fullmatch(digits):
        raise ValueError("expected a number in italian notation")
    return ("-" if negative else "") + digits.replace(".", "").replace(",", ".")


def _shortest(parts: re.Match[str]) -> str:
    """Return a number without zeros that say nothing."""
    sign, whole, fraction = parts.groups("")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    if fraction:
        return f"{sign}{whole}.{fraction}"
    return whole if whole == "0" else f"{sign}{whole}"


def _canonical(text: str) -> str:
    if (parts := _PLAIN_NUMBER.fullmatch(text)) is not None:
        return _shortest(parts)
    if len(text) > 2 * _MAX_DIGITS:
        raise ValueError(f"expected a number of at most {_MAX_DIGITS} digits")
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("expected a number") from None
    if not number.is_finite() or abs(number.adjusted()) > _MAX_DIGITS:
        raise ValueError(f"expected a finite number of at most {_MAX_DIGITS} digits")
    if (parts := _PLAIN_NUMBER.fullmatch(format(number, "f"))) is None:
        raise ValueError(f"expected a number of at most {_MAX_DIGITS} digits on either side")
    return _shortest(parts)


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
    if notation is Notation.ITALIAN:
        if not _ITALIAN_DATETIME.fullmatch(text):
            raise ValueError("expected a date and time such as 31/01/2024 10:00:00")
        iso = f"{text[6:10]}-{text[3:5]}-{text[:2]}T{text[11:]}"
    elif not _PLAIN_DATETIME.fullmatch(text):
        raise ValueError("expected a date and time such as 2024-01-31T10:00:00")
    else:
        iso = text.replace(" ", "T")
    try:
        datetime.fromisoformat(iso)
    except ValueError:
        raise ValueError("expected a date that exists") from None
    return iso


_READERS: dict[FieldType, _Reader] = {
    FieldType.TEXT: _text,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.BOOLEAN: _boolean,
    FieldType.DATETIME: _datetime,
}


def _written(read: _Reader) -> _Reader:
    """Return a reader that gives values as `comparable` writes them."""

    def read_written(delivered: object, notation: Notation) -> Value:
        value = read(delivered, notation)
        return None if value is None else str(value)

    return read_written


class Remembered(dict[object, Value]):
    """What the values of one column were read as: most columns repeat a few of them.

    Texts are keys as they are, others with their type beside them: 1, 1.0 and True are
    the same key, and not the same value.
    """

    def __init__(self, read: _Reader, notation: Notation) -> None:
        """Read with ``read`` what is not remembered."""
        super().__init__({None: None})
        self._read = read
        self._notation = notation
        self._others: dict[object, Value] = {}

    @property
    def is_full(self) -> bool:
        """Return whether more values differ than are remembered."""
        return len(self) >= _REMEMBERED

    def __missing__(self, delivered: object) -> Value:
        """Read a value that is not remembered.

        Raises:
            ValueError: It does not fit.
        """
        known: dict[object, Value] = self
        key = delivered
        if type(delivered) is not str:
            known, key = self._others, (type(delivered), delivered)
            if key in known:
                return known[key]
        value = self._read(delivered, self._notation)
        if len(known) < _REMEMBERED:
            known[key] = value
        return value


class Normaliser:
    """Reads the values of a record by the declared types of its fields."""

    def __init__(self, fields: Sequence[Field], notation: Notation = Notation.PLAIN) -> None:
        """Prepare the reader of each of ``fields``, in their order."""
        self._notation = notation
        self._columns = tuple((field.name, _READERS[field.type]) for field in fields)
        self._texts: list[int] = []
        self._typed: list[tuple[int, Remembered]] = []
        self._written: list[tuple[int, Remembered]] = []
        for column, field in enumerate(fields):
            if field.type is FieldType.TEXT:
                self._texts.append(column)
                continue
            read = _READERS[field.type]
            known = Remembered(read, notation)
            self._typed.append((column, known))
            is_number = field.type in {FieldType.INTEGER, FieldType.BOOLEAN}
            written = Remembered(_written(read), notation) if is_number else known
            self._written.append((column, written))

    def values(self, delivered: Sequence[object]) -> tuple[Value, ...]:
        """Return ``delivered`` as values to keep, None where nothing was delivered.

        Raises:
            ValueRejectedError: A value does not fit its field.
        """
        try:
            return self._values_at_once(delivered)
        except (TypeError, ValueError):
            return self._values_one_by_one(delivered)

    @property
    def texts(self) -> Sequence[int]:
        """Return the columns of text: the values that fit are kept as they are."""
        return self._texts

    @property
    def typed(self) -> Iterator[tuple[int, Callable[[object], Value], Callable[[object], Value]]]:
        """Yield the other columns, each with what reads a value and what writes it for contents.

        Both are the same where the values are texts as well.
        """
        for (column, known), (_, written) in zip(self._typed, self._written, strict=True):
            yield column, known.__getitem__, written.__getitem__

    @property
    def written(self) -> Sequence[tuple[int, Remembered]]:
        """Return the columns that are no texts, with what their values are in contents."""
        return self._written

    def _values_at_once(self, delivered: Sequence[object]) -> tuple[Value, ...]:
        """Read texts together, since nothing changes those that fit; remember the others."""
        row: list[Any] = list(delivered)
        if is_unwritable("".join([row[column] for column in self._texts])):
            raise ValueError("expected text")
        for column, known in self._typed:
            row[column] = known[row[column]]
        return tuple(row)

    def _values_one_by_one(self, delivered: Sequence[object]) -> tuple[Value, ...]:
        notation = self._notation
        return tuple(
            None if value is None else _read(reader, name, value, notation)
            for (name, reader), value in zip(self._columns, delivered, strict=True)
        )


def _read(reader: _Reader, name: str, value: object, notation: Notation) -> Value:
    try:
        return reader(value, notation)
    except ValueError as exc:
        raise ValueRejectedError(name, value, str(exc)) from None


def comparable(values: Sequence[Value]) -> bytes:
    """Return the bytes over which a record's content hash is taken.

    Two records are the same content if and only if these bytes are equal: text is
    folded, None differs from empty text, and no value can run into the next.
    """
    return _BETWEEN.join(
        [
            _NOTHING
            if value is None
            else str(value)
            if type(value) is not str
            # Most texts are one word: seen at once, since no space but " " is printable.
            else value
            if " " not in value and value.isprintable()
            else fold(value)
            for value in values
        ]
    ).encode()


def joined(columns: Sequence[Sequence[Any]]) -> list[bytes]:
    """Return each row of ``columns``, of texts that are folded or None, as `comparable` does."""
    try:
        rows = list(map(_BETWEEN.join, zip(*columns, strict=True)))
    except TypeError:
        filled = [[_NOTHING if v is None else v for v in column] for column in columns]
        rows = list(map(_BETWEEN.join, zip(*filled, strict=True)))
    return list(map(str.encode, rows))


def empty_columns(content: bytes) -> list[int]:
    """Return which values of a record are empty, from what `comparable` made of them."""
    if b"\x1f\x1f" not in b"\x1f%b\x1f" % content and b"\x00" not in content:
        return []  # so nearly all records of a nearly full column cost one search
    return [i for i, part in enumerate(content.split(b"\x1f")) if part in {b"", b"\x00"}]


def is_empty(value: Value) -> bool:
    """Return whether a value counts as none: None, or text without a sign in it."""
    return not value.strip() if isinstance(value, str) else value is None


def is_same(one: Value, other: Value) -> bool:
    """Return whether two values of a field count as the same content."""
    if one == other or not isinstance(one, str) or not isinstance(other, str):
        return one == other
    both = one + other
    # Where there is no space but " ", and none of these, each is folded already.
    return (" " in both or not both.isprintable()) and fold(one) == fold(other)
