"""Every word of the pages exists in every language, and no translation is left over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from babel.messages.extract import extract_from_dir

import archibald_sync.web as package
from archibald_sync.domain.resources import RESOURCES
from archibald_sync.web.pages.language import LANGUAGES, catalogue

if TYPE_CHECKING:
    from babel.messages.catalog import Message

    from archibald_sync.domain.resources import Resource

WEB = Path(package.__file__).parent
# What is extracted, and by whom; Jinja brings its own extractor along.
METHODS = [("pages/**.py", "python"), ("templates/page/**.html", "jinja2.ext:babel_extract")]
OPTIONS = {"templates/page/**.html": {"trimmed": "true", "silent": "false"}}
KEYWORDS = {"_": None, "gettext": None, "later": None, "ngettext": (1, 2)}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%s|\{\w+\}")
OTHERS = [code for code in LANGUAGES if code != "en"]


def used() -> set[str | tuple[str, ...]]:
    """Return every message that pages and templates use."""
    found = extract_from_dir(WEB, METHODS, OPTIONS, KEYWORDS)
    return {message for _, _, message, _, _ in found if message}


def ids(message: Message) -> str | tuple[str, ...]:
    """Return what identifies a message: both forms, where it has a plural."""
    return tuple(message.id) if isinstance(message.id, list | tuple) else message.id


@pytest.mark.parametrize("code", OTHERS)
def test_translations_are_complete(code: str) -> None:
    """Each message that is used has a translation, and each translation is used."""
    translated = {ids(one) for one in catalogue(code) if one.id and all(_texts(one))}

    assert used() - translated == set(), "add them to pages/translations"
    assert translated - used() == set()


@pytest.mark.parametrize("code", OTHERS)
def test_translations_are_sound(code: str) -> None:
    """None is fuzzy, and each has the placeholders of its message."""
    for message in catalogue(code):
        original = message.id[0] if isinstance(message.id, list | tuple) else message.id
        if not original:
            continue
        assert not message.fuzzy, original
        for text in _texts(message):
            assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(original)), original


def test_labels_of_resources_can_be_translated() -> None:
    """A resource that is declared has its label among the messages."""
    assert {one.label for one in RESOURCES.values()} <= used()


@pytest.mark.parametrize("resource", RESOURCES.values(), ids=lambda one: one.name)
def test_labels_of_fields_can_be_translated(resource: Resource) -> None:
    """Each declared field has a label of its own, and stands in one section, that has one."""
    labels = [one.label for one in resource.fields] + [one.label for one in resource.sections]
    placed = [name for section in resource.sections for name in section.fields]

    assert set(labels) <= used()
    assert len({one.label for one in resource.fields} - {""}) == len(resource.fields)
    assert sorted(placed) == sorted(resource.field_names)


def _texts(message: Message) -> tuple[str, ...]:
    text = message.string
    return tuple(text) if isinstance(text, list | tuple) else (str(text or ""),)
