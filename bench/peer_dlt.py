"""dlt: merge into duckdb by primary key. It keeps no log of fields."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

# Before dlt is imported: no telemetry, and nothing in the home folder.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"

import dlt
import duckdb
import orjson
from measure import Measured, stopwatch
from payload import COLUMNS, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = COLUMNS["id"]


def load(payload: str, target: str) -> Measured:
    """Fill a new database."""
    Path(target).mkdir()
    _run(Path(payload), Path(target))
    return Measured()


def sync(payload: str, target: str, folder: str) -> Measured:
    """Bring a copy of the database up to date."""
    measured = Measured()
    with tempfile.TemporaryDirectory(dir=folder) as place:
        copy = Path(place) / "dlt"
        shutil.copytree(target, copy)
        with stopwatch(measured):
            _run(Path(payload), copy)
        with duckdb.connect(str(copy / "products.duckdb")) as connection:
            found = connection.execute("SELECT COUNT(*) FROM mirror.products").fetchone()
        measured.facts["rows"] = found[0] if found else 0
    return measured


def _run(payload: Path, folder: Path) -> None:
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(folder / "products.duckdb")),
        dataset_name="mirror",
    )
    pipeline.run(
        _pages(payload),
        table_name="products",
        write_disposition="merge",
        primary_key=_KEY,
        loader_file_format="parquet",
    )


def _pages(payload: Path) -> Iterator[list[dict[str, Any]]]:
    for page in Payload(payload).pages():
        yield orjson.loads(page)["items"]
