"""The forms of the ERP's pages: what has to be sent back, and what a page is.

WebForms pages carry their state in hidden fields, which every answer must bring back.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from html.parser import HTMLParser

_TYPED_FIELDS = frozenset({"text", "email", ""})
_ERROR_SENTENCE = "requested objects cannot be loaded"


@dataclass(slots=True)
class Form:
    """A form: where it goes, its hidden fields, and the names of those that people fill in.

    ``submit`` is its first button, as a browser would send it.
    """

    action: str = ""
    hidden: dict[str, str] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    submit: dict[str, str] = field(default_factory=dict)


def forms_of(page: str) -> list[Form]:
    """Return the forms of an HTML page; damaged HTML is read as far as it makes sense."""
    parser = _FormParser()
    # What the parser says to some damaged declarations.
    with contextlib.suppress(AssertionError):
        parser.feed(page)
        parser.close()
    return parser.forms


def login_form(page: str) -> Form | None:
    """Return the form that asks for a password, if there is one: the mark of a login page."""
    return next((form for form in forms_of(page) if form.passwords), None)


def is_html(content: bytes) -> bool:
    """Return whether ``content`` looks like a page rather than a file."""
    return content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<"


def is_error_page(page: str) -> bool:
    """Return whether a page is the ERP's own message that it failed."""
    return _ERROR_SENTENCE in page.casefold()


class _FormParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.forms: list[Form] = []
        self._is_inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
            self._is_inside = True
        elif tag == "input" and self._is_inside:
            self._add(self.forms[-1], given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_inside = False

    @staticmethod
    def _add(form: Form, given: dict[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "").casefold()
        if kind == "password":
            form.passwords.append(name)
        elif not name:
            return
        elif kind == "hidden":
            form.hidden[name] = given.get("value", "")
        elif kind in _TYPED_FIELDS:
            form.texts.append(name)
        elif kind == "submit" and not form.submit:
            form.submit[name] = given.get("value", "")
