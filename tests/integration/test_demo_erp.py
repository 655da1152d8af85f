"""The demo ERP: deterministic, drifting, and able to fail on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
import requests

from archibald_sync.demo.catalogue import DemoCatalogue
from archibald_sync.demo.faults import FAULTS
from archibald_sync.demo.revisions import Revisions
from archibald_sync.demo.server import DemoErp

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def erp() -> Iterator[DemoErp]:
    """Return a small demo ERP that changes from read to read."""
    with DemoErp(rows=200, seed=7) as erp:
        yield erp


def products(erp: DemoErp, path: str = "/api/products/all") -> dict[str, dict[str, Any]]:
    """Return all products by id, as one read finds them."""
    rows = requests.get(erp.url(path), timeout=5).json()
    return {row["ITEMID"]: row for row in rows}


def test_same_seed_gives_the_same_products() -> None:
    """Two demo ERPs of one seed are alike, of two seeds not."""
    found = []
    for seed in (3, 3, 4):
        with DemoErp(rows=50, seed=seed) as erp:
            found.append(products(erp))

    assert found[0] == found[1] != found[2]


def test_drift_is_told_exactly(erp: DemoErp) -> None:
    """Each read but the first finds what the state page says it finds."""
    before, after = products(erp), products(erp)

    state = requests.get(erp.url("/_state"), timeout=5).json()
    last = state["revisions"][-1]
    assert (len(last["created"]), len(last["updated"]), len(last["removed"])) == (2, 12, 1)
    assert set(after) - set(before) == set(last["created"])
    assert set(before) - set(after) == set(last["removed"])
    changed = {
        key: sorted(name for name in after[key] if after[key][name] != before[key][name])
        for key in after.keys() & before.keys()
        if after[key] != before[key]
    }
    assert changed == last["updated"]


def test_a_read_stays_consistent_over_its_pages(erp: DemoErp) -> None:
    """Pages of one read are of one revision, though the catalogue changes meanwhile."""
    first = requests.get(erp.url("/api/products"), {"size": "100"}, timeout=5).json()
    erp.revise(created=5, removed=50)
    second = requests.get(erp.url("/api/products"), {"size": "100", "page": "2"}, timeout=5).json()

    keys = {row["ITEMID"] for row in [*first["items"], *second["items"]]}
    assert (len(keys), second["total"]) == (200, 200)


def test_changes_on_demand(erp: DemoErp) -> None:
    """A test or a curious reader changes the products with one request."""
    answer = requests.post(erp.url("/_revise"), json={"created": 1, "updated": 2}, timeout=5)

    body = answer.json()
    assert (answer.status_code, body["revision"]) == (200, 2)
    assert (len(body["created"]), len(body["updated"]), body["removed"]) == (1, 2, [])


def test_faults_are_switched_over_http(erp: DemoErp) -> None:
    """One request switches a fault on, for a while, another all of them off."""
    url = erp.url("/_faults")
    on = requests.post(url, json={"fault": "status", "status": 503, "times": 1}, timeout=5)
    assert on.json() == {"active": ["status"]}
    assert requests.get(url, timeout=5).json()["available"] == FAULTS
    assert requests.get(erp.url("/api/products"), timeout=5).status_code == 503
    assert requests.get(erp.url("/api/products"), timeout=5).status_code == 200

    requests.post(url, json={"fault": "empty"}, timeout=5)
    assert requests.get(erp.url("/api/products"), timeout=5).json()["items"] == []
    assert requests.delete(url, timeout=5).json() == {"active": []}
    assert len(products(erp)) > 0


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/_faults", {"fault": "nope"}, "known:"),
        ("/_faults", {"fault": "slow", "secs": 1}, "secs"),
        ("/_faults", {"fault": "slow", "seconds": "1"}, "seconds"),
        ("/_revise", {"added": 1}, "added"),
        ("/_revise", [], "pop|mapping"),
    ],
)
def test_wrong_demands_are_refused(erp: DemoErp, path: str, body: object, word: str) -> None:
    """A fault or an option that does not exist is told, and changes nothing."""
    answer = requests.post(erp.url(path), json=body, timeout=5)

    assert answer.status_code == 400
    assert any(part in answer.json()["error"] for part in word.split("|"))
    assert erp.faults.names() == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/api/products?page=x", 400),
        ("GET", "/api/products/nothing", 404),
        ("GET", "/odata/v4/Products?$inlinecount=allpages", 400),
        ("GET", "/odata/v2/Products?$count=true", 400),
        ("GET", "/odata/v4/Products?$select=ITEMID,NOTHING", 400),
        ("GET", "/odata/v4/Products?$filter=startswith(NAME,'H')", 400),
        ("GET", "/odata/v4/Products?$top=x", 400),
    ],
)
def test_other_requests(erp: DemoErp, method: str, path: str, status: int) -> None:
    """What the ERP does not know it says so."""
    assert requests.request(method, erp.url(path), timeout=5).status_code == status


def test_who_are_you(erp: DemoErp) -> None:
    """With credentials wanted, others get 401; stopping twice is harmless."""
    erp.headers = {"X-Api-Key": "k"}
    assert requests.get(erp.url("/api/products"), timeout=5).status_code == 401
    answer = requests.get(erp.url("/api/products"), headers={"X-Api-Key": "k"}, timeout=5)
    assert answer.status_code == 200
    erp.stop()
    erp.stop()


@pytest.mark.parametrize("path", ["/api/products", "/odata/v4/Products", "/odata/v2/Products"])
def test_unchanged_answers_are_known_by_their_etag(path: str) -> None:
    """304 without a body while nothing changed, 200 afterwards."""
    with DemoErp(rows=20, drift=False) as erp:
        first = requests.get(erp.url(path), timeout=20)
        known = {"If-None-Match": first.headers["ETag"]}
        again = requests.get(erp.url(path), headers=known, timeout=20)
        erp.revise(updated=1)
        after = requests.get(erp.url(path), headers=known, timeout=20)

    assert (first.status_code, again.status_code, after.status_code) == (200, 304, 200)
    assert again.content == b""


def test_odata_pages_of_both_versions_hold_the_same_products(erp: DemoErp) -> None:
    """Next links lead through all products; v2 writes decimals and times its own way."""
    v4 = odata_rows(erp, "/odata/v4/Products", "value", "@odata.nextLink")
    erp.revisions = Revisions(DemoCatalogue(200, 7), drift=False)
    v2 = odata_rows(erp, "/odata/v2/Products", "results", "__next")

    assert [row["ITEMID"] for row in v4] == [row["ITEMID"] for row in v2]
    assert len(v4) == 200
    assert v4[0]["MODIFIEDDATETIME"] == "2025-11-03T08:15:00Z"
    assert v2[0]["MODIFIEDDATETIME"] == "/Date(1762157700000)/"
    assert (v4[0]["HIGHESTQTY"], v2[0]["HIGHESTQTY"]) == (1000.0, "1000.00")


def odata_rows(erp: DemoErp, path: str, rows: str, link: str) -> list[dict[str, Any]]:
    """Return the records of all pages of an OData face."""
    found, url = [], erp.url(path)
    while url:
        answer = requests.get(url, headers={"Prefer": "odata.maxpagesize=90"}, timeout=20).json()
        answer = answer.get("d", answer)
        found += answer[rows]
        url = urljoin(url, answer[link]) if link in answer else ""
    return found


def test_top_and_skip_cut_out_a_part() -> None:
    """``$skip`` and ``$top`` count in the order asked for, and all are counted."""
    query = {"$skip": "10", "$top": "5", "$orderby": "ITEMID", "$count": "true"}
    with DemoErp(rows=200, drift=False) as erp:
        url = erp.url("/odata/v4/Products")
        answer = requests.get(url, query, timeout=20).json()
        every = requests.get(url, {"$orderby": "ITEMID"}, timeout=20).json()

    assert answer["@odata.count"] == 200
    assert answer["value"] == every["value"][10:15]
    assert "@odata.nextLink" not in answer


def test_odata_asks_who_you_are(erp: DemoErp) -> None:
    """With credentials wanted, others get 401 from every face."""
    erp.headers = {"X-Api-Key": "k"}

    assert requests.get(erp.url("/odata/v4/Products"), timeout=20).status_code == 401
