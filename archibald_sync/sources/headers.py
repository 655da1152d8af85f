"""Find the columns of a table by its headers: never by position.

Headers vary in case, accents, apostrophes and stray colons while they mean the same
column; a column that is missing, or there twice, is named.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from archibald_sync.errors import SourceFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Before NFKC, which makes a space and an accent of some of them.
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ`´′", "'"))  # noqa: RUF001  # on purpose
_SHOWN_CHARACTERS = 600


def normalised(header: str) -> str:
    """Return ``header`` as headers are compared."""
    text = unicodedata.normalize("NFKC", header.translate(_APOSTROPHES))
    return " ".join(text.replace(":", " ").casefold().split())


def column_positions(headers: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return where each of the ``wanted`` columns is among ``headers``.

    Columns that nobody wants may have any header, and any number of times.

    Raises:
        SourceFormatError: A wanted column is missing, or there more than once.
    """
    places: dict[str, list[int]] = {}
    for position, header in enumerate(headers):
        places.setdefault(normalised(header), []).append(position)
    found = [places.get(normalised(name), []) for name in wanted]
    if missing := [name for name, at in zip(wanted, found, strict=True) if not at]:
        raise SourceFormatError(
            f"the source no longer delivers: {shown(missing)}; correct the mapping in "
            f"source.toml, or the source, which has: {shown(headers)}",
            code="source_column_missing",
        )
    if twice := [name for name, at in zip(wanted, found, strict=True) if len(at) > 1]:
        raise SourceFormatError(
            f"the source delivers more than once: {shown(twice)}; correct the source",
            code="source_column_duplicate",
        )
    return [at[0] for at in found]


def shown(headers: Sequence[str]) -> str:
    """Return headers as a message names them: on one line, and not without end."""
    text = ", ".join(" ".join(header.split()) for header in headers if header.strip())
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return printable if len(printable) <= _SHOWN_CHARACTERS else f"{printable[:_SHOWN_CHARACTERS]}…"
