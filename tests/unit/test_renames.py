"""Which records only got another key: one name, one that vanished, one that appeared."""

from __future__ import annotations

import pytest

from archibald_sync.domain.renames import Named, find_renames


@pytest.mark.parametrize(
    ("appeared", "vanished", "renames"),
    [
        ([("1K1", "a")], [("1K0", "a")], {"1K1": "1K0"}),
        ([("1K1", " a  b ")], [("1K0", "a b")], {"1K1": "1K0"}),
        ([("1K1", "a"), ("2K1", "b")], [("2K0", "b"), ("1K0", "a")], {"1K1": "1K0", "2K1": "2K0"}),
        ([("1K1", "a")], [("1K0", "b")], {}),
        ([("1K1", "a"), ("1K2", "a")], [("1K0", "a")], {}),
        ([("1K1", "a")], [("1K0", "a"), ("1K2", "a")], {}),
        ([("1K1", None)], [("1K0", None)], {}),
        ([("1K1", "")], [("1K0", " ")], {}),
        ([], [("1K0", "a")], {}),
    ],
)
def test_only_unambiguous_pairs_are_renames(
    appeared: list[Named], vanished: list[Named], renames: dict[str, str]
) -> None:
    """A name that is empty, or that several records share, proves nothing."""
    assert find_renames(appeared, vanished) == renames
