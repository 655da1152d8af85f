"""Calendar days, all in UTC: what changed a day is counted so, whoever looks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from archibald_sync.errors import InvalidInputError

DAY_MS = 86_400_000


def day_of(field: str, text: str) -> date:
    """Return the day that ``text`` names.

    Raises:
        InvalidInputError: It names none; ``field`` is the one that it stood in.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInputError(field, "expected a day such as 2026-01-31") from exc


def start_of(day: date) -> int:
    """Return the instant at which ``day`` begins; before 1970 it is the first one of all."""
    return max(round(datetime.combine(day, time(), UTC).timestamp() * 1000), 0)


def start_of_day(field: str, text: str) -> int:
    """Return the instant at which the day begins that ``text`` names.

    Raises:
        InvalidInputError: It names none; ``field`` is the one that it stood in.
    """
    return start_of(day_of(field, text))
