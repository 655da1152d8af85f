"""sqlite-utils: ``upsert_all`` of all records. It keeps no log and deletes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import sqlite_utils
from files import working_copy
from measure import Measured, stopwatch
from payload import COLUMNS, Payload

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = COLUMNS["id"]


def load(payload: str, target: str) -> Measured:
    """Fill a new database."""
    database = sqlite_utils.Database(target)
    database.enable_wal()
    database["products"].insert_all(_records(Path(payload)), pk=_KEY)
    database.close()
    return Measured()


def sync(payload: str, target: str, folder: str) -> Measured:
    """Bring a copy of the database up to date."""
    measured = Measured()
    with working_copy(Path(target), Path(folder)) as path:
        database = sqlite_utils.Database(path)
        with stopwatch(measured):
            database["products"].upsert_all(_records(Path(payload)), pk=_KEY)
        measured.facts["rows"] = database["products"].count
        database.close()
    return measured


def _records(payload: Path) -> Iterator[dict[str, Any]]:
    for page in Payload(payload).pages():
        yield from orjson.loads(page)["items"]
