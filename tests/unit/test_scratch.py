"""What the errors of temporary files are told as."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

import pytest

from archibald_sync.errors import StorageFullError
from archibald_sync.scratch import room_in


@pytest.mark.parametrize("name", ["ENOSPC", "EDQUOT", "EFBIG", "EROFS", "ENOENT", "EACCES"])
def test_lack_of_room_names_the_folder_and_not_its_path(name: str) -> None:
    """A full disk, a quota, a limit, a closed or missing folder: told with what to do."""
    folder = Path("/srv/secret/instance")

    with pytest.raises(StorageFullError) as error, room_in(folder):
        raise OSError(getattr(errno, name), "no")

    assert "folder instance; make room" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("folder", "named"), [("/scratch", "/scratch"), (None, "usual folders")])
def test_lack_of_room_for_all_names_the_way_out(
    monkeypatch: pytest.MonkeyPatch, folder: str | None, named: str
) -> None:
    """Where no folder was chosen, another one can be: `TMPDIR`."""
    monkeypatch.setattr(tempfile, "tempdir", folder)

    with pytest.raises(StorageFullError, match=f"{named}; .* TMPDIR"), room_in(None):
        raise OSError(errno.ENOSPC, "no")


def test_other_errors_are_what_they_are() -> None:
    """Too many open files is no lack of room."""
    with pytest.raises(OSError, match="many"), room_in(None):
        raise OSError(errno.EMFILE, "many")
