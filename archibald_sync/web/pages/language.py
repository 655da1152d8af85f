"""The language of a page: standard gettext catalogues, chosen by a cookie or by the browser.

The messages in the code are the English ones; ``translations/<code>/*.po`` has
the others, one file a page, and is read when the application starts.
"""

from __future__ import annotations

from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from flask import current_app, g, request

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog
    from flask import Flask

LANGUAGES = {"en": "English", "it": "Italiano"}
COOKIE = "lang"
TRANSLATIONS = Path(__file__).parent / "translations"

_EXTENSION = "archibald_sync.language"


def init_app(app: Flask) -> None:
    """Read the catalogues, and let templates use ``_()``, ``ngettext()`` and ``trans``."""
    app.extensions[_EXTENSION] = {code: _translations(code) for code in LANGUAGES}
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.add_extension("jinja2.ext.i18n")
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # the extension adds it
        _message, _messages, newstyle=True
    )
    environment.filters.update(number=number, percent=percent, duration=duration)


def language() -> str:
    """Return the language of this request: of the switch, else of the browser, else English."""
    if "language" not in g:
        chosen = request.cookies.get(COOKIE)
        wanted = request.accept_languages.best_match(list(LANGUAGES), "en")
        g.language = chosen if chosen in LANGUAGES else wanted
    found: str = g.language
    return found


def gettext(message: str, **variables: object) -> str:
    """Return ``message`` in the language of this request, ``%(name)s`` filled in."""
    text = _message(message)
    return text % variables if variables else text


def ngettext(singular: str, plural: str, count: int, **variables: object) -> str:
    """Return the form for ``count`` in the language of this request, ``%(name)s`` filled in."""
    return _messages(singular, plural, count) % variables


def later(message: str) -> str:
    """Mark ``message`` for translation, which comes later: ``gettext`` of a variable."""
    return message


def number(value: float) -> str:
    """Return a number as this language writes it."""
    from babel.numbers import format_decimal  # noqa: PLC0415  # heavy, and used by pages alone

    return format_decimal(value, locale=language())


def percent(value: float) -> str:
    """Return a percentage as this language writes it, with one digit at most."""
    from babel.numbers import format_percent  # noqa: PLC0415  # see above

    return format_percent(value / 100, "#,##0.#%", locale=language())


def duration(milliseconds: float) -> str:
    """Return a duration in two units at most; their symbols are the same everywhere."""
    seconds = milliseconds / 1000
    if seconds < 1:
        return f"{milliseconds:.0f} ms"
    if seconds < 60:  # noqa: PLR2004  # seconds of a minute
        return f"{number(round(seconds, 1))} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def catalogue(code: str) -> Catalog:
    """Return the messages of a language out of all its files; English has none.

    Raises:
        ValueError: Two files translate the same message in different ways.
    """
    from babel.messages.catalog import Catalog  # noqa: PLC0415  # once, at the start
    from babel.messages.pofile import read_po  # noqa: PLC0415

    whole = Catalog(locale=code)
    for path in sorted((TRANSLATIONS / code).glob("*.po")):
        with path.open("rb") as file:
            messages = [one for one in read_po(file, locale=code, abort_invalid=True) if one.id]
        for one in messages:
            known = whole.get(one.id)
            if known is not None and known.string != one.string:
                raise ValueError(f"{path}: {one.id!r} is translated otherwise in another file")
            whole[one.id] = one
    return whole


@cache
def _translations(code: str) -> NullTranslations:
    """Return a language as gettext wants it; its files are read once."""
    from babel.messages.mofile import write_mo  # noqa: PLC0415  # see above

    compiled = BytesIO()
    write_mo(compiled, catalogue(code))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _current() -> NullTranslations:
    found: NullTranslations = current_app.extensions[_EXTENSION][language()]
    return found


def _message(message: str) -> str:
    return _current().gettext(message)


def _messages(singular: str, plural: str, count: int) -> str:
    return _current().ngettext(singular, plural, count)
