"""The export on its way: no room, a stop, a kill, a limit; nothing stays behind."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from archibald_support import (
    EXPORT,
    ROWS,
    archibald_file,
    archibald_source,
    leftovers,
    records_of,
)
from support import wait_for

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import (
    PermanentSourceError,
    RunCancelled,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.archibald.export import download
from archibald_sync.sources.archibald.session import ErpSession
from archibald_sync.sources.archibald.settings import read_archibald
from archibald_sync.sources.table import TableReader, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a demo ERP whose products stay the same."""
    with DemoErp(rows=ROWS, drift=False) as erp:
        yield erp


def test_no_room_for_the_export(erp: DemoErp, tmp_path: Path) -> None:
    """A full disk may have room later."""
    path = archibald_file(tmp_path, erp.url("/Archibald/"))
    environ = {"ERP_USER": "agente", "ERP_PASSWORD": "segreto"}
    reader = TableReader(read_table(PRODUCTS, path), "source.toml", environ, tmp_path)
    options = read_archibald(reader)

    with (
        closing(ErpSession(options)) as session,
        open("/dev/full", "r+b", buffering=0) as full,  # noqa: PTH123  # no path of ours
        pytest.raises(TransientSourceError, match="No space left") as failure,
    ):
        download(session, options, full, RunControl())

    assert failure.value.code == "source_export_file"


@pytest.mark.parametrize(
    ("fault", "options"), [("slow-body", {"seconds": 0.1}), ("slow", {"seconds": 60})]
)
def test_a_stop_ends_the_download(
    erp: DemoErp, tmp_path: Path, fault: str, options: dict[str, Any]
) -> None:
    """While the ERP makes or sends the PDF, a stop ends the run; no file stays."""
    erp.faults.switch_on(fault, page=EXPORT, **options)
    control, source = RunControl(), archibald_source(erp, tmp_path)

    def stop() -> None:
        wait_for(lambda: len(erp.requests) >= 5)
        control.stop(RunCancelled("requested", "enough"))

    stopper = threading.Thread(target=stop)
    stopper.start()

    with pytest.raises(RunCancelled), control.session():
        records_of(source, control)

    stopper.join()
    assert leftovers(tmp_path) == []


def test_a_stop_ends_the_reading(erp: DemoErp, tmp_path: Path) -> None:
    """While the PDF is read, even by a reader that hangs, a stop ends it with its process."""
    control, source = RunControl(), archibald_source(erp, tmp_path)
    children = set(psutil.Process().children(recursive=True))

    with pytest.raises(RunCancelled), control.session():
        for page in source.pages(control):
            if page.number == 1:
                (reader,) = set(psutil.Process().children(recursive=True)) - children
                reader.suspend()
                stopper = threading.Timer(0.1, control.stop, [RunCancelled("requested", "enough")])
                stopper.start()

    stopper.join()
    assert not reader.is_running()
    assert leftovers(tmp_path) == []


def test_leaving_early_leaves_nothing(erp: DemoErp, tmp_path: Path) -> None:
    """Who takes one page and goes leaves neither file nor process."""
    children = set(psutil.Process().children(recursive=True))
    pages = archibald_source(erp, tmp_path).pages(RunControl())
    next(pages)
    assert len(leftovers(tmp_path)) == 1

    pages.close()

    assert set(psutil.Process().children(recursive=True)) == children
    assert leftovers(tmp_path) == []


def test_the_next_run_clears_up_after_a_kill(erp: DemoErp, tmp_path: Path) -> None:
    """An export whose process is gone is removed, one that is being read is not."""
    (tmp_path / "archibald-export-dead.pdf").write_bytes(b"%PDF-")
    first = archibald_source(erp, tmp_path).pages(RunControl())
    next(first)
    alive = leftovers(tmp_path)

    records_of(archibald_source(erp, tmp_path))

    assert len(alive) == 1
    assert leftovers(tmp_path) == alive
    assert sum(len(page.fingerprints) for page in first) > 0


def test_limits_of_the_reader(erp: DemoErp, tmp_path: Path) -> None:
    """Pages and time of the reading process are limited."""
    with pytest.raises(SourceFormatError, match="max_pages"):
        records_of(archibald_source(erp, tmp_path, reading="{ max_pages = 23 }"))

    source = archibald_source(erp, tmp_path, reading="{ timeout_s = 1 }")
    children = set(psutil.Process().children(recursive=True))
    with pytest.raises(TransientSourceError) as late:
        for page in source.pages(RunControl()):
            if page.number == 1:
                (reader,) = set(psutil.Process().children(recursive=True)) - children
                reader.suspend()
    assert late.value.code == "source_timeout"


def test_folder_that_is_none(erp: DemoErp, tmp_path: Path) -> None:
    """A folder that cannot be written is named before the ERP is bothered."""
    with pytest.raises(PermanentSourceError, match="nowhere") as failure:
        records_of(archibald_source(erp, tmp_path, folder='"nowhere"'))

    assert failure.value.code == "source_export_file"
    assert erp.requests == []
