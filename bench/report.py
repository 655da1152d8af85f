"""What came out, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
import platform
import sqlite3
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from measure import Measured
    from rows import Goal, Row

_HEADER = ("work", "rows", "time", "a row", "peak", "compared with", "ratio", "goal", "")
_LEFT = frozenset({0, 5, 7, 8})


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its measurements, or why there are none."""

    row: Row
    rows: int
    measured: Sequence[Measured] = ()
    reference: Sequence[float] = field(default=())
    missing: str = ""

    @property
    def seconds(self) -> float:
        """Return the median of what was measured."""
        return median(one.seconds for one in self.measured)

    @property
    def peak_mb(self) -> float:
        """Return the most memory that any of the processes had."""
        return max(one.peak_mb for one in self.measured)

    @property
    def ratio(self) -> float | None:
        """Return measured by reference: the median of both."""
        return self.seconds / median(self.reference) if self.reference else None

    def verdicts(self) -> Iterator[tuple[str, bool]]:
        """Yield each goal and whether it is met."""
        goal, ratio = self.row.goal, self.ratio
        if goal.ratio is not None and ratio is not None:
            yield f"≤ {goal.ratio:g} x", ratio <= goal.ratio
        if goal.faster is not None and ratio is not None:
            yield f"≥ {goal.faster:g} x faster", ratio <= 1 / goal.faster
        if goal.seconds is not None:
            yield f"≤ {goal.seconds:g} s", self.seconds <= goal.seconds
        if goal.peak_mb is not None:
            yield f"≤ {goal.peak_mb:g} MB", self.peak_mb <= goal.peak_mb


def table(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown, which is readable as it is."""
    lines = [_HEADER, *map(_cells, results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADER))]
    text = [_line(line, widths) for line in lines]
    rule = ["-" * w if at in _LEFT else "-" * (w - 1) + ":" for at, w in enumerate(widths)]
    return "\n".join([text[0], _line(rule, widths), *text[1:]])


def write_json(path: Path, results: Sequence[Result]) -> None:
    """Write everything that was measured."""
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **_machine()}
    document["results"] = [_as_json(result) for result in results]
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


def machine() -> str:
    """Return a line about where it was measured."""
    return ", ".join(f"{name} {value}" for name, value in _machine().items())


def _machine() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.machine()}",
    }


def _cells(result: Result) -> tuple[str, ...]:
    row = result.row
    goals = ", ".join(_goals(row.goal))
    if result.missing:
        return row.title, f"{result.rows:,}", "", "", "", row.reference, "", goals, result.missing
    verdicts = list(result.verdicts())
    words = "" if not verdicts else "met" if all(ok for _, ok in verdicts) else "NOT MET"
    return (
        row.title,
        f"{result.rows:,}",
        _time(result.seconds),
        f"{result.seconds / result.rows * 1e6:.1f} µs",
        f"{result.peak_mb:.0f} MB",
        row.reference,
        _ratio(row.goal, result.ratio),
        ", ".join(f"{text}{'' if ok else ' (!)'}" for text, ok in verdicts),
        words,
    )


def _goals(goal: Goal) -> Iterator[str]:
    names = {"ratio": "≤ {:g} x", "faster": "≥ {:g} x faster", "seconds": "≤ {:g} s"}
    for name, value in asdict(goal).items():
        if value is not None:
            yield names.get(name, "≤ {:g} MB").format(value)


def _ratio(goal: Goal, ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{1 / ratio:.1f} x faster" if goal.faster else f"{ratio:.2f} x"


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.ljust(width) if at in _LEFT else cell.rjust(width)
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"


def _as_json(result: Result) -> dict[str, Any]:
    document: dict[str, Any] = {
        "name": result.row.name,
        "title": result.row.title,
        "rows": result.rows,
        "reference": result.row.reference,
        "goal": asdict(result.row.goal),
        "missing": result.missing or None,
    }
    if result.measured:
        document |= {
            "seconds": result.seconds,
            "microsecondsARow": result.seconds / result.rows * 1e6,
            "peakMb": result.peak_mb,
            "ratio": result.ratio,
            "isMet": dict(result.verdicts()),
            "measured": [asdict(one) for one in result.measured],
            "referenceSeconds": list(result.reference),
        }
    return document
