"""Sources that read CSV and XLSX files, from the demo ERP or from a folder."""

from __future__ import annotations

import json
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from archibald_sync.demo import csv_face, xlsx_face
from archibald_sync.demo.columns import COLUMNS
from archibald_sync.domain.normalise import Normaliser, Notation, ValueRejectedError
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import SourceError
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from archibald_sync.demo.server import DemoErp
    from archibald_sync.domain.models import Page
    from archibald_sync.domain.normalise import Value
    from archibald_sync.domain.ports import Source

_PACKAGED = tomllib.loads(
    (resources.files("archibald_sync.demo") / "source.toml").read_text("utf-8")
)
THEIR_FIELDS: dict[str, str] = _PACKAGED["products"]["fields"]
HEADERS = {one.field: one.header for one in COLUMNS}
ALL_FIELDS = {ours: HEADERS[theirs] for ours, theirs in THEIR_FIELDS.items()}


def file_source(
    folder: Path,
    kind: str,
    fields: dict[str, str] | None = None,
    **keys: Any,  # noqa: ANN401  # values of TOML
) -> Source:
    """Return a source of ``kind`` whose table has ``keys``; copies are kept in a folder."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in {"kind": kind, **keys}.items()]
    columns = fields or ALL_FIELDS
    lines += [
        "[products.fields]",
        *(f"{ours} = {json.dumps(theirs, ensure_ascii=False)}" for ours, theirs in columns.items()),
    ]
    path = folder / "source.toml"
    path.write_text("\n".join(["[products]", *lines]), "utf-8")
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    return load_source(PRODUCTS, path, {}, scratch)


def read(source: Source, validator: str | None = None) -> list[Page]:
    """Return all pages of an extract."""
    return list(source.pages(RunControl(), validator))


def delivered(pages: Iterable[Page]) -> list[tuple[object, ...]]:
    """Return the values of all records as they are delivered."""
    return [row for page in pages for row in page.decode(range(len(page.fingerprints)))]


def values(source: Source, pages: Iterable[Page]) -> list[tuple[Value, ...] | str]:
    """Return the values to keep of all records; where one is rejected, its field."""
    normaliser = Normaliser(
        [PRODUCTS.fields_by_name[name] for name in source.fields], source.notation
    )
    kept: list[tuple[Value, ...] | str] = []
    for record in delivered(pages):
        try:
            kept.append(normaliser.values(record))
        except ValueRejectedError as exc:
            kept.append(exc.field)
    return kept


def catalogue(erp: DemoErp) -> list[tuple[Value, ...]]:
    """Return what the demo ERP's products are once they are read."""
    rows, _ = erp.revisions.products(0, 10**9, {})
    normaliser = Normaliser(PRODUCTS.fields, Notation.PLAIN)
    return [
        normaliser.values([row[THEIR_FIELDS[name]] for name in PRODUCTS.field_names])
        for row in rows
    ]


def of_url(erp: DemoErp, folder: Path, kind: str, **keys: Any) -> Source:  # noqa: ANN401
    """Return a source that reads the export of the demo ERP."""
    return file_source(folder, kind, url=erp.url(f"/export/products.{kind}"), **keys)


def of_path(erp: DemoErp, folder: Path, kind: str, **keys: Any) -> tuple[Source, Path]:  # noqa: ANN401
    """Return a source that reads a file in a folder, and the file."""
    rows, _ = erp.revisions.products(0, 10**9, {})
    path = folder / f"drop.{kind}"
    if kind == "csv":
        path.write_bytes(csv_face.written(COLUMNS, rows).encode("utf-8-sig"))
    else:
        path.write_bytes(xlsx_face.written(COLUMNS, rows, {}))
    return file_source(folder, kind, path=path.name, **{"settle_s": 0, **keys}), path


def failure(source: Source, validator: str | None = None) -> SourceError:
    """Return the error with which an extract fails."""
    with pytest.raises(SourceError) as error:
        read(source, validator)
    return error.value
