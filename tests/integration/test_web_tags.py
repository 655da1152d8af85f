"""Tags of answers: whoever knows the version is told so, whatever lies between."""

from __future__ import annotations

from typing import Any

import pytest
from integration.test_web_monitoring import add_sessions
from support import World, catalogue_of
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.storage.catalogue_reader import SqliteCatalogueReader
from archibald_sync.web import delivery

PATHS = [
    f"{SYNC}/metrics",
    f"{SYNC}/history",
    "/api/products",
    "/api/products?q=H1",
    "/api/products/000001K2",
    "/api/products/000001K2/changes",
    "/api/products/changes",
    "/api/products/variants?name=H1.104.023&quantity=5",
    "/api/products.csv",
]


@pytest.fixture
def api(world: World) -> Api:
    """Return an API over a catalogue and a history."""
    return _filled(world)


@pytest.fixture(scope="module")
def still(shared_world: World) -> Api:
    """Return such an API in which nothing changes."""
    return _filled(shared_world)


def _filled(world: World) -> Api:
    world.source.records = catalogue_of(20)
    world.run()
    world.index.catch_up()
    add_sessions(world, *["completed"] * 12)
    return Api(world)


def _get(api: Api, path: str, **headers: str) -> Any:  # noqa: ANN401  # a test answer
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = api.call("GET", path, Role.VIEWER, headers=named)
    answer.get_data()  # an export streams
    return answer


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
@pytest.mark.parametrize("shown", ["{}", "W/{}", '"another", {}', "*"])
def test_who_knows_the_version_is_told_so(still: Api, path: str, encoding: str, shown: str) -> None:
    """304 without a body, but with the tag, for strong and weak tags and compressed answers."""
    first = _get(still, path, Accept_Encoding=encoding)
    tag = first.headers["ETag"]

    again = _get(still, path, Accept_Encoding=encoding, If_None_Match=shown.format(tag))

    assert (first.status_code, again.status_code, again.data) == (200, 304, b"")
    assert again.headers["ETag"] in {tag, tag.replace(":gzip", "")}
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "private, no-cache"
    assert "Accept-Encoding" in again.headers["Vary"]
    assert "Content-Type" not in again.headers


@pytest.mark.parametrize("path", PATHS)
def test_each_encoding_has_a_tag_of_its_own(still: Api, path: str) -> None:
    """A strong tag names bytes: those that are compressed are others."""
    plain, packed = _get(still, path), _get(still, path, Accept_Encoding="gzip")

    if "Content-Encoding" in packed.headers:
        assert packed.headers["ETag"] == f'{plain.headers["ETag"][:-1]}:gzip"'
    else:
        assert packed.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize("shown", ['"another"', "nonsense", '"', "W/", ""])
def test_who_knows_another_version_gets_this_one(still: Api, shown: str) -> None:
    """A tag that is not ours, or none at all, costs nothing but the answer."""
    assert _get(still, "/api/products", If_None_Match=shown).status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_nothing_is_read_for_who_knows_the_revision(
    api: Api, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    """A client that polls an unchanged catalogue costs no reading of it, compressed or not."""
    tag = _get(api, "/api/products", Accept_Encoding=encoding).headers["ETag"]

    def fail(*_arguments: object) -> None:
        raise AssertionError("the catalogue was read")

    monkeypatch.setattr(SqliteCatalogueReader, "records", fail)

    again = _get(api, "/api/products", Accept_Encoding=encoding, If_None_Match=tag)
    assert again.status_code == 304


def test_a_search_is_not_unchanged_before_it_has_caught_up(api: Api) -> None:
    """Who asked between a commit and its words is not kept from what they find."""
    api.world.source.records = catalogue_of(30)
    api.world.run()
    early = _get(api, "/api/products?q=000029")

    api.world.index.catch_up()
    late = _get(api, "/api/products?q=000029", If_None_Match=early.headers["ETag"])

    assert early.json["products"] == []
    assert (late.status_code, len(late.json["products"])) == (200, 1)


def test_a_new_release_answers_anew(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer may look different after an update, though the catalogue is the same."""
    tag = _get(api, "/api/products").headers["ETag"]

    monkeypatch.setattr(delivery, "__version__", "another")

    assert _get(api, "/api/products", If_None_Match=tag).status_code == 200


def test_head_tells_what_get_would(still: Api) -> None:
    """HEAD has the headers of GET, length and tag among them, and no body."""
    token = still.token(still.user(Role.VIEWER))
    headers = {"Authorization": f"Bearer {token}"}

    get = still.client.get("/api/products", headers=headers)
    head = still.client.head("/api/products", headers=headers)

    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Content-Length", "Content-Type", "Cache-Control"):
        assert head.headers[name] == get.headers[name]
