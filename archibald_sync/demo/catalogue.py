"""A made-up product list, shaped like the ERP's: the same seed gives the same products."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

Product = dict[str, Any]

_PACKS = ("K0", "K1", "K2", "K3", "R0", "R1", "A1")
_SHANKS = ("104", "204", "314", "654", "000")
_GROUPS = 73
_LARGEST_GROUP_SHARE = 0.092
_NO_SIZE_SHARE = 0.09
_COURSES, _FIRST_ID = 23, 10_000
_CHANGING = ("DESCRIPTION", "PURCHPRICEPCS", "MULTIPLEQTY", "LOWESTQTY", "MODIFIEDBY")


@dataclass(frozen=True, slots=True)
class Revision:
    """What one change of the catalogue did: ids, and for updated ones the ERP's fields."""

    number: int
    created: list[str] = field(default_factory=list)
    updated: dict[str, list[str]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)


class DemoCatalogue:
    """The products of the demo ERP, and how they change from revision to revision."""

    def __init__(self, rows: int, seed: int) -> None:
        """Make ``rows`` products from ``seed``: revision 1."""
        self._chance = random.Random(seed)
        self._next_number = 0
        self.products: dict[str, Product] = {}
        for _ in range(rows):
            self._add()
        self.revision = Revision(1, created=list(self.products))

    def revise(self, created: int, updated: int, removed: int) -> Revision:
        """Change the catalogue, and return exactly what changed."""
        ids = list(self.products)
        chosen = self._chance.sample(ids, min(updated + removed, len(ids)))
        gone, changed = chosen[:removed], chosen[removed:]
        for one in gone:
            del self.products[one]
        self.revision = Revision(
            self.revision.number + 1,
            updated={one: self._change(one) for one in changed},
            created=[self._add() for _ in range(created)],
            removed=gone,
        )
        return self.revision

    def _add(self) -> str:
        product = _product(self._next_number, self._chance)
        self._next_number += 1
        self.products[product["ITEMID"]] = product
        return str(product["ITEMID"])

    def _change(self, key: str) -> list[str]:
        product = dict(self.products[key])
        fields = self._chance.sample(_CHANGING, self._chance.randint(1, 3))
        for name in fields:
            value = product[name]
            product[name] = f"{value}*" if isinstance(value, str) else round(value + 1.25, 2)
        self.products[key] = product
        return sorted(fields)


def _product(number: int, chance: random.Random) -> Product:
    """Return product ``number``: some course rows first, then instruments in pack variants."""
    if number < _COURSES:
        return _row(f"KBNFEB{number + 1:02d}b", f"CORSO.{number + 1:02d}", "K0", "", chance, 0)
    family, pack = divmod(number, 2)
    figure = f"H{100 + family % 900}{'ABFSQ'[family % 5]}"
    size = "" if chance.random() < _NO_SIZE_SHARE else f"{5 + family % 60:03d}"
    # The ERP's own irregular inner spaces.
    separator = ". " if family % 97 == 0 else "."
    name = f"{figure}.{_SHANKS[family % 5]}{separator}{size or '000'}"
    bulk = f"{_FIRST_ID + family:06d}"
    suffix = _PACKS[(family + pack) % len(_PACKS)]
    if family % 11 == 0:
        return _row(f"100{number:05d}", name, suffix, size, chance, 1)
    return _row(f"{bulk}{suffix}", name, suffix, size, chance, (5, 1, 10, 100)[family % 4])


def _row(key: str, name: str, pack: str, size: str, chance: random.Random, content: int) -> Product:
    is_largest = chance.random() < _LARGEST_GROUP_SHARE
    group = 0 if is_largest else chance.randrange(1, _GROUPS)
    number = chance.randrange(1000, 9999)
    figure, _, rest = name.partition(".")
    return {
        "ITEMID": key,
        "NAME": name,
        "DESCRIPTION": f"Fresa in carburo di tungsteno, figura {figure}",
        "PRODUCTGROUPID.ID": str(group + 1),
        "ImageCalc": "System.Byte[]",
        "BRASPACKINGCONTENTS": content,
        "SEARCHNAME": name,
        "PRICEUNIT": 1.0,
        "PRODUCTGROUPID.PRODUCTGROUPID": f"{20_000 + group:05d}",
        "PRODUCTGROUPID.PRODUCTGROUP1": f"FRESE GRUPPO {group:02d}",
        "LOWESTQTY": float(content or 1),
        "MULTIPLEQTY": float(content or 1),
        "HIGHESTQTY": 1000.0,
        "BRASFIGURE": figure,
        "BRASITEMIDBULK": key.removesuffix(pack),
        "BRASPACKAGEEXPERTS": pack,
        "BRASSHANK": rest[:3],
        "BRASSIZE": size,
        "CONFIGID": "v.001",
        "CREATEDBY": "Admin",
        "CREATEDDATETIME": f"20{10 + number % 14}-{1 + number % 12:02d}-15T10:00:00",
        "DATAAREAID": "dat",
        "DEFAULTSALESQTY": float(content or 1),
        "DISPLAYPRODUCTNUMBER": key,
        "ENDDISC": number % 2,
        "ID": f"{number // 1000}.{number % 1000:03d}",
        "LINEDISC.ID": str(1 + number % 9),
        "MODIFIEDBY": "Admin",
        "MODIFIEDDATETIME": "2025-11-03T08:15:00",
        "ORDERITEM": True,
        "PURCHPRICEPCS": round(1 + number / 37, 2),
        "STANDARDCONFIGID": "v.001",
        "STANDARDQTY": 1.0,
        "STOPPED": False,
        "UNITID": "Pz",
        "TAXITEMGROUPID": (5, 1, 0)[number % 3],
    }
