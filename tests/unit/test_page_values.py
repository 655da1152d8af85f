"""Marking what was searched for: where the index would find it, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from archibald_sync.web.pages.values import marked, shortened


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("H129FSQ.104.023", ["h129", "02"], "<mark>H129</mark>FSQ.104.<mark>02</mark>3"),
        ("H129FSQ.104", ["H129FSQ.104"], "<mark>H129FSQ</mark>.<mark>104</mark>"),
        ("qualità", ["QUALITA"], "<mark>qualità</mark>"),
        ("qualita\u0300 x", ["qualità"], "<mark>qualita\u0300</mark> x"),
        ("Straße", ["strass"], "<mark>Straß</mark>e"),
        ("a<b", ["b"], "a&lt;<mark>b</mark>"),
        ("unfit", ["fit"], "unfit"),
        ("a", ["..."], "a"),
        ("", ["a"], ""),
        ("a_b", ["b"], "a_<mark>b</mark>"),
    ],
)
def test_beginnings_of_words_are_marked(text: str, words: list[str], expected: str) -> None:
    """Without regard to case and accents; the rest of the text is escaped."""
    assert marked(text, words) == Markup(expected)  # noqa: S704  # what is compared


@given(st.text(), st.lists(st.text(max_size=5), max_size=3))
def test_marking_changes_nothing_but_marks(text: str, words: list[str]) -> None:
    """Without the marks it is the same text, whatever it and the words are."""
    found = marked(text, words).replace(Markup("<mark>"), "").replace(Markup("</mark>"), "")

    assert found == Markup.escape(text)


def test_long_texts_are_cut() -> None:
    """A text keeps its beginning, and says that there is more."""
    assert shortened("abc", 3) == "abc"
    assert shortened("abcd", 3) == "ab…"
