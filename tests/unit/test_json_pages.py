"""Whatever bytes an answer has, its records are read as they are, or it is refused by name."""

from __future__ import annotations

import json
from typing import Any

from fuzzing import tried
from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.domain.normalise import Normaliser, Notation, ValueRejectedError
from archibald_sync.domain.resources import Field, FieldType
from archibald_sync.domain.sought import SoughtContents
from archibald_sync.errors import SourceError
from archibald_sync.sources.http import Answer
from archibald_sync.sources.json_document import JsonDocument, Path
from archibald_sync.sources.json_records import RecordReader, refuse_missing_columns

COLUMNS = ("ID", "NAME", "QTY", "STOPPED", "CHANGED")
FIELDS = [
    Field(name, kind, "") for name, kind in zip(COLUMNS, [FieldType.TEXT, *FieldType], strict=False)
]
PATHS = st.sampled_from([(), ("items",), ("d", "results")])
# 64 bits: beyond them a number is read as the nearest one that a double can hold.
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8"), max_size=8)
NESTED = st.recursive(
    LEAVES, lambda more: st.lists(more, max_size=3) | st.dictionaries(st.text(max_size=3), more)
)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from([*COLUMNS, "OTHER", "id", ""]), LEAVES | NESTED), max_size=5
)
TOKENS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\xff", b"\xc3\xa0"),
    *(b"null", b"true", b"NaN", b"1e999", b"-", b"0", b"1.5", b" ", b"\n", b"\0", b'"items"'),
    *(b'"ID"', b'"NAME"', b'"QTY"', b'"d"', b'"results"', b'"A1"', b"<html>"),
]


def page(records: list[dict[str, Any]], path: Path) -> Any:  # noqa: ANN401  # what JSON can say
    """Return an answer with ``records`` at ``path``, and something beside them."""
    value: Any = records
    for part in reversed(path):
        value = {"total": len(records), "next": None, part: value}
    return value


@st.composite
def damaged_pages(draw: st.DrawFn) -> bytes:
    """Give a page of which a piece is missing, repeated or something else."""
    body = json.dumps(page(draw(RECORDS), draw(PATHS))).encode()
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(body))] * 2)))
    piece = b"".join(draw(st.lists(st.sampled_from(TOKENS), max_size=4)))
    return body[:start] + piece + body[draw(st.sampled_from([start, end])) :]


ANY_BYTES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join),
    damaged_pages(),
)


@tried(400)
@given(body=ANY_BYTES, path=PATHS)
def test_any_bytes_give_records_or_one_of_our_errors(body: bytes, path: Path) -> None:
    """A page is read completely or refused by name: nothing else happens, whatever it holds."""
    document, normaliser = JsonDocument(Answer(body, "application/json", None)), Normaliser(FIELDS)
    try:
        raws = document.records(path)
        document.count(("total",)) if path else None
        document.text(("next",), "source_cursor") if path else None
        refuse_missing_columns(raws, COLUMNS[:1])
        values_of = RecordReader(COLUMNS).of(raws)
        rows = values_of(range(len(raws)))
    except SourceError as exc:
        assert exc.code.startswith("source_")  # noqa: PT017  # either way is right
        return
    assert len(SoughtContents(FIELDS, Notation.PLAIN, normaliser).of(rows)) == len(rows)
    for row in rows:
        try:
            assert len(normaliser.values(row)) == len(COLUMNS)
        except ValueRejectedError as exc:
            assert exc.field in COLUMNS  # noqa: PT017  # (the same)


@tried(200)
@given(records=RECORDS, path=PATHS, indent=st.none() | st.integers(0, 2), is_ascii=st.booleans())
def test_records_are_read_as_they_were_written(
    records: list[dict[str, Any]], path: Path, indent: int | None, *, is_ascii: bool
) -> None:
    """White space, escapes and the order of keys change no value; what lacks is None."""
    body = json.dumps(page(records, path), indent=indent, ensure_ascii=is_ascii).encode()

    raws = JsonDocument(Answer(body, "application/json", None)).records(path)
    values_of = RecordReader(COLUMNS).of(raws)

    wanted = [tuple(record.get(name) for name in COLUMNS) for record in records]
    assert values_of(range(len(raws))) == wanted
