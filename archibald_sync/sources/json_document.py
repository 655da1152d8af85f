"""JSON answers as they are read: records found without decoding them, faults told apart.

Where a JSON object repeats a key, the last value counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from archibald_sync.errors import (
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archibald_sync.sources.http import Answer

Path = tuple[str, ...]

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
_record = msgspec.json.Decoder(dict[str, Any])
_any = msgspec.json.Decoder()
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
        raw = self._find(path)
        if raw is None:
            message = (
                f"the answer has no {_told(path)}; correct kind, url or records in source.toml"
            )
            raise SourceFormatError(message, code="source_no_records")
        try:
            return _list.decode(raw)
        except (msgspec.DecodeError, RecursionError) as exc:
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

    def _value(self, path: Path) -> object:
        raw = self._find(path)
        try:
            return None if raw is None else _any.decode(raw)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise self._fault(exc) from exc

    def _find(self, path: Path) -> msgspec.Raw | None:
        raw: msgspec.Raw | None = msgspec.Raw(self.answer.body)
        try:
            for part in path:
                if raw is None:
                    return None
                raw = _object.decode(raw).get(part)
        except (msgspec.DecodeError, RecursionError) as exc:
            raise self._fault(exc) from exc
        return raw

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


def decoded(raw: msgspec.Raw) -> dict[str, Any]:
    """Return a record as a dictionary.

    Raises:
        SourceFormatError: It is no JSON object.
    """
    try:
        return _record.decode(raw)
    except (msgspec.DecodeError, RecursionError) as exc:
        message = "a record is not a valid JSON object"
        raise SourceFormatError(message, code="source_record") from exc


def refuse_missing_columns(raws: Sequence[msgspec.Raw], columns: Sequence[str]) -> None:
    """Refuse a page on which a mapped column is nowhere: renamed or hidden.

    Raises:
        SourceFormatError: It names the columns.
    """
    missing = set(columns)
    for raw in raws:
        missing.difference_update(decoded(raw))
        if not missing:
            return
    named = ", ".join(column for column in columns if column in missing)
    raise SourceFormatError(
        f"the source no longer delivers: {named}; "
        "correct the mapping in source.toml, or the source",
        code="source_column_missing",
    )


def _told(path: Path) -> str:
    return repr(".".join(path)) if path else "list"
