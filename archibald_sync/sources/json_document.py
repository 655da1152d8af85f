"""JSON answers as they are read: records found without decoding them, faults told apart.

Where a JSON object repeats a key, the last value counts.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from archibald_sync.errors import (
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)

if TYPE_CHECKING:
    from archibald_sync.sources.http import Answer

Path = tuple[str, ...]
_T = TypeVar("_T")

# Goes over a page once: its list of records comes out in pieces, the rest as it is.
_object = msgspec.json.Decoder(
    dict[str, list[msgspec.Raw] | dict[str, msgspec.Raw] | str | int | float | bool | None]
)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_any = msgspec.json.Decoder()
# Text that is no UTF-8 is one error as a value, and another one as a key.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_COUNT = re.compile(r"[0-9]{1,18}", re.ASCII)


class JsonDocument:
    """One answer, looked into by paths of keys; ``()`` is the answer itself."""

    def __init__(self, answer: Answer) -> None:
        """Look into ``answer``; nothing is decoded yet."""
        self.answer = answer

    def records(self, path: Path) -> list[msgspec.Raw]:
        """Return the records of the list at ``path`` as delivered.

        Raises:
            SourceError: There is no list.
        """
        found = self._find(path)
        if found is None:
            message = (
                f"the answer has no {_told(path)}; correct kind, url or records in source.toml"
            )
            raise SourceFormatError(message, code="source_no_records")
        if isinstance(found, list):
            return found
        try:
            return _list.decode(_required(found, msgspec.Raw))
        except UNREADABLE as exc:
            raise self._fault(exc) from exc

    def count(self, path: Path) -> int | None:
        """Return a number that the answer announces, as number or text; None if it does not.

        Raises:
            SourceError: There is something else.
        """
        value = self._value(path)
        if value is None:
            return None
        if isinstance(value, str) and _COUNT.fullmatch(value):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        raise SourceFormatError(f"{_told(path)} of the answer is no count", code="source_count")

    def text(self, path: Path, code: str) -> str | None:
        """Return a text or number as text; None where there is none.

        Raises:
            SourceError: There is something else: an error with ``code``.
        """
        value = self._value(path)
        if value is None or value == "":
            return None
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        raise SourceFormatError(f"{_told(path)} of the answer is no text", code=code)

    @cached_property
    def _top(self) -> dict[str, Any]:
        return _object.decode(self.answer.body)

    def _value(self, path: Path) -> object:
        found = self._find(path)
        try:
            return _any.decode(found) if isinstance(found, msgspec.Raw) else found
        except UNREADABLE as exc:
            raise self._fault(exc) from exc

    def _find(self, path: Path) -> object:
        """Return what is at ``path``, still undecoded or not; None where there is nothing."""
        found: object = msgspec.Raw(self.answer.body)
        try:
            for depth, part in enumerate(path):
                if found is None:
                    return None
                if isinstance(found, msgspec.Raw):
                    found = _object.decode(found) if depth else self._top
                found = _required(found, dict).get(part)
        except UNREADABLE as exc:
            raise self._fault(exc) from exc
        return found

    def _fault(self, exc: Exception) -> SourceError:
        """Tell a cut answer from a login page from a wrong shape."""
        start = self.answer.body[:4096].lstrip().lower()
        if start.startswith(b"<") or "html" in self.answer.content_type:
            if b"password" in self.answer.body[:65536].lower():
                message = "the source answered with its login page; check the credentials"
                return SourceAuthError(message, code="source_login_page")
            return SourceFormatError("the source answered with a web page", code="source_html")
        if "truncated" in str(exc):
            return TransientSourceError("the answer breaks off in the middle", code="source_cut")
        if isinstance(exc, msgspec.ValidationError):
            message = "the answer has another shape than source.toml says; check kind and records"
            return SourceFormatError(message, code="source_shape")
        return SourceFormatError("the answer is not valid JSON", code="source_json")


def _told(path: Path) -> str:
    return repr(".".join(path)) if path else "list"


def _required(found: object, kind: type[_T]) -> _T:
    if isinstance(found, kind):
        return found
    raise msgspec.ValidationError(f"expected {kind.__name__}")
