"""The file behind the catalogue as CSV: gone when its answer is."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

import pytest
from support import FakeSource, catalogue_of

from archibald_sync.domain.models import Role
from archibald_sync.web.catalogue_csv import csv_file

if TYPE_CHECKING:
    from web_support import Api


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_export_leaves_no_file_open(
    api: Api, source: FakeSource, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The file is closed with the answer, also where nobody reads that to its end."""
    source.records = catalogue_of(2_000)  # more than is sent at once
    api.world.run()
    files: list[IO[bytes]] = []

    def kept(*arguments: Any) -> IO[bytes]:  # noqa: ANN401
        files.append(csv_file(*arguments))
        return files[-1]

    monkeypatch.setattr("archibald_sync.web.catalogue.csv_file", kept)

    answer = api.call(method, "/api/products.csv", Role.VIEWER)
    was_closed = files[0].closed
    answer.close()

    assert answer.status_code == 200
    assert (was_closed, files[0].closed) == (False, True)
