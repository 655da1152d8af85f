"""A demo ERP with its Archibald face, and a source that reads its PDF export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archibald_sync.demo.archibald_list import COLUMNS, HIDDEN
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archibald_sync.demo.server import DemoErp
    from archibald_sync.domain.ports import Source

ROWS = 120  # three cycles of eight pages
LOGIN, LIST, EXPORT = 0, 1, 2
ENVIRON = {"ERP_USER": "agente", "ERP_PASSWORD": "segreto"}
# Our field for each ERP field that the list shows, in the order of our declaration.
FIELDS = {
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
HEADERS = {column.field: column.italian for column in COLUMNS}
SHOWN = tuple(column for column in COLUMNS if column.field not in HIDDEN)


def archibald_file(
    folder: Path, url: str, fields: Mapping[str, str] | None = None, /, **changes: str
) -> Path:
    """Write a source.toml that reads from the ERP at ``url``.

    Args:
        folder: Where to write it.
        url: The ERP's folder.
        fields: Our field = theirs; None maps all that the list shows.
        changes: Keys of the table as TOML values.
    """
    fields = fields or {ours: HEADERS[theirs] for ours, theirs in FIELDS.items()}
    keys = {
        "auth": '{ type = "form", username_env = "ERP_USER", password_env = "ERP_PASSWORD" }',
        **changes,
    }
    path = folder / "source.toml"
    path.write_text(
        f'[products]\nkind = "archibald"\nurl = "{url}"\n'
        + "".join(f"{key} = {value}\n" for key, value in keys.items())
        + "[products.fields]\n"
        + "".join(f'{ours} = "{theirs}"\n' for ours, theirs in fields.items()),
        "utf-8",
    )
    return path


def archibald_source(
    erp: DemoErp,
    folder: Path,
    environ: Mapping[str, str] = ENVIRON,
    /,
    **changes: Any,  # noqa: ANN401  # passed on
) -> Source:
    """Return a source that reads the PDF export of ``erp``."""
    return load_source(PRODUCTS, archibald_file(folder, erp.url("/Archibald/"), **changes), environ)


def records_of(source: Source, control: RunControl | None = None) -> list[tuple[object, ...]]:
    """Return all records of one extract."""
    return [
        record
        for page in source.pages(control or RunControl())
        for record in page.decode(range(len(page.fingerprints)))
    ]


def leftovers(folder: Path) -> list[str]:
    """Return the names of exports that stayed in ``folder``."""
    return [path.name for path in folder.glob("archibald-export-*")]
