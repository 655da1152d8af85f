"""JSON answers are looked into without decoding what nobody asks for."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import msgspec
import pytest

from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.http import Answer
from archibald_sync.sources.json_document import JsonDocument
from archibald_sync.sources.json_records import RecordReader


def document(value: Any) -> JsonDocument:  # noqa: ANN401  # whatever JSON can say
    """Return an answer that says ``value``."""
    return JsonDocument(Answer(json.dumps(value).encode(), "application/json", None))


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([{"a": 1}], ()),
        ({"items": [{"a": 1}], "total": 7}, ("items",)),
        ({"d": {"results": [{"a": 1}], "__count": "7"}}, ("d", "results")),
        ({"x": {"y": {"z": [{"a": 1}]}}}, ("x", "y", "z")),
    ],
)
def test_records_are_found_at_any_depth(value: object, path: tuple[str, ...]) -> None:
    """The list may be the answer itself or lie under any number of keys."""
    (record,) = document(value).records(path)

    assert json.loads(bytes(record)) == {"a": 1}


def test_everything_beside_the_records_can_be_asked_for() -> None:
    """Counts and texts are found beside the list, at the top or below, as number or text."""
    answer = document({"items": [], "total": 7, "more": {"next": "abc", "pages": "3"}})

    assert answer.count(("total",)) == 7
    assert answer.count(("more", "pages")) == 3
    assert answer.text(("more", "next"), "code") == "abc"
    assert answer.count(("more", "gone")) is None
    assert answer.text(("gone", "next"), "code") is None


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        ({"items": {"a": 1}}, ("items",), "source_shape"),
        ({"items": 5}, ("items",), "source_shape"),
        ({"items": 5}, ("items", "list"), "source_shape"),
        ({"items": None}, ("items",), "source_no_records"),
        ({}, ("items",), "source_no_records"),
        ([], ("items",), "source_shape"),
        ({"a": 1}, (), "source_shape"),
    ],
)
def test_another_shape_is_named(value: object, path: tuple[str, ...], code: str) -> None:
    """What is no list is an error that says so, never an empty extract."""
    with pytest.raises(SourceFormatError) as refusal:
        document(value).records(path)

    assert refusal.value.code == code


@pytest.mark.parametrize("body", [b'{"\x80":1,"items":[]}', b'{"x":"\xff","items":[]}'])
def test_text_that_is_no_utf8_is_an_error_of_the_source(body: bytes) -> None:
    """Bytes that are no characters are refused by name, as a key and as a value."""
    with pytest.raises(SourceFormatError) as refusal:
        JsonDocument(Answer(body, "application/json", None)).records(("items",))

    assert refusal.value.code == "source_json"


@pytest.mark.parametrize(
    "columns", [("A", "B"), ("A", 'B"'), ("B\\", "A"), ("A", "A"), ("A", "B\n")]
)
def test_values_come_in_the_order_of_the_mapping(columns: tuple[str, ...]) -> None:
    """Whatever the columns are called, each value is that of its column; what lacks is None."""
    record = {name: number for number, name in enumerate(reversed(columns))} | {"other": [1]}
    raws = [msgspec.Raw(json.dumps(record).encode()), msgspec.Raw(b"{}")]
    reader = RecordReader(columns)

    values, nothing = tuple(record[name] for name in columns), (None, None)
    assert reader.of(raws)([0, 1]) == [values, nothing]
    assert reader.of(raws[::-1])([1, 0]) == [values, nothing]


@pytest.mark.parametrize("columns", [("A", "B"), ("A", "A")])
def test_the_last_of_repeated_keys_counts(columns: tuple[str, ...]) -> None:
    """A key that an object repeats has its last value, as everywhere else."""
    assert RecordReader(columns).of([msgspec.Raw(b'{"A":1,"A":2}')])([0])[0][0] == 2


@pytest.mark.parametrize("raw", [b"[]", b"5", b'{"A":', b"nothing", b"[" * 100_000])
@pytest.mark.parametrize("columns", [("A", "B"), ("A", "A")])
def test_what_is_no_record_fails_the_extract(raw: bytes, columns: tuple[str, ...]) -> None:
    """A record that is no JSON object is an error of the source, not a row without values."""
    with pytest.raises(SourceFormatError, match="not a valid JSON object"):
        RecordReader(columns).of([msgspec.Raw(raw)])([0])


def test_a_column_that_is_no_utf8_fails_the_extract() -> None:
    """A record is refused as well where only the name of a column is damaged."""
    with pytest.raises(SourceFormatError, match="not a valid JSON object"):
        RecordReader(("A", "A")).of([msgspec.Raw(b'{"\x80":1}')])([0])


def test_columns_come_in_any_order() -> None:
    """However often a source orders its columns anew, each value is that of its column."""
    names = ("A", "B", "C", "D")
    reader = RecordReader(names)
    orders = list(permutations(names)) * 2

    rows = [
        reader.of([msgspec.Raw(json.dumps({name: ord(name) for name in order}).encode())])([0])[0]
        for order in orders
    ]

    assert rows == [(65, 66, 67, 68)] * len(orders)


def test_an_empty_page_has_no_records_to_read() -> None:
    """A page without records is a page."""
    assert callable(RecordReader(("A",)).of([]))
