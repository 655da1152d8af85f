"""Log lines: the plan's words in text, fields in JSON."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from archibald_sync import logs
from archibald_sync.logs import ComponentLogger, JsonFormatter, TextFormatter


def line(formatter: logging.Formatter, **fields: object) -> str:
    """Return one line of the component Boot as ``formatter`` writes it."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    logger = logging.getLogger("archibald_sync.Boot")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    ComponentLogger("Boot").info("Started (%dmin)", 30, **fields)  # type: ignore[arg-type]
    logger.removeHandler(handler)
    return formatter.format(records[0])


def test_text_is_component_and_sentence() -> None:
    """A text line is the bracketed component and the sentence, and nothing else."""
    assert line(TextFormatter(), extra={"runId": "r1"}) == "[Boot] Started (30min)"


def test_json_carries_the_fields() -> None:
    """A JSON line has the same sentence plus time, level and fields."""
    entry = json.loads(line(JsonFormatter(), extra={"runId": "r1"}))

    assert entry.pop("time").endswith("+00:00")
    assert entry == {
        "level": "info",
        "component": "Boot",
        "message": "Started (30min)",
        "runId": "r1",
    }


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_tracebacks_are_kept(formatter: logging.Formatter) -> None:
    """An exception's traceback follows its line."""
    try:
        int("broken")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "oops", (), sys.exc_info())

    assert "ValueError: invalid literal" in formatter.format(record)


@pytest.mark.parametrize(("log_format", "cls"), [("text", TextFormatter), ("json", JsonFormatter)])
def test_configure_replaces_the_handler(log_format: str, cls: type) -> None:
    """Configuring twice leaves one handler of the wanted format."""
    logger = logging.getLogger(logs.ROOT)
    before, propagate = list(logger.handlers), logger.propagate

    logs.configure("text")
    logs.configure(log_format)

    assert [type(handler.formatter) for handler in logger.handlers] == [cls]
    logger.handlers[:] = before
    logger.propagate = propagate
