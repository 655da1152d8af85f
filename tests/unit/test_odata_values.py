"""Values as OData writes them become what the normaliser takes, or stay for it to refuse."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from fuzzing import tried
from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.domain.normalise import Normaliser, ValueRejectedError
from archibald_sync.domain.resources import Field, FieldType
from archibald_sync.sources.odata.values import readers

ROME = ZoneInfo("Europe/Rome")
KEY = Field("id", FieldType.TEXT, "")


def kept(kind: FieldType, value: object, zone: ZoneInfo | None = None) -> object:
    """Return what the catalogue would keep of ``value`` in a field of this type."""
    read = readers((FieldType.TEXT, kind), zone)[1]
    delivered = value if read is None else read(value)
    return Normaliser([KEY, Field("field", kind, "")]).values(["1", delivered])[1]


@pytest.mark.parametrize(
    ("value", "zone", "expected"),
    [
        ("/Date(0)/", None, "1970-01-01T00:00:00"),
        ("/Date(0)/", ROME, "1970-01-01T00:00:00"),
        ("/Date(-1)/", None, "1969-12-31T23:59:59"),
        ("/Date(7200000+0120)/", None, "1970-01-01T02:00:00"),
        ("/Date(7200000+0120)/", ROME, "1970-01-01T01:00:00"),
        ("/Date(0-0300)/", ROME, "1970-01-01T06:00:00"),
        ("2024-03-31T00:59:59Z", ROME, "2024-03-31T01:59:59"),
        ("2024-03-31T01:00:00Z", ROME, "2024-03-31T03:00:00"),
        ("2024-06-01T10:00:00", ROME, "2024-06-01T10:00:00"),
        ("2024-06-01T10:00:00-05:30", None, "2024-06-01T10:00:00"),
        (" 2024-06-01T10:00Z ", None, "2024-06-01T10:00:00"),
        ("datetimeoffset'2024-06-01T10:00:00+02:00'", ROME, "2024-06-01T10:00:00"),
        ("2024-06-01 10:00:00", ROME, "2024-06-01T10:00:00"),
        ("2024-06-01", None, "2024-06-01T00:00:00"),
        ("", None, None),
        (None, ROME, None),
    ],
)
def test_times(value: object, zone: ZoneInfo | None, expected: object) -> None:
    """Each way to write a moment gives local time without zone."""
    assert kept(FieldType.DATETIME, value, zone) == expected


@pytest.mark.parametrize(
    "value",
    [
        "2024-02-30T10:00:00Z",
        "2024-06-01T24:00:00Z",
        "2024-06-01T10:00:00+99:99",
        "0000-01-01",
        "0001-01-01T00:00:00+10:00",
        "/Date(999999999999999)/",
        "/Date(0+9999)/",
        "/Date(0x10)/",
        "/Date()/",
        "31/01/2024 10:00:00",
        "datetime'tomorrow'",
        1704067200000,
        True,
    ],
)
def test_what_is_no_time_is_refused(value: object) -> None:
    """A moment that there is not, or another format, rejects its row; it is never mended."""
    with pytest.raises(ValueRejectedError):
        kept(FieldType.DATETIME, value, ROME)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (FieldType.TEXT, 4691, "4691"),
        (FieldType.TEXT, "4.691", "4.691"),
        (FieldType.DECIMAL, "1.50", "1.5"),
        (FieldType.DECIMAL, 1.5, "1.5"),
        (FieldType.INTEGER, "5", 5),
        (FieldType.BOOLEAN, "Yes", 1),
        (FieldType.BOOLEAN, False, 0),
    ],
)
def test_other_types(kind: FieldType, value: object, expected: object) -> None:
    """Numbers come as numbers or text, booleans as JSON or words, text also as whole numbers."""
    assert kept(kind, value) == expected


@pytest.mark.parametrize("value", [4.691, True, ["4691"], {"value": "4691"}])
def test_what_could_be_written_otherwise_is_no_text(value: object) -> None:
    """4.691 may have been 4.6910 or an id with a thousands dot: it is refused."""
    with pytest.raises(ValueRejectedError):
        kept(FieldType.TEXT, value)


def test_the_key_stays_as_it_is() -> None:
    """A key that is a number is for the planner to refuse."""
    assert readers((FieldType.TEXT, FieldType.TEXT), None)[0] is None


@tried(100)
@given(
    st.one_of(
        st.text(),
        st.from_regex(r"/Date\(-?[0-9]{1,18}([+-][0-9]{1,5})?\)/", fullmatch=True),
        st.from_regex(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})",
            fullmatch=True,
        ),
        st.integers(),
        st.floats(),
        st.booleans(),
        st.none(),
    ),
    st.sampled_from([None, ROME]),
)
def test_no_value_is_an_accident(value: object, zone: ZoneInfo | None) -> None:
    """Whatever comes is kept in its type's form, or its row is rejected."""
    for kind in FieldType:
        try:
            result = kept(kind, value, zone)
        except ValueRejectedError:
            continue
        assert result is None or isinstance(result, str | int)
