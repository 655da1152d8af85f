"""The demo ERP's exports: one file of all products, as the ERP's neighbours drop them."""

from __future__ import annotations

import csv
import io
import sys
from typing import TYPE_CHECKING

import pytest
import python_calamine
import requests

from archibald_sync.demo.columns import COLUMNS, printed
from archibald_sync.demo.server import DemoErp

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = ("/export/products.csv", "/export/products.xlsx")


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a small demo ERP that stands still."""
    with DemoErp(rows=50, seed=7, drift=False) as erp:
        yield erp


@pytest.mark.parametrize("path", PATHS)
def test_an_unchanged_file_is_not_sent_again(erp: DemoErp, path: str) -> None:
    """ETag and Last-Modified each spare the body, until the products change."""
    first = requests.get(erp.url(path), timeout=30)
    conditions = [
        {"If-None-Match": first.headers["ETag"]},
        {"If-Modified-Since": first.headers["Last-Modified"]},
    ]

    for condition in conditions:
        answer = requests.get(erp.url(path), headers=condition, timeout=30)
        assert (answer.status_code, answer.content) == (304, b"")

    erp.revise(updated=1)
    for condition in conditions:
        answer = requests.get(erp.url(path), headers=condition, timeout=30)
        assert answer.status_code == 200
        assert answer.content != first.content


@pytest.mark.parametrize("path", PATHS)
def test_the_same_products_give_the_same_bytes(erp: DemoErp, path: str) -> None:
    """A file depends on nothing but the products."""
    bodies = {requests.get(erp.url(path), timeout=30).content for _ in range(2)}

    assert len(bodies) == 1


@pytest.mark.parametrize("path", PATHS)
def test_each_read_may_find_other_products(path: str) -> None:
    """With drift each export is a read that finds the products changed a little."""
    with DemoErp(rows=50, seed=7) as erp:
        tags = {requests.get(erp.url(path), timeout=30).headers["ETag"] for _ in range(3)}

    assert len(tags) == 3


def test_csv_is_printed_the_italian_way(erp: DemoErp) -> None:
    """Semicolons, decimal commas, dates with slashes; in UTF-8 with a mark, or in cp1252."""
    plain = requests.get(erp.url(PATHS[0]), timeout=30).content
    older = requests.get(erp.url(PATHS[0]), {"encoding": "cp1252"}, timeout=30).content

    assert plain.decode("utf-8-sig") == older.decode("cp1252")
    assert plain.startswith(b"\xef\xbb\xbfID ARTICOLO;NOME ARTICOLO;")
    rows = list(csv.DictReader(io.StringIO(older.decode("cp1252")), delimiter=";"))
    assert len(rows) == 50
    assert {row["QTÀ MASSIMA"] for row in rows} == {"1.000,00"}
    assert {row["DATETIME MODIFICATO"] for row in rows} == {"03/11/2025 08:15:00"}
    assert {row["FERMATO"] for row in rows} == {"No"}


def test_xlsx_has_typed_cells_and_no_formula(erp: DemoErp) -> None:
    """Numbers and dates are cells of their kind; a text that begins with = stays text."""
    erp.faults.switch_on("additional")
    content = requests.get(erp.url(PATHS[1]), timeout=30).content

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    headers, *rows = book.get_sheet_by_index(0).to_python()

    assert len(rows) == 50
    by_name = dict(zip(headers, rows[0], strict=True))
    assert (by_name["QTÀ MASSIMA"], by_name["FERMATO"]) == (1000.0, False)
    assert str(by_name["DATETIME MODIFICATO"]) == "2025-11-03 08:15:00"
    assert by_name["COLONNA NUOVA"] == "=0"


def test_without_its_library_xlsx_says_so(erp: DemoErp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that is installed without the demo's extra answers 501, and goes on."""
    monkeypatch.setitem(sys.modules, "xlsxwriter", None)

    assert requests.get(erp.url(PATHS[1]), timeout=30).status_code == 501
    assert requests.get(erp.url(PATHS[0]), timeout=30).status_code == 200


def test_an_export_knows_who_asks() -> None:
    """Exports are for those who may read the pages as well."""
    with DemoErp(rows=5, headers={"X-Api-Key": "k"}) as erp:
        for path in PATHS:
            assert requests.get(erp.url(path), timeout=30).status_code == 401
            allowed = requests.get(erp.url(path), headers={"X-Api-Key": "k"}, timeout=30)
            assert allowed.status_code == 200


def test_every_column_of_the_list_is_there(erp: DemoErp) -> None:
    """The table of columns has each field of a product, once, under headers of its own."""
    (product, *_), _ = erp.revisions.products(0, 1, {})

    assert [column.field for column in COLUMNS] == list(product)
    for headers in ([one.header for one in COLUMNS], [one.english for one in COLUMNS]):
        assert len(set(headers)) == len(headers)


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (1234567.5, "decimal", "1.234.567,50"),
        (-0.5, "decimal", "-0,50"),
        ("n/a", "decimal", "n/a"),
        (True, "boolean", "Sì"),
        ("2024-01-31T10:00:00", "datetime", "31/01/2024 10:00:00"),
        ("31/02/2024", "datetime", "31/02/2024"),
        (5, "integer", "5"),
        (None, "text", ""),
    ],
)
def test_print(value: object, kind: str, text: str) -> None:
    """Values are printed as the ERP does; what has another type comes as it is."""
    assert printed(value, kind) == text
