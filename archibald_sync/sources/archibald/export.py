"""From the list view to a complete PDF in a temporary file that never stays."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from archibald_sync.domain.models import Stage
from archibald_sync.errors import (
    PermanentSourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.sources.archibald.forms import Form, forms_of, is_html
from archibald_sync.sources.archibald.session import (
    MAX_HTML_BYTES,
    refuse_error_page,
    text_of,
)
from archibald_sync.sources.http import joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archibald_sync.domain.ports import Control
    from archibald_sync.sources.archibald.session import ErpSession
    from archibald_sync.sources.archibald.settings import ArchibaldSettings

_PREFIX, _SUFFIX = "archibald-export-", ".pdf"
_HEAD_BYTES, _TAIL_BYTES = MAX_HTML_BYTES, 1024


@contextlib.contextmanager
def export_file(folder: Path) -> Iterator[IO[bytes]]:
    """Open a file for an export that is gone after the block.

    What a process left behind that was killed goes too: nobody holds its lock any more.

    Raises:
        PermanentSourceError: The folder cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            _sweep(folder)
            file = stack.enter_context(_locked_file(folder))
        except OSError as exc:
            message = f"cannot write an export in {folder}: {exc.strerror}; correct the folder, "
            message += "or the key folder in source.toml"
            raise PermanentSourceError(message, code="source_export_file") from exc
        stack.callback(Path(file.name).unlink, missing_ok=True)
        yield file


def download(
    session: ErpSession, settings: ArchibaldSettings, file: IO[bytes], control: Control
) -> None:
    """Let the ERP export its list, and write the PDF into ``file``.

    Raises:
        SourceAuthError: The ERP does not let us in.
        TransientSourceError: It failed in a way that may pass, or the file breaks off.
        SourceFormatError: It answered with something else.
    """
    while True:
        page, answer = session.page(settings.list_url, control)
        form = _list_form(page)
        fields = {**form.hidden, **settings.export.fields}
        url = joined(answer.url, form.action)
        control.enter(Stage.DOWNLOAD)
        try:
            answer = session.download(url, fields, file, control)
            file.flush()
        except OSError as exc:
            message = f"cannot write the export: {exc.strerror}"
            raise TransientSourceError(message, code="source_export_file") from exc
        if not session.is_login_page(answer.url, _head(file)):
            break
        session.log_in(control)
        file.seek(0)
        file.truncate()
    session.keep(control)
    _check(file)


def _list_form(page: str) -> Form:
    """Return the form that holds the state of the list view."""
    form = next((one for one in forms_of(page) if one.hidden), None)
    if form is None:
        message = "the list view has no form to ask for an export with; correct export.path"
        raise SourceFormatError(message, code="source_list_view")
    return form


def _check(file: IO[bytes]) -> None:
    """Refuse what is no complete PDF."""
    head = _head(file)
    if is_html(head):
        refuse_error_page(text_of(head))
        message = "the ERP answered with a page instead of an export; correct export.fields"
        raise SourceFormatError(message, code="source_html")
    if not head.startswith(b"%PDF-"):
        message = "the ERP answered with something that is no PDF; correct export.fields"
        raise SourceFormatError(message, code="source_not_pdf")
    file.seek(-min(_TAIL_BYTES, os.fstat(file.fileno()).st_size), os.SEEK_END)
    if b"%%EOF" not in file.read():
        message = "the PDF breaks off before its end"
        raise TransientSourceError(message, code="source_pdf_cut")


def _head(file: IO[bytes]) -> bytes:
    """Return all of a page, or the beginning of a file."""
    file.seek(0)
    head = file.read(8)
    return head + file.read(_HEAD_BYTES) if is_html(head) or not head.strip() else head


def _locked_file(folder: Path) -> IO[bytes]:
    """Return a new file under a lock that ends with this process."""
    while True:
        file = tempfile.NamedTemporaryFile(  # noqa: SIM115  # the caller closes it
            "w+b", prefix=_PREFIX, suffix=_SUFFIX, dir=folder, delete=False
        )
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        # Another process swept it away before it was locked.
        file.close()


def _sweep(folder: Path) -> None:
    """Remove the exports of processes that are gone."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
