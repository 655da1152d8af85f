"""The spool for what nobody will read: it takes all and holds nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class NoSpool:
    """A spool that keeps nothing."""

    def append(self, item: tuple[Any, ...]) -> None:
        """Forget ``item``."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield nothing."""
        return iter(())

    def __len__(self) -> int:
        """Return 0."""
        return 0
