"""The columns of the ERP's product list: how it calls them, and how it prints them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the ERP's field, its header in either language, and what it holds.

    ``kind`` is ``text``, ``integer``, ``decimal``, ``boolean`` or ``datetime``.
    """

    field: str
    header: str
    english: str
    kind: str = "text"


COLUMNS = (
    Column("ITEMID", "ID ARTICOLO", "ITEM NUMBER"),
    Column("NAME", "NOME ARTICOLO", "ITEM NAME"),
    Column("DESCRIPTION", "DESCRIZIONE", "DESCRIPTION"),
    Column("PRODUCTGROUPID.ID", "GRUPPO ARTICOLO", "ITEM GROUP"),
    Column("ImageCalc", "IMMAGINE", "IMAGE"),
    Column("BRASPACKINGCONTENTS", "CONTENUTO DELL'IMBALLAGGIO", "PACKING CONTENTS", "integer"),
    Column("SEARCHNAME", "NOME DELLA RICERCA", "SEARCH NAME"),
    Column("PRICEUNIT", "UNITÀ DI PREZZO", "PRICE UNIT", "decimal"),
    Column("PRODUCTGROUPID.PRODUCTGROUPID", "ID GRUPPO DI PRODOTTI", "PRODUCT GROUP ID"),
    Column("PRODUCTGROUPID.PRODUCTGROUP1", "DESCRIZIONE GRUPPO ARTICOLO", "PRODUCT GROUP"),
    Column("LOWESTQTY", "QTÀ MINIMA", "MIN. QUANTITY", "decimal"),
    Column("MULTIPLEQTY", "QTÀ MULTIPLI", "MULTIPLE", "decimal"),
    Column("HIGHESTQTY", "QTÀ MASSIMA", "MAX. QUANTITY", "decimal"),
    Column("BRASFIGURE", "FIGURA", "FIGURE"),
    Column("BRASITEMIDBULK", "ID IN BLOCCO DELL'ARTICOLO", "BULK ITEM ID"),
    Column("BRASPACKAGEEXPERTS", "PACCO", "PACKAGE"),
    Column("BRASSHANK", "GAMBA", "SHANK"),
    Column("BRASSIZE", "GRANDEZZA", "SIZE"),
    Column("CONFIGID", "ID DI CONFIGURAZIONE", "CONFIGURATION"),
    Column("CREATEDBY", "CREATO DA", "CREATED BY"),
    Column("CREATEDDATETIME", "DATA CREATA", "CREATED DATE AND TIME", "datetime"),
    Column("DATAAREAID", "DATAAREAID", "COMPANY"),
    Column("DEFAULTSALESQTY", "QTÀ PREDEFINITA", "DEFAULT QUANTITY", "decimal"),
    Column("DISPLAYPRODUCTNUMBER", "VISUALIZZA IL NUMERO DI PRODOTTO", "PRODUCT NUMBER"),
    Column("ENDDISC", "SCONTO ASSOLUTO TOTALE", "TOTAL DISCOUNT", "integer"),
    Column("ID", "ID", "RECORD ID"),
    Column("LINEDISC.ID", "SCONTO LINEA", "LINE DISCOUNT"),
    Column("MODIFIEDBY", "MODIFICATO DA", "MODIFIED BY"),
    Column("MODIFIEDDATETIME", "DATETIME MODIFICATO", "MODIFIED DATE AND TIME", "datetime"),
    Column("ORDERITEM", "ARTICOLO ORDINABILE", "CAN BE ORDERED", "boolean"),
    Column("PURCHPRICEPCS", "PURCH PRICE PCS", "PURCHASE PRICE", "decimal"),
    Column("STANDARDCONFIGID", "ID DI CONFIGURAZIONE STANDARD", "STANDARD CONFIGURATION"),
    Column("STANDARDQTY", "QTÀ STANDARD", "STANDARD QUANTITY", "decimal"),
    Column("STOPPED", "FERMATO", "STOPPED", "boolean"),
    Column("UNITID", "ID UNITÀ", "UNIT"),
    Column("TAXITEMGROUPID", "ID ELEMENTO IVAID", "ITEM SALES TAX GROUP", "integer"),
)


def printed(value: object, kind: str) -> str:
    """Return a value as the ERP prints it in Italian; what it is not fit for, as it is."""
    if isinstance(value, bool) and kind == "boolean":
        return "Sì" if value else "No"
    if isinstance(value, int | float) and kind == "decimal":
        return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))
    if kind == "datetime" and (moment := instant(value)) is not None:
        return moment.strftime("%d/%m/%Y %H:%M:%S")
    return "" if value is None else str(value)


def instant(value: object) -> datetime | None:
    """Return a date and time as the catalogue has it; None where ``value`` is none."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return None
