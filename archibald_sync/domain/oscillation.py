"""Fields that change back to what they were before the run before: A, B, A.

That is the mark of two people, or two systems, who overwrite each other in the ERP. It
is worth a look and holds nothing: what the ERP says now is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.normalise import is_same

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from archibald_sync.domain.normalise import Value


@dataclass(frozen=True, slots=True)
class Oscillation:
    """A field of the record ``id`` that takes ``value`` again, which was other in between."""

    id: str
    field: str
    value: str | int | None
    between: str | int | None


def find_oscillations(
    updated: Iterable[tuple[Any, ...]], previous: Mapping[tuple[str, str], Value]
) -> Iterator[Oscillation]:
    """Yield the fields that a plan sets back.

    Args:
        updated: The entries of the plan's spool of that name.
        previous: What each field that the run before changed had held until then, by
            the record's key and the field.
    """
    for *_, key, changes in updated:
        for field, old, new in changes:
            place = (key, field)
            if place in previous and is_same(previous[place], new):
                yield Oscillation(key, field, new, old)
