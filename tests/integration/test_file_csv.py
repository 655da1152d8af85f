"""CSV as real systems write it: encodings, notation, quotes, headers, and what is refused."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from file_support import delivered, file_source, read, values
from fuzzing import tried
from hypothesis import given
from hypothesis import strategies as st

from archibald_sync.errors import (
    ConfigError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from archibald_sync.domain.models import Page
    from archibald_sync.domain.ports import Source

GOLDEN = Path(__file__).parents[1] / "golden"
FIELDS = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO", "priceUnit": "UNITÀ DI PREZZO"}


def source_of(folder: Path, content: bytes, **keys: Any) -> Source:  # noqa: ANN401
    """Return a source that reads ``content``."""
    (folder / "drop.csv").write_bytes(content)
    return file_source(
        folder, "csv", **{"path": "drop.csv", "settle_s": 0, "fields": FIELDS, **keys}
    )


def of_text(folder: Path, *lines: str, **keys: Any) -> Source:  # noqa: ANN401
    """Return a source that reads lines after the usual headers."""
    text = "".join(f"{line}\n" for line in ("ID ARTICOLO;NOME ARTICOLO;UNITÀ DI PREZZO", *lines))
    return source_of(folder, text.encode(), **keys)


def failure(source: Source) -> SourceError:
    """Return the error with which an extract fails."""
    with pytest.raises(SourceError) as error:
        read(source)
    return error.value


@pytest.mark.parametrize("name", [path.stem for path in sorted(GOLDEN.glob("file_*.csv"))])
def test_golden_files(tmp_path: Path, name: str) -> None:
    """Each file of the collection gives exactly the values beside it."""
    case = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    content = (GOLDEN / f"{name}.csv").read_bytes()

    source = source_of(tmp_path, content, fields=case["fields"], **case["keys"])

    assert [list(row) for row in values(source, read(source))] == case["values"]


def test_headers_are_found_however_they_are_written(tmp_path: Path) -> None:
    """Case, spaces, apostrophes, colons and the form of accents do not matter; words do."""
    wanted = {
        "id": "ID ARTICOLO",
        "packageContent": "CONTENUTO DELL'IMBALLAGGIO",
        "minQty": "QTÀ MINIMA",
    }
    text = "qta\u0300  minima :;Contenuto dell\u2019imballaggio;\u00a0Id Articolo:\n5;10;016869K2\n"

    source = source_of(tmp_path, text.encode(), fields=wanted)

    assert values(source, read(source)) == [("016869K2", 10, "5")]


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """Of two columns with the same header none is taken; of two that nobody wants, both."""
    twice = b"ID ARTICOLO;Nome articolo:;NOME ARTICOLO;X;X\n1;a;b;;\n"

    raised = failure(
        source_of(tmp_path, twice, fields={"id": "ID ARTICOLO", "name": "NOME ARTICOLO"})
    )

    assert (type(raised), raised.code) == (SourceFormatError, "source_column_duplicate")
    assert "NOME ARTICOLO" in str(raised)
    assert len(read(source_of(tmp_path, twice, fields={"id": "ID ARTICOLO"}))) == 1


def test_blank_lines_are_no_records(tmp_path: Path) -> None:
    """Lines without any value are skipped, wherever they are."""
    source = of_text(tmp_path, "", "1;a;1,00", ";;", "", "2;b;2,00", "")

    assert values(source, read(source)) == [("1", "a", "1"), ("2", "b", "2")]


def test_quotes_hold_delimiters_and_line_breaks(tmp_path: Path) -> None:
    """A quoted value may hold anything; a quote in the middle of another is itself."""
    source = of_text(tmp_path, '1;"a;""b""\nc";1,00', '2;1/4" punta;2,00')

    assert [row[1] for row in delivered(read(source))] == ['a;"b"\nc', '1/4" punta']


def test_quotes_may_mean_nothing(tmp_path: Path) -> None:
    """Where nothing is quoted, a quote is a character like any other."""
    source = of_text(tmp_path, '1;"a;1,00', quote="")

    assert delivered(read(source))[0][1] == '"a'


def test_another_delimiter_and_plain_numbers(tmp_path: Path) -> None:
    """Delimiter, notation and the line with the headers are as the table says."""
    content = "Exported today\n\nID ARTICOLO\tNOME ARTICOLO\tUNITÀ DI PREZZO\n1\ta\t1000.50\n"

    source = source_of(tmp_path, content.encode(), delimiter="\t", notation="plain", header_row=3)

    assert values(source, read(source)) == [("1", "a", "1000.5")]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("1;a", "source_row_width", "line 3 of drop.csv has 2 columns, its headers 3"),
        ("1;a;1,00;x", "source_row_width", "line 3 of drop.csv has 4 columns"),
        ('1;"a"b;1,00', "source_csv", "line 3 of drop.csv is no CSV"),
        ("1;a\rb;1,00", "source_csv", "line 3 of drop.csv is no CSV"),
        ("1;a\0;1,00", "source_nul", "line 3 of drop.csv holds NUL"),
        (f"1;{'a' * 140_000};1,00", "source_csv", "line 3 of drop.csv is no CSV"),
        (f"1;{'a' * 1_100_000};1,00", "source_line_too_long", "line 3 of drop.csv is longer"),
        ('1;"a;1,00', "source_csv", "is no CSV"),
    ],
    ids=["short", "long", "quote", "carriage-return", "nul", "field", "line", "open-quote"],
)
def test_a_line_that_is_not_as_agreed_fails_the_file(
    tmp_path: Path, line: str, code: str, words: str
) -> None:
    """One wrong line makes the whole file doubtful: it is named, and nothing is taken."""
    raised = failure(of_text(tmp_path, "0;first;1,00", line, "9;last;1,00"))

    assert (type(raised), raised.code) == (SourceFormatError, code)
    assert words in str(raised)


def test_a_late_fault_fails_the_file_before_its_last_page(tmp_path: Path) -> None:
    """Pages may have come before the fault, but never the end of the extract."""
    source = of_text(tmp_path, *(f"{number};a;1,00" for number in range(2500)), "x")
    seen: list[Page] = []

    with pytest.raises(SourceFormatError):
        seen.extend(source.pages(RunControl()))

    assert all(page.validator is None for page in seen)


@pytest.mark.parametrize("cut", [1, 2, 6, 9])
def test_a_last_line_that_breaks_off_fails_the_file(tmp_path: Path, cut: int) -> None:
    """A file that ends without a line break was cut, wherever that was."""
    content = "ID ARTICOLO;NOME ARTICOLO;UNITÀ DI PREZZO\n1;a;1,00\n2;b;22,00\n".encode()

    raised = failure(source_of(tmp_path, content[:-cut]))

    assert (type(raised), raised.code) == (TransientSourceError, "source_cut")
    assert "line 3 of drop.csv breaks off" in str(raised)


def test_a_last_line_may_be_open_where_that_is_agreed(tmp_path: Path) -> None:
    """Writers that never end the last line are read once the table says so."""
    content = "ID ARTICOLO;NOME ARTICOLO;UNITÀ DI PREZZO\n1;a;1,00".encode()
    source = source_of(tmp_path, content, final_newline=False)
    assert len(delivered(read(source))) == 1

    raised = failure(source_of(tmp_path, content[:-5], final_newline=False))
    assert raised.code == "source_row_width"


def test_bytes_that_are_no_characters_are_named(tmp_path: Path) -> None:
    """A file in another encoding fails with the line, the byte and the words to try."""
    content = "ID ARTICOLO;NOME ARTICOLO;UNITÀ DI PREZZO\n1;a;1,00\n".encode("cp1252")

    raised = failure(source_of(tmp_path, content))

    assert (type(raised), raised.code) == (SourceFormatError, "source_text_encoding")
    assert "line 1 of drop.csv is not utf-8-sig at byte" in str(raised)
    assert "cp1252" in str(raised)
    assert len(read(source_of(tmp_path, content, encoding="cp1252"))) == 1


def test_a_byte_order_mark_counts_at_the_start_alone(tmp_path: Path) -> None:
    """A mark is no part of the first header; anywhere else it is a character, and kept."""
    content = "ID ARTICOLO;NOME ARTICOLO\n\ufeff1;a\n".encode("utf-8-sig")
    fields = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO"}

    assert delivered(read(source_of(tmp_path, content, fields=fields))) == [("\ufeff1", "a")]


def test_another_encoding_reads_an_unchanged_file_anew(tmp_path: Path) -> None:
    """A setting that makes other values of the same bytes is no short-cut."""
    content = "ID ARTICOLO;NOME ARTICOLO\n1;caffè\n".encode()
    fields = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO"}
    wrong = source_of(tmp_path, content, fields=fields, encoding="iso-8859-1")
    validator = read(wrong)[-1].validator

    right = source_of(tmp_path, content, fields=fields)

    assert delivered(read(right, validator)) == [("1", "caffè")]


def test_a_file_without_headers_is_refused(tmp_path: Path) -> None:
    """Where the headers should be there must be some."""
    for content in (b"\n", b";;;\n1;2;3;4\n"):
        assert failure(source_of(tmp_path, content)).code == "source_no_header"
    short = source_of(tmp_path, b"ID ARTICOLO\n", header_row=5)
    assert failure(short).code == "source_no_header"


def test_headers_alone_are_an_empty_extract(tmp_path: Path) -> None:
    """A file without rows is complete: the guards judge it."""
    pages = read(of_text(tmp_path))

    assert [len(page.fingerprints) for page in pages] == [0]
    assert pages[0].validator is not None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"delimiter": ""}, "delimiter: '' is not valid"),
        ({"delimiter": ";;"}, "delimiter: ';;' is not valid"),
        ({"delimiter": "\n"}, "delimiter"),
        ({"quote": "''"}, "quote"),
        ({"quote": ";"}, "quote: is the delimiter"),
        ({"encoding": "utf8"}, "did you mean 'utf-8'"),
        ({"encoding": "utf-16"}, "encoding"),
        ({"final_newline": "no"}, "write true or false"),
        ({"sheet": 1}, "sheet: is unknown"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, keys: dict[str, Any], words: str) -> None:
    """Every wrong key is named with its remedy."""
    with pytest.raises(ConfigError) as error:
        of_text(tmp_path, **keys)

    assert words in str(error.value)


NEARLY_CSV = st.lists(
    st.sampled_from([b";", b'"', b"\n", b"\r\n", b"1,00", b"\xe0", b"\xc3\xa0", b"\0", b"x", b" "]),
    max_size=60,
).map(b"".join)


@tried(400)
@given(
    start=st.sampled_from([b"", b"\xef\xbb\xbf", b"ID ARTICOLO;NOME ARTICOLO\n", b"<html>"]),
    rest=st.one_of(NEARLY_CSV, st.binary(max_size=200)),
    encoding=st.sampled_from(["utf-8-sig", "utf-8", "cp1252", "iso-8859-1"]),
    quote=st.sampled_from(['"', ""]),
)
def test_any_bytes_give_values_or_one_of_our_errors(
    start: bytes, rest: bytes, encoding: str, quote: str
) -> None:
    """Whatever a file holds, it is read completely or refused by name."""
    fields = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO"}
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(
            Path(folder), start + rest, encoding=encoding, quote=quote, fields=fields
        )
        try:
            pages = read(source)
        except SourceError as exc:
            assert exc.code.startswith("source_")  # noqa: PT017  # either way is right
        else:
            assert all(len(record) == 2 for record in delivered(pages))
            assert pages[-1].validator is not None


@tried(200)
@given(
    rows=st.lists(
        st.tuples(
            st.text(
                st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=20
            ),
            st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=20),
        ),
        max_size=20,
    )
)
def test_what_is_written_is_read(rows: list[tuple[str, str]]) -> None:
    """Any text that is quoted as it should be comes back as it was, and its print is its own."""
    fields = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO"}
    quoted = [";".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    text = "".join(f"{line}\n" for line in ("ID ARTICOLO;NOME ARTICOLO", *quoted))
    with tempfile.TemporaryDirectory() as folder:
        pages = read(source_of(Path(folder), text.encode(), fields=fields))

    assert delivered(pages) == rows
    prints = [one for page in pages for one in page.fingerprints]
    assert len(set(prints)) == len(set(rows))
