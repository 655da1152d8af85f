"""The OData connector against answers as real services give them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
from canned_server import Canned, CannedServer

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.normalise import Normaliser, ValueRejectedError
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import (
    ConfigError,
    PermanentSourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archibald_sync.domain.ports import Source

GOLDEN = Path(__file__).parents[1] / "golden"
FIELDS = {
    "id": "ITEMID",
    "name": "NAME",
    "description": "DESCRIPTION",
    "groupCode": "PRODUCTGROUPID.ID",
    "packageContent": "BRASPACKINGCONTENTS",
    "priceUnit": "PRICEUNIT",
    "productId": "ID",
    "createdAtSource": "CREATEDDATETIME",
    "modifiedAtSource": "MODIFIEDDATETIME",
    "totalAbsoluteDiscount": "ENDDISC",
    "orderable": "ORDERITEM",
    "stopped": "STOPPED",
    "purchasePrice": "PURCHPRICEPCS",
}
# What both golden lists say, read with timezone = "Europe/Rome"; None is a rejected row.
EXPECTED: list[tuple[object, ...] | None] = [
    (
        "016869K2",
        "H129FSQ.104.023",
        "Fresa in carburo di tungsteno, figura H129FSQ",
        "7",
        5,
        "1",
        "4.691",
        "2024-01-01T10:00:00",
        "2024-07-01T10:30:59",
        0,
        1,
        0,
        "234.59",
    ),
    (
        "KBNFEB25b",
        'CORSO.25 "àèìòù" € 1\u2019000',
        None,
        "7",
        0,
        "1000.5",
        "691",
        "2024-02-29T00:00:00",
        "2024-07-01T12:30:00",
        1,
        0,
        1,
        "0",
    ),
    (
        "10012345",
        "179.204. 1",
        "",
        "7",
        100,
        "1",
        "",
        None,
        "1900-01-01T01:00:00",
        1,
        1,
        0,
        "0.01",
    ),
    None,
]
TWO_FIELDS = {"id": "ITEMID", "name": "NAME"}


def odata_source(
    folder: Path, url: str, settings: str = "", fields: dict[str, str] | None = None
) -> Source:
    """Return an OData source of ``url`` with further ``settings``."""
    mapping = "".join(f'{ours} = "{theirs}"\n' for ours, theirs in (fields or TWO_FIELDS).items())
    path = folder / "source.toml"
    path.write_text(
        f'[products]\nkind = "odata"\nurl = "{url}"\n{settings}\n[products.fields]\n{mapping}'
    )
    return load_source(PRODUCTS, path, {})


def normalised(source: Source) -> list[tuple[object, ...] | None]:
    """Return what the catalogue would keep of each record, as FIELDS has it; None: rejected."""
    order = [source.fields.index(name) for name in FIELDS if name in source.fields]
    normaliser = Normaliser(
        [PRODUCTS.fields_by_name[name] for name in source.fields], source.notation
    )
    rows: list[tuple[object, ...] | None] = []
    for page in source.pages(RunControl()):
        for delivered in page.decode(range(len(page.fingerprints))):
            try:
                values = normaliser.values(delivered)
                rows.append(tuple(values[place] for place in order))
            except ValueRejectedError:
                rows.append(None)
    return rows


def answer(rows: int = 2, further: Mapping[str, object] | None = None) -> Canned:
    """Return a v4 answer with some records, all of which ``@odata.count`` counts."""
    records = [{"ITEMID": f"{number:06d}K2", "NAME": "H1.104.001"} for number in range(rows)]
    body = {"@odata.count": rows, "value": records, **(further or {})}
    return Canned(json.dumps(body).encode())


def golden(name: str) -> Canned:
    """Return a golden answer."""
    return Canned((GOLDEN / name).read_bytes())


@pytest.mark.parametrize(
    ("version", "answers"),
    [("v4", ["odata_v4.json", "odata_v4_last.json"]), ("v2", ["odata_v2.json"])],
)
def test_golden_answers_give_the_same_values(
    tmp_path: Path, version: str, answers: list[str]
) -> None:
    """Both versions write the same products differently, and both are read alike."""
    settings = f'version = "{version}"\ntimezone = "Europe/Rome"'
    with CannedServer([golden(one) for one in answers]) as server:
        rows = normalised(odata_source(tmp_path, server.url(), settings, FIELDS))

    assert rows == EXPECTED


def test_without_a_timezone_times_stay_as_written(tmp_path: Path) -> None:
    """An offset is dropped, not applied, unless the ERP's zone is known."""
    with CannedServer([golden("odata_v4.json"), golden("odata_v4_last.json")]) as server:
        rows = normalised(odata_source(tmp_path, server.url(), fields=FIELDS))

    times = [row[7:9] for row in rows if row is not None]
    assert times[:2] == [
        ("2024-01-01T09:00:00", "2024-07-01T10:30:59"),
        ("2024-02-29T00:00:00", "2024-07-01T10:30:00"),
    ]


def test_another_timezone_gives_other_fingerprints(tmp_path: Path) -> None:
    """Records are read anew when their times mean something else."""
    with CannedServer([answer()]) as server:
        plain = odata_source(tmp_path, server.url())
        rome = odata_source(tmp_path, server.url(), 'timezone = "Europe/Rome"')
        one, other = (next(iter(each.pages(RunControl()))) for each in (plain, rome))

    assert set(one.fingerprints).isdisjoint(other.fingerprints)
    assert plain.mapping_version != rome.mapping_version


@pytest.mark.parametrize(
    ("settings", "expected", "headers"),
    [
        (
            "filter = \"NAME eq 'a+b c'\"",
            {"$select": "ITEMID,NAME", "$count": "true", "$filter": "NAME eq 'a+b c'"},
            {"prefer": "odata.maxpagesize=500", "odata-maxversion": "4.0"},
        ),
        (
            'version = "v2"\npaging = "skip"\npage_size = 9',
            {
                "$select": "ITEMID,NAME",
                "$inlinecount": "allpages",
                "$orderby": "ITEMID",
                "$skip": "0",
                "$top": "9",
            },
            {"maxdataserviceversion": "2.0"},
        ),
        ("count = false", {"$select": "ITEMID,NAME"}, {}),
    ],
)
def test_what_is_asked(
    tmp_path: Path, settings: str, expected: dict[str, str], headers: dict[str, str]
) -> None:
    """The query holds what the settings say, written so that every service reads it."""
    with CannedServer([Canned(b"{}")]) as server:
        source = odata_source(tmp_path, server.url("/set?sap-client=100"), settings)
        with pytest.raises(SourceFormatError, match=r"has no|other shape"):
            list(source.pages(RunControl()))
        target, sent = server.requests[0]

    query = urlsplit(target).query
    assert {name: one[0] for name, one in parse_qs(query).items()} == {
        "sap-client": "100",
        **expected,
    }
    assert "+" not in query
    assert headers.items() <= sent.items()
    assert sent["accept"] == "application/json"


@pytest.mark.parametrize(
    ("link", "asked"),
    [
        ("Products?$skiptoken=2", "/odata/Products?$skiptoken=2"),
        ("/other/Products?$skiptoken=2", "/other/Products?$skiptoken=2"),
        ("?$skiptoken=2", "/odata/set?$skiptoken=2"),
        ("{origin}/odata/set?$skiptoken=2", "/odata/set?$skiptoken=2"),
    ],
)
@pytest.mark.parametrize("name", ["@odata.nextLink", "@nextLink"])
def test_a_next_link_leads_on(tmp_path: Path, name: str, link: str, asked: str) -> None:
    """Relative or absolute, by its name of 4.0 or 4.01, it is followed as it stands."""
    with CannedServer([]) as server:
        further = {name: link.format(origin=server.url(""))}
        server.answers += [answer(further=further), answer()]
        pages = list(odata_source(tmp_path, server.url("/odata/set")).pages(RunControl()))

    assert [len(page.fingerprints) for page in pages] == [2, 2]
    assert server.requests[1][0] == asked
    assert server.requests[1][1]["prefer"] == "odata.maxpagesize=500"


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.2:9/x",
        "//127.0.0.2/x",
        "https://127.0.0.1/x",
        "http://127.0.0.1:99999/x",
        "http://[::1",
        "http://127.0.0.1:port/x",
        "file:///etc/passwd",
    ],
)
def test_a_next_link_to_another_host_is_refused(tmp_path: Path, link: str) -> None:
    """Nothing is sent to another host, port or scheme."""
    with CannedServer([answer(further={"@odata.nextLink": link})]) as server:
        source = odata_source(tmp_path, server.url())
        with pytest.raises(PermanentSourceError) as failure:
            list(source.pages(RunControl()))

    assert failure.value.code == "source_redirect"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("body", "settings", "code"),
    [
        (b'{"value": []}', "", "source_count"),
        (b'{"@odata.count": "many", "value": []}', "", "source_count"),
        (b'{"@odata.count": -1, "value": []}', "", "source_count"),
        (b'{"@odata.count": 1}', "", "source_no_records"),
        (b'{"error": {"code": "", "message": "no"}}', "", "source_no_records"),
        (b'{"value": [], "@odata.nextLink": 5.5}', "count = false", "source_cursor"),
        (b'{"d": []}', 'version = "v2"', "source_shape"),
        (b'{"d": {"results": []}}', 'version = "v2"', "source_count"),
        (b'{"value": [', "count = false", "source_cut"),
        (b'{"@odata.count": 1e999, "value": []}', "", "source_shape"),
        (b'{"value": [{"ITEMID": "a"}, 5]}', "count = false", "source_record"),
        (b"[1]", "", "source_shape"),
    ],
)
def test_other_shapes_are_refused(tmp_path: Path, body: bytes, settings: str, code: str) -> None:
    """An answer that is not what the protocol says is an error with its code."""
    with CannedServer([Canned(body)]) as server:
        source = odata_source(tmp_path, server.url(), settings)
        with pytest.raises((SourceFormatError, TransientSourceError)) as failure:
            list(source.pages(RunControl()))

    assert failure.value.code == code


@pytest.mark.parametrize("location", ["http://[::1", "http://127.0.0.1:x/", "\xff://\xfe"])
def test_a_redirect_to_nonsense_is_refused(tmp_path: Path, location: str) -> None:
    """A Location that is no URL is an error like another, not an accident."""
    with CannedServer([Canned(b"", 302, {"Location": location})]) as server:
        source = odata_source(tmp_path, server.url())
        with pytest.raises(PermanentSourceError) as failure:
            list(source.pages(RunControl()))

    assert failure.value.code == "source_redirect"


def test_empty_list_is_a_complete_extract(tmp_path: Path) -> None:
    """No record at all is for the guards to judge."""
    with CannedServer([answer(0)]) as server:
        pages = list(odata_source(tmp_path, server.url()).pages(RunControl()))

    assert [(len(page.fingerprints), page.declared_total) for page in pages] == [(0, 0)]


def test_paging_by_skip_without_a_count_ends_with_a_short_page(tmp_path: Path) -> None:
    """A page that is not full is the last one where nothing else tells."""
    with DemoErp(rows=250, drift=False) as erp:
        settings = 'paging = "skip"\ncount = false\npage_size = 100'
        source = odata_source(tmp_path, erp.url("/odata/v4/Products"), settings)
        pages = list(source.pages(RunControl()))

    assert [len(page.fingerprints) for page in pages] == [100, 100, 50]
    assert pages[0].declared_total is None


def test_filter_and_order_reach_the_service(tmp_path: Path) -> None:
    """Only what the filter leaves is read, in the order of the key."""
    with DemoErp(rows=400, drift=False) as erp:
        settings = 'paging = "skip"\npage_size = 50\nfilter = "BRASSHANK eq \'104\'"'
        source = odata_source(tmp_path, erp.url("/odata/v4/Products"), settings)
        rows = normalised(source)
        products, _ = erp.revisions.products(0, 1000, {})

    wanted = sorted(one["ITEMID"] for one in products if one["BRASSHANK"] == "104")
    assert [row and row[0] for row in rows] == wanted


def test_check_reads_one_page(tmp_path: Path) -> None:
    """A check asks once, and says what it found."""
    with DemoErp(rows=400, drift=False) as erp:
        settings = 'paging = "skip"\npage_size = 50'
        source = odata_source(tmp_path, erp.url("/odata/v4/Products"), settings)
        sentence = source.check()

    assert "50 of 400 records" in sentence
    assert len(erp.requests) == 1


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ('version = "v3"', "v4, v2"),
        ('paging = "top"', "server, skip"),
        ('timezone = "Europe/Roma"', "Europe/Rome"),
        ('timezone = "../../etc/passwd"', "Europe/Rome"),
        ('count = "yes"', "true or false"),
        ("conditional = 1", "true or false"),
        ("concurrency = 33", "1 to 32"),
        ("page_size = 0", "1 to"),
        ('validator = "header:"', "header:ETag"),
        ('validator = "header:a b"', "header:ETag"),
        ('notation = "italian"', "leave notation out"),
        ('filters = ""', "filter"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, line: str, remedy: str) -> None:
    """Each wrong setting is told with what to write instead."""
    with pytest.raises(ConfigError) as error:
        odata_source(tmp_path, "http://127.0.0.1:1/", line)

    assert remedy in str(error.value)
    assert len(error.value.faults) == 1
