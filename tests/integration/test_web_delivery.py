"""How answers travel: compressed, not sent again unchanged, and read in a browser."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING

import pytest
from integration.test_web_monitoring import add_sessions
from web_support import SYNC, Api

from archibald_sync.domain.models import Role

if TYPE_CHECKING:
    from support import World


@pytest.fixture
def api(world: World) -> Api:
    """Return an API whose resource nobody owns, with a history."""
    add_sessions(world, *["completed"] * 20)
    return Api(world)


def test_long_answer_is_compressed_for_who_can_read_it(api: Api) -> None:
    """Gzip where it is accepted, plain where not; the content is the same."""
    compressed = api.call("GET", f"{SYNC}/history", headers={"Accept-Encoding": "gzip"})
    plain = api.call("GET", f"{SYNC}/history")

    assert compressed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in compressed.headers["Vary"]
    assert len(compressed.data) < len(plain.data) / 2
    assert json.loads(gzip.decompress(compressed.data)) == plain.json
    assert "Content-Encoding" not in plain.headers


@pytest.mark.parametrize("path", ["metrics", "history"])
@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_unchanged_answer_is_not_sent_again(api: Api, path: str, encoding: str) -> None:
    """Who shows the tag of the last answer gets 304 until something has changed."""
    accepts = {"Accept-Encoding": encoding}
    first = api.call("GET", f"{SYNC}/{path}", headers=accepts)
    known = {**accepts, "If-None-Match": first.headers["ETag"]}
    again = api.call("GET", f"{SYNC}/{path}", headers=known)
    api.world.claim()
    changed = api.call("GET", f"{SYNC}/{path}", headers=known)

    assert first.headers["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.data) == (304, b"")
    assert changed.status_code == 200
    assert changed.headers["ETag"] != first.headers["ETag"]


def test_a_tag_lets_nobody_in(api: Api) -> None:
    """Without a token the right tag is 401 all the same."""
    tag = api.call("GET", f"{SYNC}/metrics").headers["ETag"]

    answer = api.call("GET", f"{SYNC}/metrics", None, headers={"If-None-Match": tag})

    assert answer.status_code == 401


def test_answers_that_act_are_kept_by_nobody(api: Api) -> None:
    """A token, a start or a problem stays in no cache."""
    answers = [
        api.client.post("/api/auth/login", json={"username": "x", "password": "y"}),
        api.call("POST", f"{SYNC}/start"),
        api.call("GET", f"{SYNC}/runs/nothing", Role.VIEWER),
    ]

    assert [one.headers["Cache-Control"] for one in answers] == ["no-store"] * 3


def test_document_can_be_read_as_a_page(api: Api) -> None:
    """The page needs no token and no other host; scripts come from our own files."""
    page = api.client.get("/api/docs/")
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.status_code == 200
    assert "script-src 'self';" in page.headers["Content-Security-Policy"]
    assert not [name for name in files if "//" in name]
    for name in files:
        if name.startswith("/"):
            answer = api.client.get(name)
            assert answer.status_code == 200
            assert "max-age" in answer.headers["Cache-Control"]
            answer.close()
