"""Every code that a run can end with has its words: what happened, and what helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

import archibald_sync
from archibald_sync import errors
from archibald_sync.domain import guards, normalise
from archibald_sync.services import slots
from archibald_sync.web.pages import advice, guard_words, language, run_words

PACKAGE = Path(archibald_sync.__file__).parent
# A code of a source is written where it is raised.
SOURCE_CODE = re.compile(r'"(source_[a-z_0-9]+[a-z0-9])"')
NOT_CODES = {"source_file"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """Return an application that knows the languages."""
    app = Flask("archibald_sync")
    language.init_app(app)
    return app


def codes_in(folder: Path) -> set[str]:
    """Return every code of a source that the modules under ``folder`` write."""
    texts = [path.read_text("utf-8") for path in folder.rglob("*.py")]
    return {code for text in texts for code in SOURCE_CODE.findall(text)} - NOT_CODES


def test_every_code_of_a_source_is_known() -> None:
    """Whatever a connector raises, the page says what helps; no code is left over."""
    raised = codes_in(PACKAGE / "sources") | codes_in(PACKAGE / "domain")
    raised |= {one.code for one in _all_errors(errors.SourceError)}
    known = {code for code in advice.ADVICE if code.startswith("source_")}

    statuses = {code for code in known if code.startswith("source_http_")}
    assert raised - known == set()
    assert known - statuses - raised == set()


def test_every_guard_is_known() -> None:
    """Each objection of the guards has advice, and words with figures."""
    raised = set(re.findall(r'Objection\(\s*"([a-z_]+)"', _source_of(guards)))

    assert len(raised) >= 8
    assert raised <= set(advice.ADVICE)
    assert set(guard_words.GUARDS) == raised | {"approval_mismatch"}


@pytest.mark.parametrize(
    "code",
    [
        slots.OVERRUN,
        slots.NOT_DRIVEN,
        errors.Preempted.code,
        errors.DeadlineExceeded.code,
        errors.Fenced.code,
        errors.StorageBusyError.code,
        errors.StorageFullError.code,
        errors.StorageCorruptError.code,
        errors.StorageError.code,
        "requested",
        "shutdown",
        "stopped",
        "owner_lost",
        "internal_error",
        "not_completed",
        "log_too_short",
    ],
)
def test_every_other_end_is_known(code: str) -> None:
    """So has everything else that ends a run, or keeps it from beginning."""
    assert code in advice.ADVICE


def test_unknown_codes_get_general_advice(app: Flask) -> None:
    """A code that nobody foresaw has no words of its own, and yet says what to do."""
    with app.test_request_context():
        assert advice.what("a_code_of_tomorrow") is None
        assert "archibald-sync check" in str(advice.todo("a_code_of_tomorrow"))
        assert (advice.what(None), advice.todo(None)) == (None, None)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("source_http_502", "The ERP could not be reached, or broke off in the middle."),
        ("source_http_401", "The ERP refused the login."),
        ("source_http_418", "The address of the ERP does not work as agreed."),
    ],
)
def test_statuses_are_understood(app: Flask, code: str, expected: str) -> None:
    """What a server says with a number is told in words."""
    with app.test_request_context():
        assert advice.what(code) == expected


def test_advice_is_in_the_language_of_the_reader(app: Flask) -> None:
    """The same code, in Italian."""
    with app.test_request_context(headers={"Accept-Language": "it"}):
        assert "ERP ha rifiutato" in str(advice.what("source_auth"))


def test_plain_rejections_are_translated() -> None:
    """Every reason without a figure that a value is refused for has its words."""
    reasons = set(re.findall(r'ValueError\("(expected [a-z ]+)"\)', _source_of(normalise)))

    assert len(reasons) >= 5
    assert {one for one in reasons if " such as " not in one} - set(run_words.REJECTIONS) <= {
        "expected a number in italian notation",
    }


def _source_of(module: object) -> str:
    return Path(str(getattr(module, "__file__"))).read_text("utf-8")  # noqa: B009


def _all_errors(base: type[errors.SourceError]) -> list[type[errors.SourceError]]:
    return [base, *(one for sub in base.__subclasses__() for one in _all_errors(sub))]
