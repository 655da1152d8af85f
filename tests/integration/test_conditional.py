"""When a source may say that nothing changed, and when it must not be believed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests
from canned_server import Canned, CannedServer
from erp_support import source_file, source_of

from archibald_sync.demo.server import DemoErp
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import (
    NotModified,
    PermanentSourceError,
    SourceFormatError,
    TransientSourceError,
)
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archibald_sync.domain.ports import Source

RECORD = {"ITEMID": "016869K2", "NAME": "H129FSQ.104.023"}
LINKED = 'pagination = { style = "next" }\nrecords = "items"\n'


def rest_source(folder: Path, url: str, settings: str = "") -> Source:
    """Return a REST source of ``url``; the answer itself is the list unless set otherwise."""
    path = folder / "source.toml"
    mapping = '[products.fields]\nid = "ITEMID"\nname = "NAME"\n'
    path.write_text(f'[products]\nkind = "rest"\nurl = "{url}"\n{settings}\n{mapping}')
    return load_source(PRODUCTS, path, {})


def a_list(etag: str = '"1"') -> Canned:
    """Return a list of one record with an ETag."""
    return Canned(json.dumps([RECORD]).encode(), headers={"ETag": etag})


def a_page(further: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Canned:
    """Return a page of one record."""
    record = {**RECORD, "ITEMID": f"{len(str(further)):06d}K2"}
    return Canned(json.dumps({"items": [record], **further}).encode(), headers=headers or {})


def validator_of(source: Source) -> str | None:
    """Read a complete extract; return what it left."""
    *_, last = source.pages(RunControl())
    return last.validator


@pytest.mark.parametrize("etag", ['"abc"', 'W/"abc"', '""'])
def test_an_answer_that_is_all_is_asked_for_by_its_etag(tmp_path: Path, etag: str) -> None:
    """The ETag comes back as it was given, and 304 means that nothing changed."""
    with CannedServer([a_list(etag), Canned(b"", 304)]) as server:
        source = rest_source(tmp_path, server.url())
        validator = validator_of(source)
        with pytest.raises(NotModified):
            list(source.pages(RunControl(), validator))

    assert [headers.get("if-none-match") for _, headers in server.requests] == [None, etag]


@pytest.mark.parametrize("etag", ["abc", '"a"b"', '"\x7f"', f'"{"x" * 300}"'])
def test_a_malformed_etag_is_left_alone(tmp_path: Path, etag: str) -> None:
    """What is no ETag, or far too long for one, is never sent back."""
    with CannedServer([a_list(etag)]) as server:
        assert validator_of(rest_source(tmp_path, server.url())) is None


def test_not_modified_unasked_is_an_error(tmp_path: Path) -> None:
    """A 304 that answers no question of ours is not believed."""
    with CannedServer([Canned(b"", 304)]) as server:
        source = rest_source(tmp_path, server.url())
        with pytest.raises(PermanentSourceError) as failure:
            list(source.pages(RunControl(), '0123456789abcdef "of another reading"'))

    assert failure.value.code == "source_http_304"
    assert "if-none-match" not in server.requests[0][1]


def test_only_the_first_page_asks(tmp_path: Path) -> None:
    """Further pages are read without a condition: their ETags are others."""
    settings = f'{LINKED}validator = "header:etag"\n'
    pages = [
        a_page({"next": "/2"}, {"ETag": '"one"'}),
        a_page({"next": None}, {"ETag": '"another"'}),
    ]
    changed = a_page({"next": "/2"}, {"ETag": '"two"'})
    with CannedServer([*pages, pages[0], changed, pages[1]]) as server:
        source = rest_source(tmp_path, server.url(), settings)
        validator = validator_of(source)
        with pytest.raises(NotModified):
            # This server ignores the question; the same ETag says the same.
            list(source.pages(RunControl(), validator))
        assert len(list(source.pages(RunControl(), validator))) == 2

    asked = [headers.get("if-none-match") for _, headers in server.requests]
    assert asked == [None, None, '"one"', '"one"', None]


@pytest.mark.parametrize(
    ("settings", "answer"),
    [
        ('validator = "meta.revision"\n', a_page({"meta": {"revision": 41}})),
        ('validator = "header:X-Revision"\n', a_page({}, {"x-revision": "41"})),
    ],
)
def test_a_revision_stands_for_the_whole_list(
    tmp_path: Path, settings: str, answer: Canned
) -> None:
    """An equal revision in the first page ends the read there; nothing asks for it."""
    with CannedServer([answer]) as server:
        source = rest_source(tmp_path, server.url(), LINKED + settings)
        validator = validator_of(source)
        with pytest.raises(NotModified):
            list(source.pages(RunControl(), validator))
        server.answers = [a_page({"meta": {"revision": 42}}, {"X-Revision": "42"})]
        assert validator_of(source) not in {None, validator}

    assert not any("if-none-match" in headers for _, headers in server.requests)


@pytest.mark.parametrize("revision", [None, "", "absent"])
def test_a_missing_revision_costs_the_short_cut_only(tmp_path: Path, revision: str | None) -> None:
    """A source that no longer tells its revision is read in full each time."""
    further = {} if revision == "absent" else {"revision": revision}
    with CannedServer([a_page(further)]) as server:
        source = rest_source(tmp_path, server.url(), f'{LINKED}validator = "revision"\n')

        assert validator_of(source) is None


def test_a_revision_of_another_kind_is_an_error(tmp_path: Path) -> None:
    """A revision that is no text and no number is a wrong path."""
    with CannedServer([a_page({"revision": {"number": 1}})]) as server:
        source = rest_source(tmp_path, server.url(), f'{LINKED}validator = "revision"\n')
        with pytest.raises(SourceFormatError) as failure:
            list(source.pages(RunControl()))

    assert failure.value.code == "source_validator"


def test_a_list_that_changes_while_it_is_read_is_no_extract(tmp_path: Path) -> None:
    """Pages of two revisions are never taken together."""
    with DemoErp(rows=300, drift=False) as erp:
        pagination = (
            '{ style = "page", size_param = "size", size = 100, total_pages = "totalPages" }'
        )
        source = source_of(
            erp, tmp_path, pagination=pagination, validator='"revision"', concurrency="1"
        )
        pages = source.pages(RunControl())
        next(pages)
        erp.revise(updated=10)
        requests.get(erp.url("/api/products"), timeout=20)  # another reader begins

        with pytest.raises(TransientSourceError) as failure:
            list(pages)

    assert failure.value.code == "source_changed"


def test_another_url_makes_the_next_extract_a_full_one(tmp_path: Path) -> None:
    """What one list left says nothing about another."""
    with DemoErp(rows=30, drift=False) as erp:
        style = '{ style = "none" }'
        path = source_file(tmp_path, erp.url("/api/products/all"), pagination=style)
        text = path.read_text().replace('records = "items"\ntotal = "total"\n', "")
        path.write_text(text)
        one = load_source(PRODUCTS, path, {})
        path.write_text(text.replace("/all", "/all?x=1"))
        other = load_source(PRODUCTS, path, {})
        validator = validator_of(one)

        with pytest.raises(NotModified):
            list(one.pages(RunControl(), validator))
        assert len(next(iter(other.pages(RunControl(), validator))).fingerprints) == 30
