"""SQLAlchemy Core: an upsert of each page. It keeps no log and deletes nothing."""

from __future__ import annotations

from pathlib import Path

import orjson
from files import working_copy
from measure import Measured, stopwatch
from payload import COLUMNS, Payload
from sqlalchemy import Column, Engine, MetaData, Table, Text, create_engine, func, select
from sqlalchemy.dialects.sqlite import insert

_KEY, *_OTHERS = COLUMNS.values()
_METADATA = MetaData()
_PRODUCTS = Table(
    "products",
    _METADATA,
    Column(_KEY, Text, primary_key=True),
    *(Column(name, Text) for name in _OTHERS),
)


def load(payload: str, target: str) -> Measured:
    """Fill a new database."""
    engine = _engine(Path(target))
    _METADATA.create_all(engine)
    _upsert(engine, Path(payload))
    engine.dispose()
    return Measured()


def sync(payload: str, target: str, folder: str) -> Measured:
    """Bring a copy of the database up to date."""
    measured = Measured()
    with working_copy(Path(target), Path(folder)) as path:
        engine = _engine(path)
        with stopwatch(measured):
            _upsert(engine, Path(payload))
        with engine.connect() as connection:
            rows = connection.execute(select(func.count()).select_from(_PRODUCTS)).scalar()
        measured.facts["rows"] = rows
        engine.dispose()
    return measured


def _upsert(engine: Engine, payload: Path) -> None:
    statement = insert(_PRODUCTS)
    given = {name: statement.excluded[name] for name in _OTHERS}
    statement = statement.on_conflict_do_update(index_elements=[_KEY], set_=given)
    with engine.begin() as connection:
        for page in Payload(payload).pages():
            connection.execute(statement, orjson.loads(page)["items"])


def _engine(path: Path) -> Engine:
    return create_engine(f"sqlite:///{path}")
