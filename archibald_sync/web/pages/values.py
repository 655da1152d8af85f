"""Values of records as people read them, and the words that were searched for marked in them."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from archibald_sync.domain.resources import FieldType
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archibald_sync.domain.resources import Field

# Whatever the ERP delivers, a list stays a list: the record's own page shows all of it.
LIST_CHARACTERS = 240

# As the index of the words cuts texts up: what is neither a letter nor a digit separates.
_TOKEN = re.compile(r"(?:[^\W_]|[\u0300-\u036f])+")


def shown(value: Any, field: Field | None) -> str:  # noqa: ANN401  # whatever a column holds
    """Return a value as this language writes it; nothing is an empty text.

    Args:
        value: What the column, or the change log, holds.
        field: Its declaration; None where it is declared no more.
    """
    if value is None:
        return ""
    kind = field.type if field else FieldType.TEXT
    if kind is FieldType.BOOLEAN:
        return _("yes") if value else _("no")
    if kind in {FieldType.DECIMAL, FieldType.INTEGER}:
        return _number(str(value))
    if kind is FieldType.DATETIME:
        return str(value).replace("T", " ", 1)
    return str(value)


def shortened(text: str, characters: int = LIST_CHARACTERS) -> str:
    """Return ``text`` with no more than so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1].rstrip()}…"


def marked(text: str, words: Sequence[str]) -> Markup:
    """Return ``text`` as markup, with the beginnings in ``<mark>`` that are searched for.

    Args:
        text: What is shown.
        words: What was searched for; accents and case make no difference.
    """
    wanted = [_folded(token) for word in words for token in _TOKEN.findall(word)]
    parts: list[Markup] = []
    done = 0
    for token in _TOKEN.finditer(text) if wanted else ():
        length = max((_matched(token[0], one) for one in wanted), default=0)
        if length:
            begin, end = token.start(), token.start() + length
            parts += [escape(text[done:begin]), Markup("<mark>"), escape(text[begin:end])]
            parts.append(Markup("</mark>"))
            done = end
    return Markup("").join([*parts, escape(text[done:])])


def _matched(token: str, wanted: str) -> int:
    """Return how many characters of ``token`` make up ``wanted``; 0 where it begins otherwise."""
    folded, count = "", 0
    for character in token:
        one = _folded(character)
        if one and folded.startswith(wanted):
            break
        folded += one
        count += 1
    return count if folded.startswith(wanted) else 0


def _folded(text: str) -> str:
    """Return ``text`` without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(one for one in decomposed if not unicodedata.combining(one))


def _number(text: str) -> str:
    from babel.numbers import format_decimal  # noqa: PLC0415  # heavy, and used by pages alone

    try:
        return format_decimal(Decimal(text), locale=language(), decimal_quantization=False)
    except InvalidOperation:
        return text
