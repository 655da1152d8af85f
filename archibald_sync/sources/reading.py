"""Read from a source outside a run."""

from __future__ import annotations

from contextlib import AbstractContextManager, closing, nullcontext
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from archibald_sync.domain.models import Stage
    from archibald_sync.domain.ports import Source


class Unstoppable:
    """A control that never ends what is read."""

    def checkpoint(self) -> None:
        """Go on."""

    def enter(self, stage: Stage) -> None:
        """Keep no times."""

    def closing(self, close: Callable[[], None]) -> AbstractContextManager[None]:  # noqa: ARG002
        """Never close."""
        return nullcontext()


def describe_first_page(source: Source) -> str:
    """Read no more than the first page of ``source``; return a sentence about it.

    Raises:
        SourceError: The source does not answer as it should.
    """
    with closing(source.pages(Unstoppable())) as pages:
        page = next(pages)
    announced = "" if page.declared_total is None else f" of {page.declared_total}"
    return f"the source answers: {len(page.fingerprints)}{announced} records on a first page"
