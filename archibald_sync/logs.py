"""Log lines: a component, a stable sentence, and values as fields.

Text shows ``[Component] sentence``, exactly, and leaves time stamps to whatever
collects it (journald, a container's runtime); JSON adds time, level and the fields.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, MutableMapping

ROOT = "archibald_sync"


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was logged, without its traceback."""

    logged_at: int
    level: str
    component: str
    message: str
    fields: Mapping[str, object]


# Who wants to hear the lines of a run, by the run; and the run of this thread, if any.
_hearers: dict[str, Callable[[Line], None]] = {}
_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)


@contextmanager
def heard(run_id: str, hear: Callable[[Line], None]) -> Iterator[None]:
    """Tell ``hear`` what is logged for a run inside the block, whatever the log's level.

    That is what this thread logs, and what other threads log with the run's ``runId``.
    Lines below "info" are left out.
    """
    _hearers[run_id] = hear
    token = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(token)
        del _hearers[run_id]


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

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:  # noqa: ANN401
        """Log a line, and tell whoever hears the lines of its run."""
        if _hearers and level >= logging.INFO:
            self._tell(level, msg, args, kwargs.get("extra") or {})
        super().log(level, msg, *args, **kwargs)

    def _tell(
        self, level: int, msg: object, args: tuple[object, ...], fields: Mapping[str, object]
    ) -> None:
        hear = _hearers.get(str(fields.get("runId") or _run_id.get()))
        if hear is not None:
            name = logging.getLevelName(level).lower()
            text = str(msg) % args if args else str(msg)
            component = str((self.extra or {})["component"])
            hear(Line(time.time_ns() // 1_000_000, name, component, text, fields))


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
