"""A file as a source: copied, read in one go, complete or an exception."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec
import xxhash

from archibald_sync.domain.models import Page, Stage
from archibald_sync.errors import SourceFormatError
from archibald_sync.sources.control import Unstoppable
from archibald_sync.sources.files.snapshot import Validator, refuse_web_page, take_snapshot
from archibald_sync.sources.headers import shown

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from archibald_sync.domain.models import Decode
    from archibald_sync.domain.normalise import Notation
    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.files.settings import FileSettings
    from archibald_sync.sources.files.snapshot import Snapshot
    from archibald_sync.sources.mapping import FieldMapping

BATCH_ROWS = 1000
_validator = msgspec.json.Decoder(Validator)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows of a file, as ``Page`` has them, and the headers of all its columns."""

    headers: Sequence[str]
    fingerprints: Sequence[bytes]
    decode: Decode


class FileFormat(Protocol):
    """How the bytes of a file become rows."""

    def read(self, snapshot: Snapshot, control: Control) -> Generator[Batch, None, None]:
        """Yield all rows in batches; at least one, which may be empty.

        Raises:
            SourceError: The file is not complete, or not of this format.
            RunStopped: ``control`` ended the run.
        """


class FileSource:
    """A resource that comes as one file."""

    def __init__(
        self, settings: FileSettings, mapping: FieldMapping, file_format: FileFormat
    ) -> None:
        """Read as ``settings`` say; nothing is asked before ``pages``."""
        self._settings = settings
        self._mapping = mapping
        self._format = file_format
        place = settings.http.url if settings.http else settings.drop and settings.drop.path
        self._reading = xxhash.xxh3_64_hexdigest(f"{mapping.version} {place}".encode())

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

    def pages(self, control: Control, validator: str | None = None) -> Generator[Page, None, None]:
        """Read one complete extract, page by page.

        Raises:
            NotModified: It is the file that ``validator`` describes.
            TransientSourceError: It failed in a way that may pass.
            PermanentSourceError: A second try would fail in the same way.
            RunStopped: ``control`` ended the run.
        """
        with take_snapshot(self._settings, self._known(validator), control) as snapshot:
            refuse_web_page(snapshot)
            control.enter(Stage.PARSE)
            with closing(self._format.read(snapshot, control)) as batches:
                last = next(batches)
                number, rows = 1, self._counted(0, last)
                for batch in batches:
                    rows = self._counted(rows, batch)
                    yield Page(number, last.fingerprints, last.decode)
                    control.checkpoint()
                    last, number = batch, number + 1
            token = msgspec.json.encode(snapshot.validator).decode()
            yield Page(number, last.fingerprints, last.decode, validator=token)

    def check(self) -> str:
        """Read the file up to its first rows; return a sentence about it.

        Raises:
            SourceError: It is not as it should be.
        """
        with take_snapshot(self._settings, self._known(None), Unstoppable()) as snapshot:
            refuse_web_page(snapshot)
            with closing(self._format.read(snapshot, Unstoppable())) as batches:
                batch = next(batches)
        rows, headers = len(batch.fingerprints), batch.headers
        return f"the file can be read: {rows} rows at first, columns: {shown(headers)}"

    def _known(self, validator: str | None) -> Validator:
        unknown = Validator(self._reading)
        try:
            known = _validator.decode(validator or "")
        except msgspec.DecodeError:
            return unknown
        # Other settings make other values of the same bytes.
        return known if known.reading == self._reading else unknown

    def _counted(self, rows: int, batch: Batch) -> int:
        total = rows + len(batch.fingerprints)
        if total > self._settings.max_rows:
            message = f"the file has more than {self._settings.max_rows} rows; raise max_rows "
            message += "in source.toml if that is right"
            raise SourceFormatError(message, code="source_too_many_rows")
        return total
