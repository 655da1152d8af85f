"""The product lists that are measured with: deterministic, in pages as a gateway sends them.

34 columns, every value text, about 860 bytes of JSON a row. A payload is one file of
pages, each a complete JSON answer, so that a reader holds no more than one of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE_ROWS = 1_000
# Our field = the ERP's; the 35th of our fields, vatGroup, is not delivered: 34 columns.
COLUMNS = {
    "id": "ITEMID",
    "name": "NAME",
    "description": "DESCRIPTION",
    "groupCode": "PRODUCTGROUPID.ID",
    "packageContent": "BRASPACKINGCONTENTS",
    "searchName": "SEARCHNAME",
    "priceUnit": "PRICEUNIT",
    "productGroupId": "PRODUCTGROUPID.PRODUCTGROUPID",
    "productGroupDescription": "PRODUCTGROUPID.PRODUCTGROUP1",
    "minQty": "LOWESTQTY",
    "multipleQty": "MULTIPLEQTY",
    "maxQty": "HIGHESTQTY",
    "figure": "BRASFIGURE",
    "bulkArticleId": "BRASITEMIDBULK",
    "package": "BRASPACKAGEEXPERTS",
    "shank": "BRASSHANK",
    "size": "BRASSIZE",
    "configurationId": "CONFIGID",
    "createdBy": "CREATEDBY",
    "createdAtSource": "CREATEDDATETIME",
    "dataAreaId": "DATAAREAID",
    "defaultQty": "DEFAULTSALESQTY",
    "displayProductNumber": "DISPLAYPRODUCTNUMBER",
    "totalAbsoluteDiscount": "ENDDISC",
    "productId": "ID",
    "lineDiscount": "LINEDISC.ID",
    "modifiedBy": "MODIFIEDBY",
    "modifiedAtSource": "MODIFIEDDATETIME",
    "orderable": "ORDERITEM",
    "purchasePrice": "PURCHPRICEPCS",
    "standardConfigurationId": "STANDARDCONFIGID",
    "standardQty": "STANDARDQTY",
    "stopped": "STOPPED",
    "unitId": "UNITID",
}
# What became of the list since it was loaded: nothing; one row in a hundred changed;
# other bytes with the same content; every row changed.
VARIANTS = ("base", "day", "respelled", "changed")
_CHANGED_EVERY, _CHANGED_AT = 100, 50


class Payload:
    """A file of pages and the list of where each begins."""

    def __init__(self, path: Path) -> None:
        """Read the list beside the file ``path``."""
        self.path = path
        index = json.loads(path.with_suffix(".index").read_text("utf-8"))
        self.rows: int = index["rows"]
        self._sizes: list[int] = index["sizes"]

    @property
    def size_bytes(self) -> int:
        """Return the size of all pages."""
        return sum(self._sizes)

    def pages(self) -> Iterator[bytes]:
        """Yield the bytes of each page; no other page is held."""
        with self.path.open("rb", buffering=0) as file:
            for size in self._sizes:
                yield file.read(size)


def write_payload(folder: Path, variant: str, rows: int, page_rows: int = PAGE_ROWS) -> Path:
    """Write the list ``variant`` into ``folder``, unless it is there; return it."""
    path = folder / f"{variant}-{rows}-{page_rows}.pages"
    index = path.with_suffix(".index")
    if index.exists():
        return path
    total_pages = -(-rows // page_rows)
    sizes = []
    with path.open("wb") as file:
        for start in range(0, rows, page_rows):
            items = [row(number, variant) for number in range(start, min(start + page_rows, rows))]
            body = orjson.dumps({"items": items, "total": rows, "totalPages": total_pages})
            sizes.append(file.write(body))
    index.write_text(json.dumps({"rows": rows, "sizes": sizes}), "utf-8")
    return path


def row(number: int, variant: str = "base") -> dict[str, str]:
    """Return product ``number`` as the list ``variant`` delivers it."""
    product = _product(number)
    is_of_the_day = variant == "day" and number % _CHANGED_EVERY == _CHANGED_AT
    if variant == "changed" or is_of_the_day:
        product["PURCHPRICEPCS"] = f"{(number * 7 % 90_000) / 100 + 1.25:.2f}"
        product["MODIFIEDDATETIME"] = "2026-11-24T06:00:00"
    if variant == "respelled":
        product = dict(reversed(product.items())) | {"READSTAMP": f"{number * 2654435761 % 2**32}"}
    return product


def _time(number: int) -> str:
    seconds = number * 7919 % 86_400
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _product(number: int) -> dict[str, str]:
    family, pack = number // 2, ("K0", "K1", "K2", "K3", "R0", "R1", "A1")[number % 7]
    group = number * number % 73
    figure = f"H{100 + family % 900}{'ABFSQ'[family % 5]}"
    shank, size = ("104", "204", "314", "654", "000")[family % 5], f"{5 + family % 60:03d}"
    name, content = f"{figure}.{shank}.{size}", ("1", "5", "10", "100")[family % 4]
    bulk = f"{number:07d}"
    values = (
        f"{bulk}{pack}",
        name,
        f"Fresa in carburo, figura {figure}, gambo {shank}",
        str(group + 1),
        content,
        name,
        "1.00",
        f"{20_000 + group:05d}",
        f"FRESE IN CARBURO GRUPPO {group:02d}",
        f"{content}.00",
        f"{content}.00",
        "1000.00",
        figure,
        bulk,
        pack,
        shank,
        size,
        "v.001",
        "Admin",
        f"20{10 + number % 14}-{1 + number % 12:02d}-{1 + number % 28:02d}T{_time(number)}",
        "dat",
        f"{content}.00",
        f"{bulk}{pack}",
        str(number % 2),
        f"{number // 1000}.{number % 1000:03d}",
        str(1 + number % 9),
        "Admin",
        "2025-11-03T08:15:00",
        "true",
        f"{(number * 7 % 90_000) / 100:.2f}",
        "v.001",
        "1.00",
        "false",
        "Pz",
    )
    return dict(zip(COLUMNS.values(), values, strict=True))
