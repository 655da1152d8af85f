"""The REST connector against the demo ERP over real HTTP: every style, every fault."""

from __future__ import annotations

import gzip
import threading
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from canned_server import Canned, CannedServer
from erp_support import free_port, source_file, source_of

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import (
    ConfigError,
    PermanentSourceError,
    RunCancelled,
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_guards, load_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Source

ROWS = 1234


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP whose products stay the same."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


def read(source: Source) -> list[tuple[object, ...]]:
    """Return all records of one extract, decoded."""
    return [
        record
        for page in source.pages(RunControl())
        for record in page.decode(range(len(page.fingerprints)))
    ]


STYLES: list[tuple[str, dict[str, Any]]] = [
    ("/api/products", {}),
    (
        "/api/products",
        {"pagination": '{ style = "page", size_param = "size", size = 100, first = 1 }'},
    ),
    ("/api/products/offset", {"pagination": '{ style = "offset", size = 100 }'}),
    ("/api/products/cursor", {"pagination": '{ style = "cursor" }'}),
    ("/api/products/link", {"pagination": '{ style = "link" }'}),
    ("/api/products/next", {"pagination": '{ style = "next" }'}),
]


@pytest.mark.parametrize(("path", "changes"), STYLES)
def test_every_pagination_style_reads_everything_once(
    erp: DemoErp, tmp_path: Path, path: str, changes: dict[str, Any]
) -> None:
    """Whatever the style, an extract holds each product exactly once."""
    records = read(source_of(erp, tmp_path, path, **changes))

    products, _ = erp.revisions.products(0, 10**6, {})
    assert [record[0] for record in records] == [product["ITEMID"] for product in products]


def test_answer_that_is_the_list(erp: DemoErp, tmp_path: Path) -> None:
    """Without pagination and records path the answer itself is the list."""
    path = source_file(tmp_path, erp.url("/api/products/all"), pagination='{ style = "none" }')
    text = path.read_text().replace('records = "items"', 'records = ""')
    path.write_text(text.replace('total = "total"', ""))

    assert len(read(load_source(PRODUCTS, path, {}))) == ROWS


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<html><input type='password'></html>", "source_login_page"),
        (b"<html></html>", "source_html"),
        (b'{"items": []}', "source_shape"),
        (b"[{", "source_cut"),
        (b"[NaN]", "source_json"),
        (b"[" * 200_000, "source_json"),
    ],
)
def test_an_answer_that_ought_to_be_the_list(tmp_path: Path, body: bytes, code: str) -> None:
    """Without a records path other answers are told apart just as well."""
    with CannedServer([Canned(body)]) as server:
        path = source_file(tmp_path, server.url(), pagination='{ style = "none" }')
        text = path.read_text().replace('records = "items"', 'records = ""')
        path.write_text(text.replace('total = "total"', ""))
        with pytest.raises(SourceError) as failure:
            read(load_source(PRODUCTS, path, {}))

    assert failure.value.code == code


@pytest.mark.parametrize(
    ("retry_after", "expected_s"),
    [("7", 7.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", None), ("-5", None)],
)
def test_retry_after_is_read_in_both_forms(
    erp: DemoErp, tmp_path: Path, retry_after: str, expected_s: float | None
) -> None:
    """Seconds or a date; a date that has passed asks for no wait, nonsense for none either."""
    erp.faults.switch_on("status", status=503, retryAfter=retry_after)

    with pytest.raises(TransientSourceError) as failure:
        read(source_of(erp, tmp_path))

    assert failure.value.retry_after_s == expected_s


@pytest.mark.parametrize(
    ("headers", "auth"),
    [
        ({"Authorization": "Bearer s3cret"}, '{ type = "bearer", token_env = "T" }'),
        ({"X-Api-Key": "s3cret"}, '{ type = "header", name = "X-Api-Key", value_env = "T" }'),
        (
            {"Authorization": "Basic YWRhOnMzY3JldA=="},
            '{ type = "basic", username_env = "U", password_env = "T" }',
        ),
    ],
)
def test_every_kind_of_auth(tmp_path: Path, headers: dict[str, str], auth: str) -> None:
    """With the right secret all is read; with a wrong one the error names no secret."""
    with DemoErp(rows=10, headers=headers) as erp:
        records = read(source_of(erp, tmp_path, environ={"T": "s3cret", "U": "ada"}, auth=auth))
        wrong = source_of(erp, tmp_path, environ={"T": "wr0ng", "U": "ada"}, auth=auth)
        with pytest.raises(SourceAuthError) as refusal:
            read(wrong)

    assert len(records) == 10
    assert refusal.value.code == "source_http_401"
    assert "wr0ng" not in str(refusal.value)
    assert "wr0ng" not in repr(wrong.__dict__)


FAULTS: list[tuple[str, dict[str, Any], type[SourceError], str]] = [
    ("cut", {"page": 2}, TransientSourceError, "source_cut"),
    ("cut-silently", {}, TransientSourceError, "source_cut"),
    ("cut-headers", {}, TransientSourceError, "source_empty_body"),
    ("reset", {}, TransientSourceError, "source_connect"),
    ("empty-body", {}, TransientSourceError, "source_empty_body"),
    ("status", {"status": 500, "page": 3}, TransientSourceError, "source_http_500"),
    ("status", {"status": 429, "retryAfter": 7}, TransientSourceError, "source_http_429"),
    ("status", {"status": 404}, PermanentSourceError, "source_http_404"),
    ("status", {"status": 403}, SourceAuthError, "source_http_403"),
    ("slow", {"seconds": 1.5}, TransientSourceError, "source_timeout"),
    ("slow-body", {"seconds": 0.1}, TransientSourceError, "source_timeout"),
    ("login-page", {}, SourceAuthError, "source_login_page"),
    ("html-error", {}, SourceFormatError, "source_html"),
    ("invalid-json", {}, SourceFormatError, "source_json"),
    ("deep", {}, SourceFormatError, "source_shape"),
    ("gzip-bomb", {}, PermanentSourceError, "source_too_large"),
    ("renamed", {}, SourceFormatError, "source_column_missing"),
    ("hidden", {"column": "PRICEUNIT"}, SourceFormatError, "source_column_missing"),
    ("redirect", {"location": "http://127.0.0.2:9/x"}, PermanentSourceError, "source_redirect"),
    ("redirect", {"location": "/api/products"}, PermanentSourceError, "source_redirect"),
    ("bad-value", {}, SourceFormatError, "source_json"),
]


@pytest.mark.parametrize(("fault", "options", "kind", "code"), FAULTS)
def test_every_fault_has_its_code(
    erp: DemoErp,
    tmp_path: Path,
    fault: str,
    options: dict[str, Any],
    kind: type[SourceError],
    code: str,
) -> None:
    """Each way to fail is told apart, and whether it may pass; never a body in the message."""
    erp.faults.switch_on(fault, **options)
    path = source_file(tmp_path, erp.url("/api/products"), max_page_bytes="2000000")
    if fault.startswith("slow"):  # the others must not depend on how fast this machine is
        path.write_text(path.read_text().replace("timeout_s = 30", "timeout_s = 1"))

    with pytest.raises(kind) as failure:
        read(load_source(PRODUCTS, path, {}))

    assert failure.value.code == code
    assert type(failure.value) is kind
    assert "ITEMID" not in str(failure.value)
    if isinstance(failure.value, TransientSourceError) and "retryAfter" in options:
        assert failure.value.retry_after_s == 7


@pytest.mark.parametrize("style", ["cursor", "next"])
def test_endless_paging_is_noticed(erp: DemoErp, tmp_path: Path, style: str) -> None:
    """A cursor that leads back ends the extract with an error, not never."""
    erp.faults.switch_on("endless-next")
    source = source_of(
        erp, tmp_path, f"/api/products/{style}", pagination=f'{{ style = "{style}" }}'
    )

    with pytest.raises(SourceFormatError) as failure:
        read(source)

    assert failure.value.code == "source_endless"


def test_body_of_a_redirect_is_not_read(tmp_path: Path) -> None:
    """Whatever comes with a redirect is left alone: it has no cap of its own."""
    bomb = Canned(
        gzip.compress(b" " * 10_000_000),
        302,
        {"Location": "http://127.0.0.2:9/x", "Content-Encoding": "gzip"},
    )
    with CannedServer([bomb]) as server, pytest.raises(PermanentSourceError) as failure:
        path = source_file(tmp_path, server.url())
        tracemalloc.start()
        try:
            read(load_source(PRODUCTS, path, {}))
        finally:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()

    assert failure.value.code == "source_redirect"
    assert peak < 5_000_000


def test_page_cap(erp: DemoErp, tmp_path: Path) -> None:
    """More pages than allowed are refused."""
    with pytest.raises(SourceFormatError, match="max_pages"):
        read(source_of(erp, tmp_path, max_pages="2"))


def test_byte_cap_counts_all_pages(erp: DemoErp, tmp_path: Path) -> None:
    """The cap on an extract counts what all pages brought."""
    with pytest.raises(PermanentSourceError, match="max_bytes"):
        read(source_of(erp, tmp_path, max_bytes="700000"))


def test_nobody_listens(tmp_path: Path) -> None:
    """An ERP that is switched off may come back."""
    path = source_file(tmp_path, f"http://127.0.0.1:{free_port()}/api/products")

    with pytest.raises(TransientSourceError) as failure:
        read(load_source(PRODUCTS, path, {}))

    assert failure.value.code == "source_connect"


@pytest.mark.parametrize(
    ("fault", "options"), [("slow-body", {"seconds": 0.1}), ("slow", {"seconds": 20})]
)
def test_a_stop_ends_a_blocked_read_at_once(
    erp: DemoErp, tmp_path: Path, fault: str, options: dict[str, Any]
) -> None:
    """While it waits for headers or a trickling body, a run ends within half a second."""
    erp.faults.switch_on(fault, **options)
    control, source = RunControl(), source_of(erp, tmp_path)
    timer = threading.Timer(0.3, control.stop, [RunCancelled("requested", "enough")])
    timer.start()
    began = time.monotonic()

    with pytest.raises(RunCancelled), control.session():
        list(source.pages(control))

    assert time.monotonic() - began < 1.0
    timer.join()


def test_check_says_what_it_found(erp: DemoErp, tmp_path: Path) -> None:
    """A check reads one page and says so."""
    assert "500 of 1234 records" in source_of(erp, tmp_path).check()
    assert len(erp.requests) == 1


def test_fingerprints_change_with_mapping_and_content(erp: DemoErp, tmp_path: Path) -> None:
    """Equal bytes give equal fingerprints; another mapping gives others."""
    source = source_of(erp, tmp_path)
    first, again = (next(iter(source.pages(RunControl()))).fingerprints for _ in range(2))
    other = source_of(erp, tmp_path, notation='"italian"')

    assert first == again
    assert set(first).isdisjoint(next(iter(other.pages(RunControl()))).fingerprints)
    assert other.mapping_version != source.mapping_version


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('kind = "rset"', "rest"),
        ('kind = "soap"', "write one of: rest"),
        ('url = "ftp://x"', "http"),
        ('url = "http://a:b@x/"', "credentials"),
        ('url = "http://[::1"', "with a host"),
        ('url = "http://127.0.0.1:99999/"', "with a host"),
        ("timeout_s = 0", "1 to 600"),
        ('notation = "french"', "plain"),
        ("tmieout_s = 5", "timeout_s"),
        ('pagination = { style = "pages" }', "page"),
        ('pagination = { style = "page", sizes = 5 }', "size"),
        ("pagination = 5", "no table"),
        ("records = 5", "quotes"),
        ('auth = { type = "bearer" }', "environment variable"),
        ('auth = { type = "bearer", token_env = "NOPE" }', "NOPE"),
        ('auth = { type = "header", name = "a b", value_env = "T" }', "header"),
        ('auth = { type = "form" }', "none"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, line: str, problem: str) -> None:
    """A fault names file, table and key, and the nearest valid word."""
    key = line.split(" ", maxsplit=1)[0]
    lines = source_file(tmp_path, "http://127.0.0.1:1/").read_text().splitlines()
    kept = [one for one in lines if not one.startswith(f"{key} ")]
    path = tmp_path / "source.toml"
    path.write_text("\n".join([kept[2], line, *kept[3:]]))

    with pytest.raises(ConfigError) as error:
        load_source(PRODUCTS, path, {"T": "x"})

    assert problem in str(error.value)
    assert "source.toml [products]" in str(error.value)


def test_wrong_fields_are_named(tmp_path: Path) -> None:
    """Unknown fields, empty names and a missing key are all reported at once."""
    path = tmp_path / "source.toml"
    path.write_text(
        '[products]\nkind = "rest"\nurl = "http://x/"\n[products.fields]\nnmae = "N"\nsize = 5\n'
    )

    with pytest.raises(ConfigError) as error:
        load_source(PRODUCTS, path, {})

    text = str(error.value)
    assert "'name'" in text
    assert "fields.size" in text
    assert "the key is not mapped" in text


@pytest.mark.parametrize("content", [None, "[[[", "[other]\n", b"\xff\xfe"])
def test_unusable_file_is_named(tmp_path: Path, content: str | bytes | None) -> None:
    """A missing or damaged file, or one without the table, is told with what to do."""
    path = tmp_path / "source.toml"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ConfigError, match=r"source\.toml"):
        load_source(PRODUCTS, path, {})


def test_secret_from_a_file(tmp_path: Path) -> None:
    """``NAME_FILE`` reads the secret from a file; a missing file is a fault."""
    (tmp_path / "token").write_text("s3cret\n")
    auth = '{ type = "bearer", token_env = "T" }'
    with DemoErp(rows=3, headers={"Authorization": "Bearer s3cret"}) as erp:
        environ = {"T_FILE": str(tmp_path / "token")}
        assert len(read(source_of(erp, tmp_path, environ=environ, auth=auth))) == 3

    with pytest.raises(ConfigError, match="readable file"):
        source_of(erp, tmp_path, environ={"T_FILE": "/nowhere"}, auth=auth)


def test_guards_of_a_source(tmp_path: Path) -> None:
    """Guards have defaults; a wrong one is named."""
    path = source_file(tmp_path, "http://127.0.0.1:1/")
    base = path.read_text()
    assert load_guards(PRODUCTS, path).min_extract_ratio == 0.70

    path.write_text(base + "\n[products.guards]\nmin_extract_ratio = 0.5\n")
    assert load_guards(PRODUCTS, path).min_extract_ratio == 0.5
    path.write_text(
        base + "\n[products.guards]\nmin_ratio = 1\nmax_deleted_ratio = 2\nratio_floor_rows = 0\n"
        "max_rejected_ratio = true\n"
    )
    with pytest.raises(ConfigError) as error:
        load_guards(PRODUCTS, path)
    assert len(error.value.faults) == 4


def test_empty_extract_is_complete(erp: DemoErp, tmp_path: Path) -> None:
    """A source without any record is an extract like any other: the guards judge it."""
    erp.faults.switch_on("empty")

    pages = list(source_of(erp, tmp_path).pages(RunControl()))

    assert [(len(page.fingerprints), page.declared_total) for page in pages] == [(0, 0)]
