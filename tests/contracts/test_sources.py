"""What every source promises, whatever face of the demo ERP it reads.

A connector joins by an entry in ``FACES``: every fault must show its code, and none may
leave anything behind.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from erp_support import mapping_text
from support import World, wait_for

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.models import RunOutcome
from archibald_sync.domain.normalise import Normaliser, Notation
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import NotModified, RunCancelled, SourceError
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from support import FakeSource

    from archibald_sync.domain.ports import Source

ROWS, PAGE = 250, 100


@dataclass(frozen=True)
class Face:
    """A connector, and the face of the demo ERP that it reads in pages of ``PAGE``.

    ``codes`` says where a fault shows otherwise than in ``FAILURES`` and ``HELD``; None
    where it cannot show. ``whole`` are settings with which a short-cut is possible.
    """

    path: str
    settings: str
    codes: Mapping[str, str | None] = field(default_factory=dict)
    whole: str = ""


FACES = {
    "rest": Face(
        "/api/products",
        'kind = "rest"\nrecords = "items"\ntotal = "total"\npagination = { style = "page", '
        f'size_param = "size", size = {PAGE}, total_pages = "totalPages" }}\n',
        {"endless-next": None},
        'validator = "revision"\n',
    ),
    "rest-next": Face(
        "/api/products/next",
        'kind = "rest"\nrecords = "items"\ntotal = "total"\n'
        f'pagination = {{ style = "next", size_param = "size", size = {PAGE} }}\n',
        whole='validator = "header:ETag"\n',
    ),
    "odata-v4": Face(
        "/odata/v4/Products",
        f'kind = "odata"\npage_size = {PAGE}\n',
        {"renamed": "source_query"},
        "max_page_bytes = 10000000\n",
    ),
    "odata-v4-skip": Face(
        "/odata/v4/Products",
        f'kind = "odata"\npaging = "skip"\npage_size = {PAGE}\n',
        # What a page left out is at the beginning of the next.
        {
            "renamed": "source_query",
            "endless-next": None,
            "short-page": None,
            "duplicated": "duplicate_keys",
        },
        'validator = "header:ETag"\n',
    ),
    "odata-v2": Face(
        "/odata/v2/Products",
        f'kind = "odata"\nversion = "v2"\npage_size = {PAGE}\n',
        {"renamed": "source_query"},
        'validator = "header:ETag"\n',
    ),
}

FAILURES: list[tuple[str, dict[str, Any], str]] = [
    ("cut", {"page": 2}, "source_cut"),
    ("cut-silently", {}, "source_cut"),
    ("cut-headers", {}, "source_empty_body"),
    ("reset", {"page": 3}, "source_connect"),
    ("empty-body", {}, "source_empty_body"),
    ("status", {"status": 500, "page": 2}, "source_http_500"),
    ("status", {"status": 429, "retryAfter": 7}, "source_http_429"),
    ("status", {"status": 404}, "source_http_404"),
    ("status", {"status": 403, "page": 3}, "source_http_403"),
    ("slow", {"seconds": 60}, "source_timeout"),
    ("slow-body", {"seconds": 0.2, "page": 2}, "source_timeout"),
    ("login-page", {"page": 2}, "source_login_page"),
    ("html-error", {}, "source_html"),
    ("invalid-json", {}, "source_json"),
    ("deep", {}, "source_shape"),
    ("gzip-bomb", {}, "source_too_large"),
    ("renamed", {}, "source_column_missing"),
    ("hidden", {"column": "PRICEUNIT"}, "source_column_missing"),
    ("wrong-key-type", {"value": 4691, "page": 2}, "source_key_type"),
    ("bad-value", {"page": 2}, "source_json"),
    ("bad-value", {"value": float("inf"), "page": 2}, "source_record"),
    ("redirect", {"location": "http://127.0.0.2:9/x", "page": 2}, "source_redirect"),
    ("redirect", {"location": "/api/products"}, "source_redirect"),
    ("endless-next", {}, "source_endless"),
]

HELD: list[tuple[str, dict[str, Any], str]] = [
    ("empty", {}, "empty_extract"),
    ("filtered", {"rows": 60}, "too_few_rows"),
    ("short-page", {"page": 2}, "total_mismatch"),
    ("duplicated", {"page": 1}, "total_mismatch"),
    ("wrong-total", {}, "total_mismatch"),
    ("bad-value", {"value": "1.000,00"}, "rejected_rows"),
    ("bad-value", {"column": "MODIFIEDDATETIME", "value": "2024-02-31T10:00:00"}, "rejected_rows"),
]


def shown(cases: list[tuple[str, dict[str, Any], str]]) -> list[Any]:
    """Return each case for each face that can show it, with the code that it shows there."""
    return [
        pytest.param(name, fault, options, code, id=f"{name}-{fault}-{number}")
        for name, face in FACES.items()
        for number, (fault, options, usual) in enumerate(cases)
        if (code := face.codes.get(fault, usual)) is not None
    ]


def source_for(name: str, erp: DemoErp, folder: Path, further: str = "") -> Source:
    """Return the source that reads the face ``name`` of ``erp``, with ``further`` settings."""
    face = FACES[name]
    path = folder / "source.toml"
    text = f'[products]\nurl = "{erp.url(face.path)}"\n{face.settings}{further}{mapping_text()}'
    path.write_text(text, "utf-8")
    return load_source(PRODUCTS, path, {})


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP whose products stay the same until told otherwise."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


@contextmanager
def mirrored(folder: Path, source: Source) -> Iterator[World]:
    """Return a world whose catalogue holds one complete extract of ``source``."""
    with closing(World(folder, cast("FakeSource", source), max_attempts=1)) as world:
        assert world.run().outcome is RunOutcome.COMPLETED
        yield world


def expected(erp: DemoErp) -> dict[str, dict[str, Any]]:
    """Return the ERP's products by id as our catalogue must hold them."""
    pairs = [line.split(" = ") for line in mapping_text().splitlines() if '= "' in line]
    columns = {ours: theirs.split('"')[1] for ours, theirs in pairs}
    normaliser = Normaliser([PRODUCTS.fields_by_name[name] for name in columns], Notation.PLAIN)
    products, _ = erp.revisions.products(0, 10**6, {})
    rows = [normaliser.values([product[one] for one in columns.values()]) for product in products]
    return {str(row[0]): dict(zip(columns, row, strict=True)) for row in rows}


def stored(world: World) -> dict[str, dict[str, Any]]:
    """Return the active products of the catalogue by id, all declared fields."""
    names = ", ".join(f'"{name}"' for name in PRODUCTS.field_names)
    rows = world.database.rows(f"SELECT {names} FROM products WHERE deletedAt IS NULL")  # noqa: S608  # declared names
    return {row["id"]: dict(row) for row in rows}


def everything(world: World) -> list[tuple[Any, ...]]:
    """Return each column of each row of catalogue and change log."""
    tables = ("products", "product_changes")
    return [
        tuple(row)
        for table in tables
        for row in world.database.rows(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608  # ours
    ]


@pytest.mark.parametrize("name", FACES)
def test_complete_extract_is_the_erps_catalogue(name: str, erp: DemoErp, tmp_path: Path) -> None:
    """Every field of every product arrives, and what the ERP changes is followed."""
    source = source_for(name, erp, tmp_path)
    with mirrored(tmp_path, source) as world:
        assert stored(world) == expected(erp)

        erp.revise(created=7, updated=20)
        assert world.run().outcome is RunOutcome.COMPLETED

        assert stored(world) == expected(erp)


@pytest.mark.parametrize(("name", "fault", "options", "code"), shown(FAILURES))
def test_every_failure_has_its_code_and_changes_nothing(
    name: str, fault: str, options: dict[str, Any], code: str, erp: DemoErp, tmp_path: Path
) -> None:
    """Each way to fail is told apart, shows no content, and leaves the catalogue as it was."""
    further = "max_page_bytes = 2000000\n" + ("timeout_s = 3\n" if "slow" in fault else "")
    with mirrored(tmp_path, source_for(name, erp, tmp_path, further)) as world:
        before = everything(world)
        erp.revise(created=5, updated=20, removed=2)
        erp.faults.switch_on(fault, **options)

        end = world.run()

        assert (end.outcome, end.reason) == (RunOutcome.FAILED, code)
        assert "FRESE" not in str(end.detail)
        assert everything(world) == before


@pytest.mark.parametrize(("name", "fault", "options", "guard"), shown(HELD))
def test_what_looks_wrong_is_held_and_changes_nothing(
    name: str, fault: str, options: dict[str, Any], guard: str, erp: DemoErp, tmp_path: Path
) -> None:
    """An extract that arrives well but looks wrong is held by the guard that fits."""
    with mirrored(tmp_path, source_for(name, erp, tmp_path)) as world:
        before = everything(world)
        erp.revise(created=5, updated=20, removed=2)
        erp.faults.switch_on(fault, **options)

        end = world.run()

        assert (end.outcome, end.reason) == (RunOutcome.HELD, guard)
        assert everything(world) == before


@pytest.mark.parametrize("name", FACES)
def test_a_filter_left_in_the_erp_deletes_nothing(name: str, tmp_path: Path) -> None:
    """419 of 4,540 products, announced as complete, are held whatever the face."""
    with DemoErp(drift=False) as erp, mirrored(tmp_path, source_for(name, erp, tmp_path)) as world:
        erp.faults.switch_on("filtered")

        end = world.run()

        assert (end.outcome, end.reason) == (RunOutcome.HELD, "too_few_rows")
        assert len(stored(world)) == 4540


@pytest.mark.parametrize("fault", ["additional", "volatile", "gzip"])
@pytest.mark.parametrize("name", FACES)
def test_what_is_not_mapped_changes_nothing(
    name: str, fault: str, erp: DemoErp, tmp_path: Path
) -> None:
    """Additional columns, stamps and compression cause no write."""
    with mirrored(tmp_path, source_for(name, erp, tmp_path)) as world:
        before = world.changes()
        erp.faults.switch_on(fault)

        assert world.run().outcome is RunOutcome.COMPLETED

        assert world.changes() == before
        assert stored(world) == expected(erp)


@pytest.mark.parametrize("fault", ["slow", "slow-body"])
@pytest.mark.parametrize("name", FACES)
def test_a_stop_ends_everything_at_once(
    name: str, fault: str, erp: DemoErp, tmp_path: Path
) -> None:
    """While answers are on their way a stop ends the run, and no thread goes on reading."""
    source = source_for(name, erp, tmp_path, "timeout_s = 120\n")
    erp.faults.switch_on(fault, seconds=60, page=2)
    control = RunControl()

    def stop() -> None:
        wait_for(lambda: len(erp.requests) > 1)
        control.stop(RunCancelled("requested", "enough"))

    stopper = threading.Thread(target=stop)
    stopper.start()
    began_s = time.monotonic()
    with pytest.raises(RunCancelled), control.session():
        list(source.pages(control))

    assert time.monotonic() - began_s < 20
    assert not [one for one in threading.enumerate() if one.name.startswith("page-fetcher")]
    stopper.join()


@pytest.mark.parametrize(
    ("limit", "code"),
    [
        ("max_bytes = 100000", "source_too_large"),
        ("max_page_bytes = 10000", "source_too_large"),
        ("max_pages = 2", "source_endless"),
    ],
)
@pytest.mark.parametrize("name", FACES)
def test_limits_hold(name: str, limit: str, code: str, erp: DemoErp, tmp_path: Path) -> None:
    """More bytes in all, more in one answer, or more pages than allowed are refused."""
    with pytest.raises(SourceError) as failure:
        list(source_for(name, erp, tmp_path, f"{limit}\n").pages(RunControl()))

    assert failure.value.code == code
    assert limit.split(" ", maxsplit=1)[0] in str(failure.value)


@pytest.mark.parametrize("name", FACES)
def test_nothing_changed_is_said_before_the_first_page(
    name: str, erp: DemoErp, tmp_path: Path
) -> None:
    """A source that says so costs one request; after a change all is read again."""
    whole = FACES[name].whole
    source = source_for(name, erp, tmp_path, whole)
    if name == "odata-v4":  # its ETag counts where one answer holds all
        path = tmp_path / "source.toml"
        path.write_text(path.read_text().replace(f"page_size = {PAGE}", "page_size = 1000"))
        source = load_source(PRODUCTS, path, {})
    *_, last = source.pages(RunControl())
    assert last.validator is not None
    asked = len(erp.requests)

    with pytest.raises(NotModified):
        next(source.pages(RunControl(), last.validator))
    assert len(erp.requests) == asked + 1

    erp.revise(updated=200)
    pages = list(source.pages(RunControl(), last.validator))
    assert sum(len(page.fingerprints) for page in pages) == ROWS
    assert pages[-1].validator not in {None, last.validator}


@pytest.mark.parametrize("name", FACES)
def test_an_etag_of_one_page_is_no_validator(name: str, erp: DemoErp, tmp_path: Path) -> None:
    """Where several answers make an extract, the first one's ETag says nothing about it."""
    *_, last = source_for(name, erp, tmp_path).pages(RunControl())

    assert last.validator is None


@pytest.mark.parametrize("name", [name for name in FACES if "validator" in FACES[name].whole])
def test_a_validator_of_another_reading_counts_for_nothing(
    name: str, erp: DemoErp, tmp_path: Path
) -> None:
    """After a change of the mapping, or with short-cuts off, everything is read."""
    whole = FACES[name].whole
    *_, last = source_for(name, erp, tmp_path, whole).pages(RunControl())
    path = tmp_path / "source.toml"
    other = path.read_text().replace('vatGroup = "TAXITEMGROUPID"\n', "")
    path.write_text(other)
    remapped = load_source(PRODUCTS, path, {})
    off = source_for(name, erp, tmp_path, f"{whole}conditional = false\n")

    for source in (remapped, off):
        pages = list(source.pages(RunControl(), last.validator))
        assert sum(len(page.fingerprints) for page in pages) == ROWS
    assert pages[-1].validator is None
