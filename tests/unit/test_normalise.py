"""Values are read by the declared type of their field, and refused when they do not fit."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from fuzzing import tried
from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.domain.columns import ColumnReader
from archibald_sync.domain.normalise import (
    Normaliser,
    Notation,
    Value,
    ValueRejectedError,
    comparable,
    fold,
    is_same,
)
from archibald_sync.domain.resources import Field, FieldType
from archibald_sync.domain.sought import SoughtContents

PLAIN, ITALIAN = Notation.PLAIN, Notation.ITALIAN


def read(kind: str, value: object, notation: Notation = PLAIN) -> Value:
    """Return one value as a field of ``kind`` keeps it."""
    return Normaliser([Field("f", FieldType(kind), "")], notation).values([value])[0]


@pytest.mark.parametrize(
    ("kind", "notation", "value", "expected"),
    [
        ("text", PLAIN, "179.204. 1", "179.204. 1"),
        ("text", PLAIN, "4.691", "4.691"),
        ("text", ITALIAN, "4.691", "4.691"),
        ("text", PLAIN, "", ""),
        ("text", PLAIN, None, None),
        ("text", PLAIN, "a\u00a0b\u200e", "a\u00a0b\u200e"),
        ("integer", PLAIN, 5, 5),
        ("integer", PLAIN, 5.0, 5),
        ("integer", PLAIN, " 7 ", 7),
        ("integer", PLAIN, "", None),
        ("integer", ITALIAN, "1.000", 1000),
        ("decimal", PLAIN, 234.59, "234.59"),
        ("decimal", PLAIN, "1000.50", "1000.5"),
        ("decimal", PLAIN, -0.0, "0"),
        ("decimal", PLAIN, 1e3, "1000"),
        ("decimal", ITALIAN, "1.000,00", "1000"),
        ("decimal", ITALIAN, "234,59", "234.59"),
        ("decimal", ITALIAN, "(360,65)", "-360.65"),
        ("decimal", ITALIAN, "360,65-", "-360.65"),
        ("decimal", ITALIAN, "-360,65", "-360.65"),
        ("decimal", ITALIAN, "1000", "1000"),
        ("boolean", PLAIN, True, 1),
        ("boolean", PLAIN, 0, 0),
        ("boolean", ITALIAN, "Sì", 1),
        ("boolean", ITALIAN, "No", 0),
        ("boolean", PLAIN, "", None),
        ("datetime", PLAIN, "2024-01-31T10:00:00", "2024-01-31T10:00:00"),
        ("datetime", PLAIN, "2024-01-31 10:00:00", "2024-01-31T10:00:00"),
        ("datetime", ITALIAN, "31/01/2024 10:00:00", "2024-01-31T10:00:00"),
        ("datetime", PLAIN, "", None),
    ],
)
def test_fitting_values(kind: str, notation: Notation, value: object, expected: object) -> None:
    """A value that fits is kept in one canonical form."""
    assert read(kind, value, notation) == expected


@pytest.mark.parametrize(
    ("kind", "notation", "value"),
    [
        ("text", PLAIN, 5),
        ("text", PLAIN, "a\x00b"),
        ("text", PLAIN, "a\ud800b"),
        ("integer", PLAIN, 5.5),
        ("integer", PLAIN, 2**63),
        ("integer", PLAIN, True),
        ("decimal", PLAIN, "1.000,00"),
        ("decimal", PLAIN, "1,5"),
        ("decimal", PLAIN, float("nan")),
        ("decimal", PLAIN, float("inf")),
        ("decimal", PLAIN, 1e300),
        ("decimal", PLAIN, "9" * 200),
        ("decimal", PLAIN, 10**100),
        ("decimal", PLAIN, "\u0661"),
        ("decimal", PLAIN, {}),
        ("decimal", ITALIAN, "1.00,5"),
        ("decimal", ITALIAN, "234.59"),
        ("decimal", ITALIAN, "()"),
        ("boolean", PLAIN, "maybe"),
        ("boolean", PLAIN, 2),
        ("datetime", PLAIN, "31/02/2024 10:00:00"),
        ("datetime", PLAIN, "2024-02-31T10:00:00"),
        ("datetime", ITALIAN, "31/02/2024 10:00:00"),
        ("datetime", ITALIAN, "2024-01-31T10:00:00"),
        ("datetime", PLAIN, 17),
    ],
)
def test_misfits_are_refused_with_a_reason(kind: str, notation: Notation, value: object) -> None:
    """A value that does not fit is refused, naming field, value and what was expected."""
    with pytest.raises(ValueRejectedError) as refusal:
        read(kind, value, notation)

    assert refusal.value.field == "f"
    assert refusal.value.reason.startswith("expected")
    assert len(refusal.value.value) <= 80


@tried(100)
@given(st.decimals(min_value=-(10**15), max_value=10**15, places=2))
def test_italian_and_plain_numbers_mean_the_same(number: Decimal) -> None:
    """A number printed the Italian way is kept as the number printed plainly."""
    plain = f"{number:f}"
    italian = f"{abs(number):,.2f}".translate(str.maketrans(",.", ".,"))
    signed = f"({italian})" if number < 0 else italian

    assert read("decimal", signed, ITALIAN) == read("decimal", plain)


@tried(100)
@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_canonical_numbers_are_stable(number: float) -> None:
    """Reading what is kept gives what is kept, and loses no digit."""
    try:
        kept = read("decimal", number)
    except ValueRejectedError:
        return

    assert read("decimal", kept) == kept
    assert Decimal(str(kept)) == Decimal(repr(number))


NEARLY_A_VALUE = st.one_of(
    st.text("0123456789.,-()+eE_ \u00a0\u0660\uff11", max_size=12),
    st.text("0123456789/-:T. Z", min_size=17, max_size=21),
    st.datetimes().map(lambda moment: f"{moment:%d/%m/%Y %H:%M:%S}"),
    st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(["true", "No", "SÌ", " 1 ", "1e999", "NaN", "inf", "31/02/2024 10:00:00"]),
    st.text(),
    st.integers() | st.floats() | st.booleans() | st.none(),
    st.lists(st.integers(), max_size=1),
)


@tried(400)
@given(kind=st.sampled_from(FieldType), notation=st.sampled_from(Notation), value=NEARLY_A_VALUE)
def test_any_value_is_kept_in_its_form_or_refused(
    kind: FieldType, notation: Notation, value: object
) -> None:
    """What is kept is of the field's form, and is kept as it is when it is read again."""
    try:
        kept = read(kind, value, notation)
    except ValueRejectedError as exc:
        assert exc.reason.startswith("expected")  # noqa: PT017  # either way is right
        return
    if kept is None:
        assert value is None or not str(value).strip()
        return
    assert read(kind, kept) == kept
    if kind is FieldType.TEXT:
        assert kept == value
    elif kind is FieldType.DATETIME:
        assert datetime.fromisoformat(str(kept)).isoformat() == kept
    elif kind is FieldType.DECIMAL:
        assert f"{Decimal(str(kept)):f}" == kept
    else:
        assert isinstance(kept, int)
        assert -(2**63) <= kept < 2**63
        assert kind is FieldType.INTEGER or kept in {0, 1}


@tried(100)
@given(st.lists(st.one_of(st.none(), st.integers(), st.text()), min_size=1, max_size=5))
def test_comparable_bytes_tell_contents_apart(values: list[Value]) -> None:
    """Folding changes nothing that matters: the bytes of folded values are the same."""
    values = [v.replace("\x00", "") if isinstance(v, str) else v for v in values]
    values = [v.encode(errors="ignore").decode() if isinstance(v, str) else v for v in values]
    folded = [fold(v) if isinstance(v, str) else v for v in values]

    assert comparable(values) == comparable(folded)
    assert comparable([*values, None]) != comparable([*values, ""])


def test_inner_space_does_not_count_as_a_change() -> None:
    """Text is compared with its spaces folded; other values as they are."""
    assert is_same("179.204. 1", "179.204.  1 ")
    assert not is_same("a", "b")
    assert not is_same(None, "")
    assert is_same(1, 1)


def contents_of(
    normaliser: Normaliser, rows: list[tuple[object, ...]], notation: Notation = PLAIN
) -> list[bytes]:
    """Return what records of the fields below are looked for by."""
    return SoughtContents(MIXED, notation, normaliser).of(rows)


DELIVERED: st.SearchStrategy[tuple[object, ...]] = st.tuples(
    st.text(min_size=1, max_size=4),
    st.none() | st.text(max_size=4) | st.sampled_from(["\x00", "\x1f", "a\x1fb", "\ud800", 5]),
    st.sampled_from([None, "", "1.00", " 1 ", "x", 1, 1.0, True, 10**30, [1]])
    | st.text("01.5 ", max_size=5),
    st.sampled_from([None, "", "true", " No", 1, 1.0, True, "maybe", {}]),
    st.sampled_from([None, "", " ", 0, False, [], "2024-01-31T10:00:00", "2024-01-31 10:00:00"])
    | st.text("2024-0131T: ", min_size=18, max_size=20),
)
MIXED = [
    Field("id", FieldType.TEXT, ""),
    Field("name", FieldType.TEXT, ""),
    Field("minQty", FieldType.DECIMAL, ""),
    Field("stopped", FieldType.BOOLEAN, ""),
    Field("changed", FieldType.DATETIME, ""),
]


@tried(100)
@given(st.lists(DELIVERED, min_size=2, max_size=6))
def test_content_finds_equal_records_only(rows: list[tuple[object, ...]]) -> None:
    """What one row is looked for by is what another compares as only if both are the same."""
    normaliser = Normaliser(MIXED)
    contents = contents_of(normaliser, rows)
    assert contents == [contents_of(normaliser, [row])[0] for row in rows]
    for sought, content in zip(rows, contents, strict=True):
        for known in rows:
            try:
                values = normaliser.values(known)
            except ValueRejectedError:
                continue
            if comparable(values) == content:
                assert known[0] == sought[0] or fold(str(known[0])) == sought[0]
                assert comparable(normaliser.values(sought)) == content


NOON = "2024-01-31T12:00:00"


@pytest.mark.parametrize(
    "delivered",
    [
        ("A1", "a b", "1.00", "true", NOON),
        ("A1", None, None, False, None),
        ("A1", "", 5, "", ""),
        ("A1", "a", 1.50, 1, "2024-01-31 12:00:00"),
    ],
)
def test_content_of_regular_rows_is_what_they_compare_as(delivered: tuple[object, ...]) -> None:
    """A row without irregular spaces is found by its content, with gaps and without."""
    normaliser = Normaliser(MIXED)

    assert contents_of(normaliser, [delivered]) == [comparable(normaliser.values(delivered))]


@pytest.mark.parametrize(
    "delivered",
    [
        ("A 1", "a", "1", 0, NOON),
        ("A1", "\x00", "1", 0, NOON),
        ("A1", "\x00", None, 0, NOON),
        ("A1", "a", "x", 0, NOON),
        ("A1", "a", "1", 0, 20240131),
        ("A1", 5, "1", 0, NOON),
    ],
)
def test_rows_that_need_a_closer_look_have_no_content(delivered: tuple[object, ...]) -> None:
    """Keys with spaces, text that is refused and misfits are never found by content."""
    normaliser, regular = Normaliser(MIXED), ("B2", "b", "2.50", "no", None)
    content = comparable(normaliser.values(regular))

    assert contents_of(normaliser, [delivered]) == [b""]
    assert contents_of(normaliser, [regular, delivered, regular]) == [content, b"", content]
    assert contents_of(normaliser, []) == []


@pytest.mark.parametrize("notation", list(Notation))
def test_columns_of_many_different_texts_are_found(notation: Notation) -> None:
    """Numbers are found by content as well where more of them differ than are remembered."""
    normaliser, point = Normaliser(MIXED, notation), "," if notation is ITALIAN else "."
    rows = [("A1", "x", f"{n // 100}{point}{n % 100:02d}", n % 2, None) for n in range(6000)]

    for _ in range(2):
        contents = contents_of(normaliser, [*rows, ("A1", "x", 59.5, 1, None)], notation)

        assert contents[:-1] == [comparable(normaliser.values(row)) for row in rows]
        assert contents[-1] == comparable(("A1", "x", "59.5", 1, None))


REGULAR = st.tuples(
    st.from_regex(r"[A-Z0-9 ]{1,6}", fullmatch=True),
    st.none() | st.text(st.sampled_from("ab \t\x1f\u00a0\u3000\u200eè"), max_size=6),
    st.sampled_from([None, "", "1.50", " 2", "3", 4, 5.5]),
    st.sampled_from([None, "", "true", "No", 0, True]),
    st.sampled_from([None, "", NOON, NOON.replace("T", " ")]),
)


@tried(100)
@given(st.lists(REGULAR, max_size=8) | st.lists(DELIVERED, max_size=4))
def test_many_records_read_at_once_are_read_alike(rows: list[tuple[object, ...]]) -> None:
    """Values, contents and reasons are those that each record has by itself."""
    normaliser = Normaliser(MIXED)
    expected: list[object] = []
    for row in rows:
        try:
            values = normaliser.values(row)
        except ValueRejectedError as exc:
            expected.append((exc.field, exc.value, exc.reason))
        else:
            expected.append((values, comparable(values)))

    found = [
        (one.field, one.value, one.reason) if isinstance(one, ValueRejectedError) else one
        for one in ColumnReader(Normaliser(MIXED)).read(rows)
    ]

    assert repr(found) == repr(expected), "alike in their types as well"


def test_what_was_read_before_does_not_change_what_is_read() -> None:
    """Remembering texts never lets 1, 1.0 and true pass for each other, nor forgets to refuse."""
    normaliser = Normaliser(MIXED)
    for _ in range(2):
        assert normaliser.values(("A1", "x", "1", 1, None)) == ("A1", "x", "1", 1, None)
        assert normaliser.values(("A1", "x", 1.0, True, None)) == ("A1", "x", "1", 1, None)
        for misfit in [("A1", "x", True, 1), ("A1", "x", 1, 1.0), ("A1", "x", "?", 1)]:
            with pytest.raises(ValueRejectedError):
                normaliser.values((*misfit, None))


def test_columns_of_many_different_texts_are_read_without_end() -> None:
    """A column may hold more different texts than are remembered."""
    normaliser = Normaliser(MIXED)

    numbers = [normaliser.values(("A1", "x", f"{n}.50", None, None))[2] for n in range(5000)]

    assert numbers == [f"{n}.5" for n in range(5000)]
