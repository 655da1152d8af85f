"""The product list as the ERP shows it: its columns, headers, and values as printed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archibald_sync.demo.catalogue import Product


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list: ERP field, headers, width in points, and how it prints."""

    field: str
    italian: str
    english: str
    width: float
    kind: str = "text"

    @property
    def is_right_aligned(self) -> bool:
        """Return whether the values stand at the right: numbers do."""
        return self.kind in {"integer", "decimal"}


# In the grid's order. The widths make eight pages of 3, 4, 4, 6, 5, 4, 4 and 5 columns.
COLUMNS = (
    Column("ITEMID", "ID ARTICOLO", "ITEM ID", 130),
    Column("NAME", "NOME ARTICOLO", "ITEM NAME", 140),
    Column("DESCRIPTION", "DESCRIZIONE", "DESCRIPTION", 190),
    Column("PRODUCTGROUPID.ID", "GRUPPO ARTICOLO", "ITEM GROUP", 110),
    Column("ImageCalc", "IMMAGINE", "IMAGE", 90),
    Column("BRASPACKINGCONTENTS", "CONTENUTO DELL'IMBALLAGGIO", "PACKAGE CONTENT", 130, "integer"),
    Column("SEARCHNAME", "NOME DELLA RICERCA:", "SEARCH NAME", 130),
    Column("PRICEUNIT", "UNITÀ DI PREZZO", "PRICE UNIT", 100, "decimal"),
    Column("PRODUCTGROUPID.PRODUCTGROUPID", "ID GRUPPO DI PRODOTTI", "PRODUCT GROUP ID", 120),
    Column(
        "PRODUCTGROUPID.PRODUCTGROUP1",
        "DESCRIZIONE GRUPPO ARTICOLO",
        "ITEM GROUP DESCRIPTION",
        160,
    ),
    Column("LOWESTQTY", "QTÀ MINIMA", "MIN QTY", 80, "decimal"),
    Column("MULTIPLEQTY", "QTÀ MULTIPLI", "MULTIPLE QTY", 90, "decimal"),
    Column("HIGHESTQTY", "QTÀ MASSIMA", "MAX QTY", 85, "decimal"),
    Column("BRASFIGURE", "FIGURA", "FIGURE", 70),
    Column(
        "BRASITEMIDBULK",
        "ID IN BLOCCO DELL\N{RIGHT SINGLE QUOTATION MARK}ARTICOLO",
        "BULK ITEM ID",
        110,
    ),
    Column("BRASPACKAGEEXPERTS", "PACCO", "PACKAGE", 55),
    Column("BRASSHANK", "GAMBA", "SHANK", 55),
    Column("BRASSIZE", "GRANDEZZA", "SIZE", 80),
    Column("CONFIGID", "ID DI CONFIGURAZIONE", "CONFIGURATION ID", 100),
    Column("CREATEDBY", "CREATO DA", "CREATED BY", 90),
    Column("CREATEDDATETIME", "DATA CREATA", "CREATED DATETIME", 110, "datetime"),
    Column("DATAAREAID", "DATAAREAID", "DATAAREAID", 80),
    Column("DEFAULTSALESQTY", "QTÀ PREDEFINITA", "DEFAULT QTY", 105, "decimal"),
    Column(
        "DISPLAYPRODUCTNUMBER", "VISUALIZZA IL NUMERO DI PRODOTTO", "DISPLAY PRODUCT NUMBER", 150
    ),
    Column("ENDDISC", "SCONTO ASSOLUTO TOTALE", "TOTAL ABSOLUTE DISCOUNT", 130, "integer"),
    Column("ID", "ID", "ID", 70),
    Column("LINEDISC.ID", "SCONTO LINEA", "LINE DISCOUNT", 100),
    Column("MODIFIEDBY", "MODIFICATO DA", "MODIFIED BY", 115),
    Column("MODIFIEDDATETIME", "DATETIME MODIFICATO", "MODIFIED DATETIME", 120, "datetime"),
    Column("ORDERITEM", "ARTICOLO ORDINABILE", "ITEM TO ORDER", 125, "boolean"),
    Column("PURCHPRICEPCS", "PURCH PRICE PCS", "PURCH PRICE PCS", 95, "decimal"),
    Column("STANDARDCONFIGID", "ID DI CONFIGURAZIONE STANDARD", "STANDARD CONFIG ID", 120),
    Column("STANDARDQTY", "QTÀ STANDARD", "STANDARD QTY", 95, "decimal"),
    Column("STOPPED", "FERMATO", "STOPPED", 70, "boolean"),
    Column("UNITID", "ID UNITÀ", "UNIT ID", 70),
    Column("TAXITEMGROUPID", "ID ELEMENTO IVAID", "TAX ITEM GROUP ID", 100, "integer"),
)
# The ERP hides these unless somebody shows them in his profile.
HIDDEN = ("TAXITEMGROUPID",)


def printed(product: Product, column: Column, *, is_english: bool = False) -> str:
    """Return the value of ``column`` as the list prints it."""
    value = product[column.field]
    if value is None or isinstance(value, str):
        return _moment(value, is_english=is_english) if column.kind == "datetime" else value or ""
    if column.kind == "boolean":
        words = ("No", "Yes") if is_english else ("No", "Sì")
        return words[bool(value)]
    return number(value, 2 if column.kind == "decimal" else 0, is_english=is_english)


def number(value: float, decimals: int = 0, *, is_english: bool = False) -> str:
    """Return a number with separators; negative ones in brackets."""
    text = f"{abs(value):,.{decimals}f}"
    if not is_english:
        text = text.translate({ord(","): ".", ord("."): ","})
    return f"({text})" if value < 0 else text


def _moment(value: Any, *, is_english: bool) -> str:  # noqa: ANN401  # spoiled values too
    try:
        day, _, time = value.partition("T")
        year, month, date = day.split("-")
    except (AttributeError, ValueError):
        return str(value)
    return f"{month}/{date}/{year} {time}" if is_english else f"{date}/{month}/{year} {time}"
