"""Values as OData writes them, turned into what our fields take.

What is not recognised goes on unchanged: the normaliser refuses it with its reason.
Formats: OData 4.0 ABNF, and MS-ODATA 2.2.6.3.1 for version 2.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from typing import TYPE_CHECKING

from archibald_sync.domain.resources import FieldType

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Reader = Callable[[object], object]

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # ticks count from it in the writer's own zone
_TICKS = re.compile(r"/Date\((?P<ms>-?[0-9]{1,15})(?P<offset>[+-][0-9]{1,4})?\)/", re.ASCII)
_LITERAL = re.compile(r"(?:datetime|datetimeoffset)'(.*)'")
_ISO = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:T(?P<minute>\d\d:\d\d)(?P<second>:\d\d)?(?:\.\d{1,12})?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)


def readers(types: Sequence[FieldType], zone: tzinfo | None) -> tuple[Reader | None, ...]:
    """Return how to turn the values of each column; None where they are taken as they are.

    Args:
        types: The declared types of our fields, the key first.
        zone: Where times with an offset are to be local; None leaves them as written.
    """
    by_type: dict[FieldType, Reader] = {
        FieldType.DATETIME: partial(_moment, zone),
        FieldType.TEXT: _text,
    }
    # An id that is a number has lost what it looked like: the key stays as it is.
    return (None, *(by_type.get(one) for one in types[1:]))


def _text(value: object) -> object:
    """Write Edm.Int32 and Edm.Int64 out; a fraction has more than one way to be written."""
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_integer else value


def _moment(zone: tzinfo | None, value: object) -> object:
    """Return Edm.DateTime, Edm.DateTimeOffset or Edm.Date as date and time without zone."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if literal := _LITERAL.fullmatch(text):
        text = literal[1]
    try:
        if ticks := _TICKS.fullmatch(text):
            return _from_ticks(ticks, zone)
        if iso := _ISO.fullmatch(text):
            return _from_iso(iso, zone)
    except (ValueError, OverflowError):
        pass  # a day that there is not
    return value


def _from_ticks(found: re.Match[str], zone: tzinfo | None) -> str:
    local = _EPOCH + timedelta(milliseconds=int(found["ms"]))
    if found["offset"]:
        # The ticks are of the local time at that offset, in minutes: so write .NET and SAP.
        return _written(local, timezone(timedelta(minutes=int(found["offset"]))), zone)
    return _written(local, None, zone)


def _from_iso(found: re.Match[str], zone: tzinfo | None) -> str:
    local = datetime.fromisoformat(
        f"{found['day']}T{found['minute'] or '00:00'}{found['second'] or ':00'}"
    )
    if not found["zone"]:
        return _written(local, None, zone)
    offset = UTC if found["zone"] == "Z" else datetime.strptime(found["zone"], "%z").tzinfo
    return _written(local, offset, zone)


def _written(local: datetime, offset: tzinfo | None, zone: tzinfo | None) -> str:
    if offset is not None and zone is not None:
        local = local.replace(tzinfo=offset).astimezone(zone)
    return local.replace(tzinfo=None, microsecond=0).isoformat()
