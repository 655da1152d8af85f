"""What the address of a page asks for: read strictly, so that a wrong address is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flask import request

from archibald_sync.errors import InvalidInputError
from archibald_sync.web.cursor import PATTERN, decoded

if TYPE_CHECKING:
    from collections.abc import Iterable

_NUMBER = re.compile(r"[0-9]{1,16}")


def choice(name: str, allowed: Iterable[str]) -> str | None:
    """Return the value of ``name``; None where it is left out or empty, as forms send it.

    Raises:
        InvalidInputError: It is none of ``allowed``.
    """
    value = request.args.get(name) or None
    if value is not None and value not in (values := [*map(str, allowed)]):
        raise InvalidInputError(name, f"expected one of {', '.join(values)}")
    return value


def number(name: str) -> int | None:
    """Return the whole number in ``name``; None where it is left out.

    Raises:
        InvalidInputError: It is no number of at most 16 digits.
    """
    value = request.args.get(name) or None
    if value is None:
        return None
    if not _NUMBER.fullmatch(value):
        raise InvalidInputError(name, "expected a whole number, as the links of this page have it")
    return int(value)


def place(name: str) -> tuple[int, str] | None:
    """Return the place in a list that ``name`` holds; None where it is left out.

    Raises:
        InvalidInputError: It is no place.
    """
    value = request.args.get(name) or None
    if value is not None and not re.fullmatch(PATTERN, value):
        raise InvalidInputError(name, "expected a place, as the links of this page have it")
    return decoded(value)
