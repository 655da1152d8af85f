"""The statements of the stores: named, in SQL files, one line of description each."""

from __future__ import annotations

import re
from importlib import resources

_HEADER = re.compile(r"^-- name: (?P<name>\w+)\n", re.MULTILINE)


def load_queries(family: str) -> dict[str, str]:
    """Return the statements of ``<family>.sql`` by name.

    Each begins with ``-- name: the_name``; the description on the next line stays
    part of the statement, where it shows in traces.
    """
    text = resources.files(__package__).joinpath(f"{family}.sql").read_text("utf-8")
    parts = _HEADER.split(text)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
