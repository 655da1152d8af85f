"""Cells of CSV: no spreadsheet calculates them, and what is no formula stays as it is."""

from __future__ import annotations

import pytest

from archibald_sync.web.csv_cells import safe_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("  =1", "'  =1"),
        ("\u00a0\u3000\ufeff\u200b\x0b=1", "'\u00a0\u3000\ufeff\u200b\x0b=1"),
        ("\t1", "'\t1"),
        ("\r1", "'\r1"),
        ('x;=HYPERLINK("http://e")', 'x;\'=HYPERLINK("http://e")'),
        ("x; =1;+2", "x;' =1;'+2"),
        ("x\t@1", "x\t'@1"),
        ("x\n=1", "x\n'=1"),
    ],
)
def test_formulas_are_texts(text: str, cell: str) -> None:
    """At the beginning, and wherever another cell could begin."""
    assert safe_cell(text) == cell


@pytest.mark.parametrize("text", ["", "a", "a-b", "a = b", "H1;023", "à; è", "x@y", "a\nb", "1"])
def test_other_texts_stay(text: str) -> None:
    """Nothing else is touched."""
    assert safe_cell(text) == text
