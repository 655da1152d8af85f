"""The archibald connector against the demo ERP's own face: complete, or a fault with its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from archibald_support import (
    EXPORT,
    FIELDS,
    HEADERS,
    LIST,
    LOGIN,
    ROWS,
    archibald_file,
    archibald_source,
    leftovers,
    records_of,
)
from erp_support import free_port, source_of
from support import World

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.models import RunOutcome
from archibald_sync.domain.normalise import Normaliser, ValueRejectedError
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import (
    ConfigError,
    PermanentSourceError,
    SourceAuthError,
    SourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from archibald_sync.domain.ports import Source


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP whose products stay the same."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


def normalised(source: Source, names: tuple[str, ...]) -> list[tuple[object, ...]]:
    """Return the values of some fields of one extract, as they would be kept."""
    places = [source.fields.index(name) for name in names]
    normaliser = Normaliser([PRODUCTS.fields_by_name[one] for one in names], source.notation)
    return [normaliser.values([row[place] for place in places]) for row in records_of(source)]


def test_every_cell_is_what_the_other_face_delivers(erp: DemoErp, tmp_path: Path) -> None:
    """Whatever way the products come, as PDF or as JSON, the kept values are the same."""
    source = archibald_source(erp, tmp_path)
    rest = source_of(erp, tmp_path)

    found = normalised(source, source.fields)

    assert len(source.fields) == 34
    assert found == normalised(rest, source.fields)
    assert len(found) == ROWS
    assert leftovers(tmp_path) == []


def test_pages_announce_the_whole(erp: DemoErp, tmp_path: Path) -> None:
    """Each page says how many records and pages there will be, from the first on."""
    pages = list(archibald_source(erp, tmp_path).pages(RunControl()))

    assert [page.number for page in pages] == [1, 2, 3]
    assert {(page.total_pages, page.declared_total) for page in pages} == {(3, ROWS)}


def test_fingerprints_follow_content_and_mapping(erp: DemoErp, tmp_path: Path) -> None:
    """Equal rows have equal fingerprints, though the file is another; other mappings differ."""

    def fingerprints(**changes: Any) -> list[bytes]:  # noqa: ANN401  # passed on
        source = archibald_source(erp, tmp_path, **changes)
        return [one for page in source.pages(RunControl()) for one in page.fingerprints]

    first, again = fingerprints(), fingerprints()
    erp.revise(updated=5)
    after = fingerprints()

    assert first == again
    assert sum(one != other for one, other in zip(first, after, strict=True)) == 5
    assert set(first).isdisjoint(fingerprints(notation='"plain"'))


def test_only_mapped_columns_are_delivered(erp: DemoErp, tmp_path: Path) -> None:
    """A header is found whatever its case, colons and apostrophe; others are not delivered."""
    fields = {"id": "id Articolo:", "bulkArticleId": "ID IN BLOCCO DELL'ARTICOLO"}
    path = archibald_file(tmp_path, erp.url("/Archibald/"), fields)
    environ = {"ERP_USER": "agente", "ERP_PASSWORD": "segreto"}

    records = records_of(load_source(PRODUCTS, path, environ))

    products, _ = erp.revisions.products(0, ROWS, {})
    assert records == [(one["ITEMID"], one["BRASITEMIDBULK"]) for one in products]


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("reordered", {}),
        ("additional", {}),
        ("shown", {}),
        ("hidden", {"column": "ImageCalc"}),
    ],
)
def test_columns_may_move(
    erp: DemoErp, tmp_path: Path, fault: str, options: dict[str, Any]
) -> None:
    """Columns in another order, further ones or fewer unmapped ones change no value."""
    expected = records_of(archibald_source(erp, tmp_path))
    erp.faults.switch_on(fault, **options)

    assert records_of(archibald_source(erp, tmp_path)) == expected


def test_empty_and_filtered_exports_are_complete(erp: DemoErp, tmp_path: Path) -> None:
    """What looks perfect is delivered as it is, with its count: the guards judge it."""
    source = archibald_source(erp, tmp_path)
    erp.faults.switch_on("filtered", rows=41)
    assert len(records_of(source)) == 41

    erp.faults.clear()
    erp.faults.switch_on("empty")
    pages = list(source.pages(RunControl()))

    assert [(len(page.fingerprints), page.declared_total) for page in pages] == [(0, 0)]


def test_duplicated_ids_are_delivered(erp: DemoErp, tmp_path: Path) -> None:
    """An id that is there twice comes twice: a guard refuses the plan."""
    erp.faults.switch_on("duplicated")

    records = records_of(archibald_source(erp, tmp_path))

    assert records[0] == records[1]
    assert len(records) == ROWS + 1


FAULTS: list[tuple[str, dict[str, Any], type[SourceError], str]] = [
    ("status", {"status": 500, "page": EXPORT}, TransientSourceError, "source_http_500"),
    ("status", {"status": 502, "page": EXPORT}, TransientSourceError, "source_http_502"),
    ("status", {"status": 503, "page": LIST}, TransientSourceError, "source_http_503"),
    ("status", {"status": 504, "page": EXPORT}, TransientSourceError, "source_http_504"),
    ("status", {"status": 500, "page": LOGIN}, TransientSourceError, "source_http_500"),
    ("status", {"status": 404, "page": LIST}, PermanentSourceError, "source_http_404"),
    ("reset", {"page": EXPORT}, TransientSourceError, "source_connect"),
    ("cut", {"page": EXPORT}, TransientSourceError, "source_cut"),
    ("cut-silently", {"page": EXPORT}, TransientSourceError, "source_pdf_cut"),
    ("cut-headers", {"page": EXPORT}, TransientSourceError, "source_empty_body"),
    ("empty-body", {"page": EXPORT}, TransientSourceError, "source_empty_body"),
    ("truncated-pdf", {}, TransientSourceError, "source_pdf_cut"),
    ("damaged-pdf", {}, SourceFormatError, "source_pdf_damaged"),
    ("html-error", {"page": LIST}, TransientSourceError, "source_error_page"),
    ("html-error", {"page": EXPORT}, TransientSourceError, "source_error_page"),
    ("html-error", {"page": LOGIN}, TransientSourceError, "source_error_page"),
    ("login-page", {"page": LIST}, SourceAuthError, "source_login_page"),
    ("login-page", {"page": EXPORT}, SourceAuthError, "source_login_page"),
    ("login-page", {"page": LOGIN}, SourceFormatError, "source_login_form"),
    ("invalid-json", {"page": EXPORT}, SourceFormatError, "source_not_pdf"),
    ("invalid-json", {"page": LIST}, SourceFormatError, "source_list_view"),
    ("slow", {"seconds": 2.5, "page": EXPORT}, TransientSourceError, "source_timeout"),
    ("slow-body", {"seconds": 0.1, "page": EXPORT}, TransientSourceError, "source_timeout"),
    ("gzip-bomb", {"page": EXPORT}, PermanentSourceError, "source_too_large"),
    (
        "redirect",
        {"location": "http://127.0.0.2:9/x", "page": EXPORT},
        PermanentSourceError,
        "source_redirect",
    ),
    ("hidden", {"column": "PRICEUNIT"}, SourceFormatError, "source_column_missing"),
    ("renamed", {}, SourceFormatError, "source_column_missing"),
    ("english", {}, SourceFormatError, "source_language"),
    ("no-footer", {}, SourceFormatError, "source_pdf_footer_missing"),
    ("wrong-total", {}, SourceFormatError, "source_pdf_count"),
    ("short-page", {"sheet": 1}, SourceFormatError, "source_pdf_rows"),
    ("short-page", {"sheet": 11}, SourceFormatError, "source_pdf_rows"),
    ("dropped-page", {}, SourceFormatError, "source_pdf_pages"),
    ("dropped-page", {"sheet": 12}, SourceFormatError, "source_pdf_pages"),
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
    """Each way to fail is told apart, and whether it may pass; nothing stays behind."""
    changes = {}
    if fault.startswith("slow"):  # the others must not depend on how fast this machine is
        changes = {"export": "{ timeout_s = 1 }"}
    source = archibald_source(erp, tmp_path, **changes)
    erp.faults.switch_on(fault, **options)

    with pytest.raises(kind) as failure:
        records_of(source)

    assert failure.value.code == code
    assert type(failure.value) is kind
    assert "segreto" not in str(failure.value)
    assert leftovers(tmp_path) == []


def test_missing_columns_are_named(erp: DemoErp, tmp_path: Path) -> None:
    """The error names the column, so that an operator can show it again."""
    erp.faults.switch_on("hidden", column="PRICEUNIT")

    with pytest.raises(SourceFormatError, match="UNITÀ DI PREZZO"):
        records_of(archibald_source(erp, tmp_path))


def test_english_is_not_asked_for(erp: DemoErp, tmp_path: Path) -> None:
    """The ERP answers in the language that source.toml names, and Italian is the default."""
    source = archibald_source(erp, tmp_path, language='"en-US"')

    with pytest.raises(SourceFormatError, match="another language"):
        records_of(source)


@pytest.mark.parametrize(
    ("column", "value", "field"),
    [
        ("PRICEUNIT", "1,000.00", "priceUnit"),
        ("CREATEDDATETIME", "31/02/2020 10:00:00", "createdAtSource"),
        ("NAME", "System.Byte[]", "name"),
        ("MULTIPLEQTY", "System.Byte[]", "multipleQty"),
        ("STOPPED", "boh", "stopped"),
    ],
)
def test_values_that_do_not_fit_are_rejected(
    erp: DemoErp, tmp_path: Path, column: str, value: str, field: str
) -> None:
    """A value is read by its declared type, never healed: its row can be told and left out."""
    erp.faults.switch_on("bad-value", column=column, value=value)
    source = archibald_source(erp, tmp_path)
    normaliser = Normaliser(
        [PRODUCTS.fields_by_name[one] for one in source.fields], source.notation
    )

    spoiled, *others = records_of(source)

    with pytest.raises(ValueRejectedError) as refusal:
        normaliser.values(spoiled)
    assert refusal.value.field == field
    assert all(normaliser.values(row) for row in others)


def test_failed_extracts_leave_the_catalogue_alone(erp: DemoErp, tmp_path: Path) -> None:
    """Through the whole service: a complete export is applied, a spoiled one changes nothing."""
    source = archibald_source(erp, tmp_path)
    world = World(tmp_path, source)  # type: ignore[arg-type]  # any source will do
    try:
        assert world.run().outcome is RunOutcome.COMPLETED
        before = world.products()
        erp.revise(updated=20, removed=5, created=5)
        for fault in ("short-page", "wrong-total", "no-footer", "renamed", "filtered", "empty"):
            erp.faults.clear()
            erp.faults.switch_on(fault, **({"rows": 41} if fault == "filtered" else {}))
            assert world.run().outcome in {RunOutcome.FAILED, RunOutcome.HELD}
            assert world.products() == before
        erp.faults.clear()
        assert world.run().outcome is RunOutcome.COMPLETED
        assert len(world.products()) == ROWS + 5
    finally:
        world.close()


# --- sessions and logins -----------------------------------------------------------


def test_a_page_in_place_of_the_export(erp: DemoErp, tmp_path: Path) -> None:
    """Where the ERP does not understand what asks for the export, source.toml is wrong."""
    source = archibald_source(erp, tmp_path, export='{ fields = { "__EVENTTARGET" = "x" } }')

    with pytest.raises(SourceFormatError, match=r"export\.fields") as failure:
        records_of(source)

    assert failure.value.code == "source_html"


def test_names_of_fields_can_be_set(erp: DemoErp, tmp_path: Path) -> None:
    """Where a form has other fields besides, source.toml names the right ones."""
    names = 'username_field = "Logon$UserName_Edit", password_field = "Logon$Password_Edit"'
    wrong = archibald_source(erp, tmp_path, login='{ username_field = "x" }')
    with pytest.raises(SourceAuthError):
        records_of(wrong)

    assert len(records_of(archibald_source(erp, tmp_path, login=f"{{ {names} }}"))) == ROWS


# --- stopping, and what stays behind ------------------------------------------------


def test_nobody_listens(tmp_path: Path) -> None:
    """An ERP that is switched off may come back."""
    path = archibald_file(tmp_path, f"http://127.0.0.1:{free_port()}/Archibald/")
    environ = {"ERP_USER": "agente", "ERP_PASSWORD": "segreto"}

    with pytest.raises(TransientSourceError) as failure:
        records_of(load_source(PRODUCTS, path, environ))

    assert failure.value.code == "source_connect"


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("auth", '{ type = "bearer", token_env = "T" }', "form"),
        ("auth", '{ type = "form", username_env = "ERP_USER" }', "auth.password_env"),
        ("auth", '{ type = "form", token_env = "T" }', "auth.token_env"),
        ("login", "{ budget = 0 }", "1 to 1000"),
        ("login", '{ pth = "x" }', "path"),
        ("login", '{ fields = "x" }', "login.fields"),
        ("export", "{ fields = { a = 1 } }", "export.fields"),
        ("export", "{ timeout_s = 900 }", "1 to 290"),
        ("reading", "{ memory_mib = 1 }", "64 to 4096"),
        ("reading", "5", "no table"),
        ("records", '"items"', "is unknown"),
        ("login", '{ path = "http://[" }', "login.path"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, key: str, value: str, problem: str) -> None:
    """A fault names file, table and key."""
    path = archibald_file(tmp_path, "http://127.0.0.1:1/", **{key: value})

    with pytest.raises(ConfigError) as error:
        load_source(PRODUCTS, path, {"ERP_USER": "u", "ERP_PASSWORD": "p"})

    assert problem in str(error.value)
    assert "source.toml [products]" in str(error.value)


def test_url_is_a_folder(tmp_path: Path) -> None:
    """The URL ends with a slash, because pages are looked for below it."""
    path = archibald_file(tmp_path, "http://127.0.0.1:1/Archibald")

    with pytest.raises(ConfigError, match="does not end with /"):
        load_source(PRODUCTS, path, {"ERP_USER": "u", "ERP_PASSWORD": "p"})


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_whole_list(tmp_path: Path) -> None:
    """All 4,540 products come through, cell by cell."""
    with DemoErp(rows=4540, drift=False) as erp:
        records = records_of(archibald_source(erp, tmp_path))

        products, _ = erp.revisions.products(0, 4540, {})
        texts = [name for name in FIELDS if PRODUCTS.fields_by_name[name].type == "text"]
        places = [(list(FIELDS).index(name), FIELDS[name]) for name in texts]
        assert [[row[place] for place, _ in places] for row in records] == [
            [one[field] for _, field in places] for one in products
        ]
        assert HEADERS["ITEMID"] == "ID ARTICOLO"
