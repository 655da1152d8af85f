"""Log lines: a component, a stable sentence, and values as fields.

Text shows ``[Component] sentence``, exactly, and leaves time stamps to whatever
collects it (journald, a container's runtime); JSON adds time, level and the fields.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

ROOT = "archibald_sync"


class ComponentLogger(logging.LoggerAdapter[logging.Logger]):
    """Logs for one component; keyword arguments become fields of the line."""

    def __init__(self, component: str) -> None:
        """Log as ``[component]``."""
        super().__init__(logging.getLogger(f"{ROOT}.{component}"), {"component": component})

    def process(
        self, msg: object, kwargs: MutableMapping[str, Any]
    ) -> tuple[object, MutableMapping[str, Any]]:
        """Attach component and fields to the record."""
        extra = {**(self.extra or {}), "fields": kwargs.pop("extra", {})}
        return msg, {**kwargs, "extra": extra}


class TextFormatter(logging.Formatter):
    """``[Component] sentence``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with a traceback below it where there is one."""
        component = getattr(record, "component", record.name)
        line = f"[{component}] {record.getMessage()}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "component": getattr(record, "component", record.name),
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure(log_format: str) -> None:
    """Send our log lines to standard error as ``text`` or ``json``; may be called again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
