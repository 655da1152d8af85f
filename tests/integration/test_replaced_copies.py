"""The catalogue's file is replaced: whoever follows its changes must not be led astray."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from integration.test_web_catalogue import FIELDS, PRODUCTS_URL, follow
from support import FakeSource, World, catalogue_of, record
from web_support import Api

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


class Replaceable:
    """A service whose files can be replaced while it is stopped."""

    def __init__(self, folder: Path) -> None:
        """Start over the files in ``folder``."""
        self.source = FakeSource()
        self.source.fields = FIELDS
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Open whatever files are there."""
        self.world = World(self.folder, self.source)
        self.api = Api(self.world)
        self.token = self.api.token(self.api.user(Role.VIEWER))

    def sync(self, records: list[dict[str, object]]) -> None:
        """Bring the catalogue in step."""
        self.source.records = records
        assert self.world.run().outcome == "completed"

    def get(self, path: str, **headers: str) -> Any:  # noqa: ANN401  # a test answer
        """Ask as a viewer."""
        known = {"Authorization": f"Bearer {self.token}", **headers}
        return self.api.client.get(path, headers=known)

    def keep_copy(self) -> None:
        """Keep a copy of the file, as docs/operating.md has it."""
        file = self.world.database.path
        with (
            closing(sqlite3.connect(file)) as source,
            closing(sqlite3.connect(f"{file}.kept")) as to,
        ):
            source.backup(to)

    def restore(self) -> None:
        """Put the copy in the place of the file, and start again."""
        file = self._remove()
        shutil.copy(f"{file}.kept", file)
        self.start()

    def begin_anew(self) -> None:
        """Start again without any file."""
        self._remove()
        self.start()

    def _remove(self) -> Path:
        file = self.world.database.path
        self.world.close()
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        return file


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Replaceable]:
    """Return a service without a catalogue."""
    service = Replaceable(tmp_path)
    yield service
    service.world.close()


def changed(numbers: range, quantity: int) -> list[dict[str, object]]:
    """Return fifty records, those of ``numbers`` with another quantity."""
    return [record(n, minQty=quantity) if n in numbers else record(n) for n in range(1, 51)]


def test_followers_of_what_a_restored_copy_lacks_begin_anew(service: Replaceable) -> None:
    """Though the log has grown to the very length that it had, its ids are others."""
    service.sync(catalogue_of(50))
    at_the_copy = follow(service.api, {}, 0, 500)
    service.keep_copy()
    service.sync(changed(range(1, 11), 7))
    ahead = follow(service.api, {}, at_the_copy, 500)
    tag = service.get(PRODUCTS_URL).headers["ETag"]

    service.restore()
    service.sync(changed(range(11, 21), 9))

    feed = f"{PRODUCTS_URL}/changes?since="
    assert len(service.world.change_ids()) == 60
    assert service.get(f"{feed}{ahead}").status_code == 404
    assert len(service.get(f"{feed}{at_the_copy}").json["changes"]) == 10
    assert service.get(f"{feed}0&limit=500").json["isLast"]
    assert service.get(PRODUCTS_URL, **{"If-None-Match": tag}).status_code == 200


def test_followers_of_a_catalogue_that_is_gone_begin_anew(service: Replaceable) -> None:
    """A file that was made anew has none of the ids of the one before."""
    service.sync(catalogue_of(50))
    since = follow(service.api, {}, 0, 500)

    service.begin_anew()
    service.sync(catalogue_of(60))

    assert service.get(f"{PRODUCTS_URL}/changes?since={since}").status_code == 404
    assert len(service.get(f"{PRODUCTS_URL}/changes?since=0&limit=500").json["changes"]) == 60


def test_a_log_whose_ids_begin_with_one_goes_on(service: Replaceable) -> None:
    """Logs of earlier versions are followed from their beginning and from where one was."""
    service.sync(catalogue_of(50))
    with service.world.database.transaction() as connection:
        first = service.world.change_ids()[0]
        connection.execute("UPDATE product_changes SET id = id - ?", (first - 1,))
        connection.execute("UPDATE sqlite_sequence SET seq = 50 WHERE name = 'product_changes'")
        connection.execute("UPDATE catalogue_state SET firstChangesAfter = 0")
    service.sync(changed(range(1, 11), 7))
    copies: list[dict[str, Any]] = [{}, {}]

    for copy, since in zip(copies, (0, 40), strict=True):
        follow(service.api, copy, since, 7)

    assert [len(copy) for copy in copies] == [50, 20]
    assert service.get(f"{PRODUCTS_URL}/changes?since=51").status_code == 404
    assert service.world.catalogue.has_changes_since(0)
    assert service.world.catalogue.has_changes_since(50)


def test_an_edit_by_another_feed_is_another_revision(service: Replaceable) -> None:
    """Whoever polls sees what somebody else wrote into the catalogue, and what they removed."""
    service.sync(catalogue_of(5))
    paths = [PRODUCTS_URL, f"{PRODUCTS_URL}/000001K2", "/api/products.csv"]

    def tags() -> list[str]:
        return [service.get(path).headers["ETag"] for path in paths]

    before = tags()
    with closing(sqlite3.connect(service.world.database.path)) as other:
        other.execute("UPDATE products SET vatGroup = 5 WHERE id = '000001K2'")
        other.commit()
        edited = tags()
        other.execute("DELETE FROM products WHERE id = '000002K2'")
        other.commit()
    removed = tags()

    assert not {*before} & {*edited}
    assert not {*edited} & {*removed}
