"""Which pack variant fits a quantity, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from integration.test_web_catalogue import FIELDS, PRODUCTS_URL, sync
from support import FakeSource, record

from archibald_sync.domain.models import Role
from archibald_sync.services import catalogue

if TYPE_CHECKING:
    from web_support import Api


@pytest.fixture
def source() -> FakeSource:
    """Return a source that delivers what a variant is chosen by."""
    source = FakeSource()
    source.fields = FIELDS
    return source


@pytest.mark.parametrize(
    ("quantity", "chosen"),
    [(20, "10K2"), (15, "5K2"), (7, "1K2"), (10, "10K2"), (1000, "10K2")],
)
def test_variant_that_fits_the_quantity(api: Api, quantity: int, chosen: str) -> None:
    """The largest multiple that divides the quantity, of those that can be ordered."""
    packs: list[tuple[str, int, bool, bool]] = [
        ("1K2", 1, True, False),
        ("5K2", 5, True, False),
        ("10K2", 10, True, False),
        ("100K2", 100, True, True),  # stopped
        ("50K2", 50, False, False),  # not orderable
        ("0K2", 0, True, False),
    ]
    sync(
        api.world,
        [
            record(0, id=key, name="a.b c", multipleQty=multiple, orderable=can, stopped=stopped)
            for key, multiple, can, stopped in packs
        ],
    )

    answer = api.call(
        "GET", f"{PRODUCTS_URL}/variants?name=a.b%20c&quantity={quantity}", Role.VIEWER
    ).json

    assert answer["chosen"]["id"] == chosen
    assert len(answer["variants"]) == 6


def test_variant_that_does_not_exist(api: Api) -> None:
    """An unknown name is 404; a name that no multiple fits has no choice, and says so."""
    sync(api.world, [record(1, name="x", multipleQty=5, orderable=True)])

    unknown = api.call("GET", f"{PRODUCTS_URL}/variants?name=y&quantity=5", Role.VIEWER)
    unfit = api.call("GET", f"{PRODUCTS_URL}/variants?name=x&quantity=7", Role.VIEWER)

    assert unknown.status_code == 404
    assert unfit.json["chosen"] is None
    assert [one["id"] for one in unfit.json["variants"]] == ["000001K2"]


@pytest.mark.parametrize("multiple", ["1,5", "0." + "0" * 40 + "1", "Infinity", "NaN", ""])
def test_variant_whose_multiple_is_of_no_use_does_not_fit(api: Api, multiple: str) -> None:
    """Whatever somebody else wrote there, the others are chosen from."""
    packs = [record(1, name="x", multipleQty=5, orderable=True), record(2, name="x")]
    sync(api.world, packs)
    with api.world.database.transaction() as connection:
        update = "UPDATE products SET multipleQty = ? WHERE id = '000002K2'"
        connection.execute(update, (multiple,))

    answer = api.call("GET", f"{PRODUCTS_URL}/variants?name=x&quantity=10", Role.VIEWER)

    assert answer.status_code == 200
    assert answer.json["chosen"]["id"] == "000001K2"
    assert len(answer.json["variants"]) == 2


def test_namesakes_without_end_are_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer has a limit, however many records share a name."""
    monkeypatch.setattr(catalogue, "MAX_VARIANTS", 2)
    sync(api.world, [record(n, name="x", multipleQty=5, orderable=True) for n in (1, 2, 3)])

    answer = api.call("GET", f"{PRODUCTS_URL}/variants?name=x&quantity=10", Role.VIEWER).json

    assert [one["id"] for one in answer["variants"]] == ["000001K2", "000002K2"]
