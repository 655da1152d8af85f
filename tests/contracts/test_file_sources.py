"""What every source that is a file promises, over CSV and XLSX, from a URL and from a path."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from file_support import catalogue, failure, file_source, of_path, of_url, read, values
from support import wait_for

from archibald_sync.demo.server import DemoErp
from archibald_sync.errors import (
    ConfigError,
    NotModified,
    PermanentSourceError,
    RunCancelled,
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Source

ROWS = 1200
KINDS = ("csv", "xlsx")


@pytest.fixture(scope="module")
def running_erp() -> Iterator[DemoErp]:
    """Return a demo ERP that changes only when it is told."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


@pytest.fixture
def erp(running_erp: DemoErp) -> Iterator[DemoErp]:
    """Return the demo ERP without faults."""
    running_erp.faults.clear()
    yield running_erp
    running_erp.faults.clear()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Return each kind of file."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path) -> Iterator[None]:
    """Fail a test that leaves a temporary file behind."""
    yield
    scratch = tmp_path / "scratch"
    assert not scratch.exists() or not list(scratch.iterdir())


def test_an_extract_is_the_whole_catalogue(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """Every product arrives, with the values that the other faces deliver."""
    source = of_url(erp, tmp_path, kind)

    pages = read(source)

    assert values(source, pages) == catalogue(erp)
    assert [page.number for page in pages] == [1, 2]
    assert [page.validator is not None for page in pages] == [False, True]


def test_a_path_delivers_what_a_url_does(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A dropped file gives the same values as one that is fetched."""
    source, _ = of_path(erp, tmp_path, kind)

    assert values(source, read(source)) == catalogue(erp)


def test_fingerprints_follow_the_mapped_cells_alone(
    erp: DemoErp, tmp_path: Path, kind: str
) -> None:
    """The same product has the same fingerprint wherever it stands; another mapping another."""
    plain = fingerprints(of_url(erp, tmp_path, kind))
    assert len(set(plain)) == ROWS

    for fault in ("reordered", "additional", "volatile"):
        erp.faults.clear()
        erp.faults.switch_on(fault)
        assert fingerprints(of_url(erp, tmp_path, kind)) == plain, fault

    fewer = {"id": "ID ARTICOLO", "name": "NOME ARTICOLO"}
    assert not set(plain) & set(fingerprints(of_url(erp, tmp_path, kind, fields=fewer)))


def fingerprints(source: Source) -> list[bytes]:
    """Return the fingerprints of all records."""
    return [one for page in read(source) for one in page.fingerprints]


def test_a_single_column_is_enough(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A mapping of the key alone delivers the key alone."""
    source = of_url(erp, tmp_path, kind, fields={"id": "ID ARTICOLO"})

    assert values(source, read(source)) == [row[:1] for row in catalogue(erp)]


FAULTS: list[tuple[str, dict[str, Any], type[SourceError], str]] = [
    ("status", {"status": 503}, TransientSourceError, "source_http_503"),
    ("status", {"status": 404}, PermanentSourceError, "source_http_404"),
    ("status", {"status": 401}, SourceAuthError, "source_http_401"),
    ("cut", {}, TransientSourceError, "source_cut"),
    ("reset", {}, TransientSourceError, "source_connect"),
    ("empty-body", {}, TransientSourceError, "source_empty_body"),
    ("login-page", {}, SourceAuthError, "source_login_page"),
    ("html-error", {}, SourceFormatError, "source_html"),
    ("redirect", {"location": "http://127.0.0.2:1/x"}, PermanentSourceError, "source_redirect"),
    ("redirect", {}, PermanentSourceError, "source_http_404"),
    ("renamed", {}, SourceFormatError, "source_column_missing"),
    ("hidden", {"column": "BRASSIZE"}, SourceFormatError, "source_column_missing"),
    ("english", {}, SourceFormatError, "source_column_missing"),
]


@pytest.mark.parametrize("case", FAULTS, ids=[f"{one[0]}-{one[3]}" for one in FAULTS])
def test_each_fault_has_its_error(
    erp: DemoErp,
    tmp_path: Path,
    kind: str,
    case: tuple[str, dict[str, Any], type[SourceError], str],
) -> None:
    """A fault fails the extract with its own code, and works again when it is gone."""
    fault, options, error, code = case
    erp.faults.switch_on(fault, **options)
    source = of_url(erp, tmp_path, kind)

    raised = failure(source)

    assert (type(raised), raised.code) == (error, code)
    erp.faults.clear()
    assert len(values(source, read(source))) == ROWS


@pytest.mark.parametrize(("kind", "code"), [("csv", "source_no_length"), ("xlsx", "source_cut")])
def test_a_body_without_length_is_no_proof(
    erp: DemoErp, tmp_path: Path, kind: str, code: str
) -> None:
    """Half of a file that came without a length does not pass for the whole."""
    erp.faults.switch_on("cut-silently")

    assert failure(of_url(erp, tmp_path, kind)).code == code


def test_a_csv_that_ends_in_mid_line_is_refused(erp: DemoErp, tmp_path: Path) -> None:
    """A file that the server itself cut looks perfect to HTTP, but not to us."""
    erp.faults.switch_on("cut-line")

    raised = failure(of_url(erp, tmp_path, "csv"))

    assert (type(raised), raised.code) == (TransientSourceError, "source_cut")


def test_missing_columns_are_named(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """The message says which column is gone, and which there are."""
    erp.faults.switch_on("renamed")

    message = str(failure(of_url(erp, tmp_path, kind)))

    assert "no longer delivers: NOME ARTICOLO;" in message
    assert "NOME PRODOTTO" in message


@pytest.mark.parametrize("fault", ["empty", "filtered", "short-page", "duplicated"])
def test_what_looks_perfect_is_left_to_the_guards(
    erp: DemoErp, tmp_path: Path, kind: str, fault: str
) -> None:
    """A file with other products is read as it is: its plan is judged, not its shape."""
    erp.faults.switch_on(fault)
    source = of_url(erp, tmp_path, kind)

    pages = read(source)

    assert len(pages) >= 1
    expected = {"empty": 0, "filtered": 419, "short-page": ROWS - 1, "duplicated": ROWS + 1}
    assert len(values(source, pages)) == expected[fault]


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("PRICEUNIT", "1.00", "priceUnit"),
        ("PRICEUNIT", "NaN", "priceUnit"),
        ("PRICEUNIT", "1e999", "priceUnit"),
        ("CREATEDDATETIME", "31/02/2024 10:00:00", "createdAtSource"),
        ("BRASPACKINGCONTENTS", 1.5, "packageContent"),
        ("STOPPED", "boh", "stopped"),
    ],
)
def test_values_that_do_not_fit_are_rejected(
    erp: DemoErp, tmp_path: Path, kind: str, column: str, value: object, field: str
) -> None:
    """A wrong value is nobody's value: its row is rejected, and its field named."""
    erp.faults.switch_on("bad-value", column=column, value=value)
    source = of_url(erp, tmp_path, kind)

    assert set(values(source, read(source))) == {field}


def test_values_printed_the_italian_way(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """Numbers in text have thousands dots and a decimal comma."""
    erp.faults.switch_on("bad-value", column="HIGHESTQTY", value="1.234.567,50")
    source = of_url(erp, tmp_path, kind)
    place = source.fields.index("maxQty")

    assert {row[place] for row in values(source, read(source))} == {"1234567.5"}


def test_the_same_file_is_not_read_again(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """With the validator of its last page an unchanged file is a short-cut; a changed one not."""
    source = of_url(erp, tmp_path, kind)
    validator = read(source)[-1].validator

    with pytest.raises(NotModified):
        read(source, validator)

    erp.revise(updated=3)
    changed = read(source, validator)
    assert values(source, changed) == catalogue(erp)
    assert changed[-1].validator != validator


def test_a_server_without_validators_is_no_hindrance(
    erp: DemoErp, tmp_path: Path, kind: str
) -> None:
    """The same bytes are the same file, even where ETag and date are new."""
    source, path = of_path(erp, tmp_path, kind)
    validator = read(source)[-1].validator

    os.utime(path, (1_600_000_000, 1_600_000_000))
    with pytest.raises(NotModified):
        read(source, validator)


def test_another_mapping_reads_the_same_file_again(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A validator serves the mapping that it was made with, and no other; nonsense serves none."""
    validator = read(of_url(erp, tmp_path, kind))[-1].validator

    fewer = of_url(erp, tmp_path, kind, fields={"id": "ID ARTICOLO"})

    assert len(values(fewer, read(fewer, validator))) == ROWS
    assert len(values(fewer, read(fewer, "nonsense"))) == ROWS

    row = {"header_row": 2}
    assert failure(of_url(erp, tmp_path, kind, **row), validator).code == "source_column_missing"


def test_check_names_the_headers(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A check reads the beginning, and says which columns there are."""
    sentence = of_url(erp, tmp_path, kind).check()

    assert "1000 rows" in sentence
    assert "ID ARTICOLO, NOME ARTICOLO" in sentence


def test_limits_of_bytes_and_rows(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A file that is longer than it may be is refused, wherever it comes from."""
    assert failure(of_url(erp, tmp_path, kind, max_bytes=1000)).code == "source_too_large"
    assert failure(of_path(erp, tmp_path, kind, max_bytes=1000)[0]).code == "source_too_large"
    assert failure(of_url(erp, tmp_path, kind, max_rows=ROWS - 1)).code == "source_too_many_rows"
    assert len(read(of_url(erp, tmp_path, kind, max_rows=ROWS))) == 2


def test_a_body_that_inflates_is_limited(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A small answer that inflates without end is refused at the limit."""
    erp.faults.switch_on("gzip-bomb")

    assert failure(of_url(erp, tmp_path, kind, max_bytes=2**20)).code == "source_too_large"


def test_a_slow_answer_is_ended(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """An answer that trickles in is ended at its time limit."""
    erp.faults.switch_on("slow-body", seconds=0.2)

    raised = failure(of_url(erp, tmp_path, kind, timeout_s=1))

    assert (type(raised), raised.code) == (TransientSourceError, "source_timeout")


def test_a_stop_ends_a_download(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A run that must end does not wait for the answer."""
    erp.faults.switch_on("slow-body", seconds=0.2)
    control, asked = RunControl(), len(erp.requests)

    def stop() -> None:
        wait_for(lambda: len(erp.requests) > asked)
        control.stop(RunCancelled("requested", "stop"))

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(RunCancelled):
        list(of_url(erp, tmp_path, kind).pages(control))
    thread.join()


def test_a_stop_ends_the_reading(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """A run that must end gets no further page."""
    control = RunControl()
    with closing(of_url(erp, tmp_path, kind).pages(control)) as pages:
        next(pages)
        control.stop(RunCancelled("requested", "stop"))

        with pytest.raises(RunCancelled):
            next(pages)


def test_a_reading_that_is_given_up_leaves_nothing(erp: DemoErp, tmp_path: Path, kind: str) -> None:
    """Whoever takes no more pages leaves no copy and no child behind."""
    pages = of_url(erp, tmp_path, kind).pages(RunControl())
    next(pages)

    pages.close()


def test_a_folder_without_room_is_an_error_that_may_pass(
    erp: DemoErp, tmp_path: Path, kind: str
) -> None:
    """Where no copy can be kept the attempt fails, and says where."""
    source = of_url(erp, tmp_path, kind)
    (tmp_path / "scratch").rmdir()

    raised = failure(source)

    assert (type(raised), raised.code) == (TransientSourceError, "source_scratch")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, ["url, path: are both missing"]),
        ({"url": "http://x/", "path": "x"}, ["url, path: stand both there"]),
        ({"url": "ftp://x/"}, ["is not a URL"]),
        ({"path": ""}, ["path: is empty"]),
        ({"path": "x", "timeout_s": 5}, ["timeout_s: has no meaning here"]),
        ({"url": "http://x/", "checksum": True}, ["checksum: has no meaning here"]),
        ({"path": "x", "checksum": "yes"}, ["write true or false"]),
        ({"path": "x", "settle_s": -1, "header_row": 0}, ["settle_s", "header_row"]),
        ({"path": "x", "max_page_bytes": 5}, ["max_page_bytes: is unknown"]),
    ],
)
def test_wrong_settings_are_named(
    tmp_path: Path, kind: str, keys: dict[str, Any], words: list[str]
) -> None:
    """Every wrong key is named with its remedy."""
    with pytest.raises(ConfigError) as error:
        file_source(tmp_path, kind, **keys)

    for word in words:
        assert word in str(error.value)
