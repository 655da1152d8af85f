"""Records that the source gave another key: one vanished, one appeared, with one name.

A name is not unique: variants of a pack share it. So a pair counts only where exactly
one record of the name vanished and exactly one appeared, in the same extract.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.domain.normalise import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archibald_sync.domain.normalise import Value

# Where more records vanish or appear than this, nobody looks at names one by one.
RENAME_LIMIT = 10_000

Named = tuple[str, "Value"]


def find_renames(appeared: Iterable[Named], vanished: Iterable[Named]) -> dict[str, str]:
    """Return the old key of each renamed record by its new one.

    Args:
        appeared: Key and name of each new record.
        vanished: Key and name of each record that this extract is the first to lack.
    """
    new, old = _by_name(appeared), _by_name(vanished)
    return {
        keys[0]: old[name][0]
        for name, keys in new.items()
        if len(keys) == 1 and len(old.get(name, ())) == 1
    }


def _by_name(records: Iterable[Named]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, name in records:
        folded = fold(str(name)) if name is not None else ""
        if folded:
            found.setdefault(folded, []).append(key)
    return found
