"""A resource that the ERP exports as a PDF: session, export, reading, in that order."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import xxhash

from archibald_sync.domain.models import Page, Stage, values_at
from archibald_sync.logs import ComponentLogger
from archibald_sync.sources.archibald.export import download, export_file
from archibald_sync.sources.archibald.session import ErpSession
from archibald_sync.sources.child import ChildLimits, read_in_child
from archibald_sync.sources.control import Unstoppable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from archibald_sync.domain.normalise import Notation
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.archibald.settings import ArchibaldSettings
    from archibald_sync.sources.mapping import FieldMapping

log = ComponentLogger("ArchibaldSource")

_READER = f"{__package__}.pdf:read_pdf"
_MIB = 1024 * 1024


class ArchibaldSource:
    """A resource behind the ERP's web pages."""

    def __init__(self, settings: ArchibaldSettings, mapping: FieldMapping) -> None:
        """Read as ``settings`` say; nothing is asked before ``pages``."""
        self._settings = settings
        self._mapping = mapping
        self._unmapped: tuple[str, ...] | None = None

    @property
    def fields(self) -> tuple[str, ...]:
        """Return the delivered fields of the resource, the key first."""
        return self._mapping.fields

    @property
    def notation(self) -> Notation:
        """Return how numbers and dates are written."""
        return self._mapping.notation

    @property
    def mapping_version(self) -> str:
        """Return what changes whenever the mapping of fields does."""
        return self._mapping.version

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:  # noqa: ARG002
        """Read one complete extract: export it, then yield a page for each cycle of the PDF.

        Raises:
            SourceAuthError: The ERP does not let us in.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
            RunStopped: ``control`` ended the run.
        """
        control.checkpoint()
        settings, reading = self._settings, self._settings.reading
        with export_file(settings.folder) as file:
            with closing(ErpSession(settings)) as session:
                download(session, settings, file, control)
            control.enter(Stage.PARSE)
            limits = ChildLimits(reading.memory_mib * _MIB, deadline_s=reading.timeout_s)
            arguments = (file.name, self._mapping.columns, reading.max_pages)
            with closing(read_in_child(_READER, arguments, limits, control)) as batches:
                yield from self._pages(batches)

    def check(self) -> str:
        """Log in where that is needed, and open the list view; return a sentence about it.

        Raises:
            SourceError: The source does not answer as it should.
        """
        control = Unstoppable()
        with closing(ErpSession(self._settings)) as session:
            session.page(self._settings.list_url, control)
            session.keep(control)
        return "the ERP lets us in and shows the list; a dry run would export it"

    def _pages(self, batches: Iterable[list[tuple[Any, ...]]]) -> Iterator[Page]:
        iterator = iter(batches)
        ((total, cycles, unmapped),) = next(iterator)
        self._report(tuple(unmapped))
        digest, seed, encode = xxhash.xxh3_128_digest, self._mapping.seed, msgspec.msgpack.encode
        for number, rows in enumerate(iterator, start=1):
            yield Page(
                number=number,
                fingerprints=[digest(encode(row), seed) for row in rows],
                decode=partial(values_at, rows),
                total_pages=cycles,
                declared_total=total,
            )

    def _report(self, unmapped: tuple[str, ...]) -> None:
        """Say once which columns nobody asked for, and again when they change."""
        if unmapped != self._unmapped:
            self._unmapped = unmapped
            names = ", ".join(unmapped) or "none"
            fields = {"columns": list(unmapped)}
            log.info("Columns of the export that are not mapped: %s", names, extra=fields)
