"""What sources say that they do: a login and a parsing are told apart from the download."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from archibald_support import archibald_source
from file_support import of_url
from support import FakeSource, World

from archibald_sync.demo.server import DemoErp

if TYPE_CHECKING:
    from pathlib import Path

    from archibald_sync.domain.ports import Source


def stages_of(folder: Path, source: Source) -> list[str]:
    """Return the stages of a session that reads ``source``, in the order they were entered."""
    world = World(folder, cast("FakeSource", source), max_attempts=1)
    assert world.run().outcome == "completed"
    (session,) = world.sessions()
    world.close()
    assert session["stage"] == "apply"
    return list(session["stageMs"])


def test_archibald_logs_in_and_parses(tmp_path: Path) -> None:
    """Login, export and PDF are timed apart: a slow one can be told."""
    with DemoErp(rows=120, drift=False) as erp:
        stages = stages_of(tmp_path, archibald_source(erp, tmp_path))

    assert stages == ["download", "login", "parse", "plan", "apply"]


def test_file_is_parsed(tmp_path: Path) -> None:
    """A file is fetched first, and parsed then."""
    with DemoErp(rows=120, drift=False) as erp:
        stages = stages_of(tmp_path, of_url(erp, tmp_path, "csv"))

    assert stages == ["download", "parse", "plan", "apply"]
