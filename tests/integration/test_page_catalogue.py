"""The catalogue, a product and the changes as pages: found, shown, told, and never believed."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from integration.test_web_catalogue import FIELDS, sync
from support import FakeSource, catalogue_of, record

from archibald_sync.domain.models import Role
from archibald_sync.domain.resources import PRODUCTS

if TYPE_CHECKING:
    from web_support import Api

CATALOGUE = "/products/catalogue"
CHANGES = "/products/changes"
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "شفرة كربيد",
    "\u202egnp.exe",
    "x" * 60_000,
    "",
    None,
]


@pytest.fixture
def source() -> FakeSource:
    """Return a source that delivers what these pages show."""
    source = FakeSource()
    source.fields = FIELDS
    return source


def page(api: Api, path: str, status: int = 200, language: str = "en") -> str:
    """Return a page as a viewer sees it."""
    headers = {"Accept-Language": language}
    answer: Any = api.call("GET", path, Role.VIEWER, headers=headers)
    assert answer.status_code == status, answer.text
    text: str = answer.text
    return text


def listed(text: str) -> list[str]:
    """Return the keys of the records that a list shows."""
    return re.findall(r'<td [^>]*><a href="/products/catalogue/record/([^"?]+)"', text)


def plain(text: str) -> str:
    """Return what one reads of a page: no tags, one space for any."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_an_empty_copy_says_what_to_do(api: Api) -> None:
    """Before the first sync both pages say that there is nothing yet, and where to look."""
    for path, words in (
        (CATALOGUE, "There is no local copy yet."),
        (CHANGES, "Nothing has changed yet."),
    ):
        text = page(api, path)
        assert words in text
        assert 'href="/products/overview">To the overview' in text


def test_words_are_found_and_marked(api: Api) -> None:
    """Accents and case make no difference; what was searched for is marked where it stands."""
    sync(api.world, [record(1, description="Fresa di qualità & <b>"), record(2)])

    text = page(api, f"{CATALOGUE}?q=QUALITA")

    assert listed(text) == ["000001K2"]
    assert "Fresa di <mark>qualità</mark> &amp; &lt;b&gt;" in text
    assert "1 found." in text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("q=nothing", "Fewer or shorter words find more"),
        ("q=...", "A word needs a letter or a digit."),
        ("group=none", "What the ERP no longer has is found only with"),
        ("since=9999-12-31", "Nothing found."),
    ],
)
def test_nothing_found_says_what_finds_more(api: Api, query: str, words: str) -> None:
    """An empty list is told from an empty copy."""
    sync(api.world, catalogue_of(2))

    text = page(api, f"{CATALOGUE}?{query}")

    assert listed(text) == []
    assert words in text
    assert "There is no local copy yet." not in text


def test_the_list_is_paged(api: Api) -> None:
    """The next page is a link that keeps what was chosen; the last one has none."""
    sync(api.world, catalogue_of(60))

    first = page(api, f"{CATALOGUE}?sort=-id")
    following = re.search(r'id="next" href="([^"]+)"', first)
    assert following is not None
    last = page(api, unescape(following[1]))

    assert "50 are shown, and there are more." in first
    assert listed(first) + listed(last) == [f"{number:06d}K2" for number in range(60, 0, -1)]
    assert "The last 10 are shown." in last
    assert 'id="next"' not in last


def test_the_form_keeps_what_was_chosen(api: Api) -> None:
    """A shared address shows the form as it was, the group with its name, and sorts as asked."""
    api.world.source.fields = (*FIELDS, "productGroupDescription")
    in_group = {"productGroupId": "10", "productGroupDescription": "FILES"}
    sync(api.world, [record(1, **in_group), record(2, **in_group), record(3)])

    text = page(api, f"{CATALOGUE}?group=10&sort=-name&since=2020-01-01&includeDeleted=true")

    assert listed(text) == ["000002K2", "000001K2"]
    assert '<option value="10" selected>FILES (10)</option>' in text
    assert '<option value="-name" selected>' in text
    assert 'name="since" type="date" value="2020-01-01"' in text
    assert re.search(r'name="includeDeleted"[^>]* checked', text)
    assert 'aria-sort="descending"' in text


@pytest.mark.parametrize(
    "query",
    [
        f"{CATALOGUE}?sort=password",
        f"{CATALOGUE}?since=yesterday",
        f"{CATALOGUE}?cursor=x",
        f"{CATALOGUE}?q={'x' * 201}",
        f"{CATALOGUE}/results?sort=password",
        f"{CATALOGUE}/record/000001K2?before=0",
        f"{CHANGES}?day=2026-02-30",
        f"{CHANGES}?kind=lost",
        f"{CHANGES}?field=sourceHash",
        f"{CHANGES}?before=-1",
        f"{CHANGES}?before=99999999999999999999999999",
    ],
)
def test_nonsense_is_refused(api: Api, query: str) -> None:
    """What no form of ours sends is told as a page, with the status of the API."""
    sync(api.world, catalogue_of(1))

    assert "That was not understood" in page(api, query, 400)


@pytest.mark.parametrize("path", [f"{CATALOGUE}/record/nothing", f"{CHANGES}?session=nothing"])
def test_what_never_was_is_not_found(api: Api, path: str) -> None:
    """A product or a session that there never was is a page, too."""
    assert "There is nothing here" in page(api, path, 404)


def test_only_what_was_found_is_asked_for_while_typing(api: Api) -> None:
    """The script gets the list alone, and the same list as the page has."""
    sync(api.world, catalogue_of(3))

    part = page(api, f"{CATALOGUE}/results?q=H1")

    assert part.lstrip().startswith('<section id="results"')
    assert listed(part) == listed(page(api, f"{CATALOGUE}?q=H1")) == ["000001K2"]


def test_every_field_is_shown_once(api: Api) -> None:
    """A product's page has each declared field in one place, under its label."""
    sync(api.world, [record(1)])

    text = page(api, f"{CATALOGUE}/record/000001K2")

    labels = re.findall(r"<div><dt>([^<]+)</dt>", text)
    assert [labels.count(one.label) for one in PRODUCTS.fields] == [1] * len(PRODUCTS.fields)


def test_values_are_written_as_the_language_does(api: Api) -> None:
    """Numbers and flags; a number keeps all of its digits, and an id is none."""
    sync(api.world, [record(1, multipleQty="1234.56789", stopped=True)])
    path = f"{CATALOGUE}/record/000001K2"

    assert "1,234.56789" in page(api, path)
    italian = plain(page(api, path, language="it"))
    assert "Qtà multipli 1.234,56789" in italian
    assert "Fermato sì" in italian


def test_history_is_told_from_the_first_to_the_last(api: Api) -> None:
    """Created, changed field by field, missing, deleted, and back: the page says each."""
    others = catalogue_of(9)[1:]
    path = f"{CATALOGUE}/record/000001K2"
    sync(api.world, [record(1), *others])
    sync(api.world, [record(1, minQty=5, description=""), *others])
    assert "in the ERP" in page(api, path)

    sync(api.world, others)
    assert "If it stays missing, it is deleted here." in page(api, path)
    sync(api.world, others)
    gone = page(api, path)
    assert "It was missing too often in a row." in gone
    assert listed(page(api, f"{CATALOGUE}?q=000001K2")) == []
    assert "no longer in the ERP" in page(api, f"{CATALOGUE}?q=000001K2&includeDeleted=true")

    sync(api.world, [record(1, minQty=5, description=""), *others])
    text = page(api, path)
    history = text.split('id="history"')[1]
    assert re.findall(r'<li class="(\w+)">', history) == ["warn", "bad", "busy", "good"]
    assert "Smallest quantity 1 → 5" in plain(history)
    assert history.count('class="session"') == 4


def test_a_renamed_product_leads_to_what_it_was(api: Api) -> None:
    """The entry names the key that it had, as a link."""
    others = catalogue_of(30)[1:]
    sync(api.world, [record(1), *others])
    sync(api.world, [{**record(1), "id": "NEW"}, *others])

    text = page(api, f"{CATALOGUE}/record/NEW")

    assert "renaming" in text
    assert 'href="/products/catalogue/record/000001K2"><bdi>000001K2</bdi>' in text


def test_a_long_history_is_paged(api: Api) -> None:
    """Older changes follow on a page of their own, and nothing comes twice."""
    for number in range(53):
        sync(api.world, [record(1, minQty=number + 1)])
    path = f"{CATALOGUE}/record/000001K2"

    first = page(api, path)
    older = re.search(r'href="([^"]+)#history" rel="next"', first)
    assert older is not None
    last = page(api, older[1])

    assert (first.count('class="session"'), last.count('class="session"')) == (50, 3)
    assert "creation" in last


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ("10", "For 10: 000002K2 (the largest pack that divides it)"),
        ("7", "For 7 none fits"),
        ("0", "A quantity is a whole number"),
        ("1.5", "A quantity is a whole number"),
        ("²", "A quantity is a whole number"),
    ],
)
def test_the_pack_for_a_quantity_is_found(api: Api, quantity: str, words: str) -> None:
    """The form says which variant to order, that none fits, or what it expects."""
    packs = {1: 2, 2: 5, 3: 100}
    sync(api.world, [record(key, name="a", multipleQty=size) for key, size in packs.items()])

    text = plain(page(api, f"{CATALOGUE}/record/000001K2?quantity={quantity}"))

    assert words in text


def test_changes_are_told_by_day_and_by_session(api: Api) -> None:
    """A day has its sessions and counts, a session its changes, a filter what it asks for."""
    world = api.world
    sync(world, catalogue_of(3))
    sync(world, [record(1, minQty=7, name="new name"), *catalogue_of(3)[1:]])
    first, second = (one["id"] for one in world.sessions())
    today = world.overview.changes_per_day(1)[0]["day"]

    day = plain(page(api, f"{CHANGES}?day={today}"))
    assert "3 created 1 updated 0 deleted" in day
    whole = page(api, CHANGES)
    assert whole.count("creation") - whole.count(">creation</option>") == 3
    assert f"?day={today}" in whole
    of_first, of_second = (page(api, f"{CHANGES}?session={one}") for one in (first, second))
    assert "1 → 7" not in plain(of_first)
    assert "Smallest quantity 1 → 7" in plain(of_second)
    assert len(re.findall(r'class="edits"', of_second)) == 1
    by_field = plain(page(api, f"{CHANGES}?kind=updated&field=minQty"))
    assert "1 → 7" in by_field
    assert "H1.104.023" not in by_field
    assert "Nothing of that kind." in page(api, f"{CHANGES}?kind=deleted")
    assert "Nothing changed." in page(api, f"{CHANGES}?day=2020-01-01")


def test_changes_are_paged(api: Api) -> None:
    """A hundred a page; the last one says no more."""
    sync(api.world, catalogue_of(120))

    first = page(api, CHANGES)
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older is not None
    last = page(api, unescape(older[1]))

    assert [text.count('<span class="when">') for text in (first, last)] == [100, 20]
    assert 'rel="next"' not in last
    assert "data-chart" not in last


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_values_are_only_shown(api: Api, text: str | None) -> None:
    """Whatever the ERP delivers is text: on no page does it become markup, or grow without end."""
    sync(api.world, [record(1, name=text, description=text), record(2, description="before")])
    sync(api.world, [record(1, name=text, description=text), record(2, description=text)])
    paths = [
        CATALOGUE,
        f"{CATALOGUE}?q=000001K2&group=%3Cscript%3E",
        f"{CATALOGUE}?q=%3Cscript%3E%22",
        f"{CATALOGUE}/record/000001K2?quantity=%3Cscript%3E",
        f"{CATALOGUE}/record/000002K2",
        CHANGES,
    ]

    for path in paths:
        shown = page(api, path)
        assert "<script>" not in shown
        assert "<img src=x" not in shown
        assert "49{" not in shown
        # A list stays a list; the product's own page has all of it.
        assert len(shown) < 50_000 or "/record/" in path


def test_a_key_with_a_slash_has_a_page(api: Api) -> None:
    """A key is any text; its link leads to it."""
    key = "A/B ?&#100%"
    sync(api.world, [{**record(1), "id": key}])

    link = re.search(r'<td [^>]*><a href="([^"]+)"', page(api, CATALOGUE))

    assert link is not None
    assert "A/B ?&amp;#100%" in page(api, unescape(link[1]))
