"""One measurement: what a fresh child process does, and what it reports.

``python bench/measure.py MODULE FUNCTION ARGUMENTS`` calls a function of this folder
with the keyword arguments that the JSON text ARGUMENTS holds, and prints a JSON object.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_STATUS = Path("/proc/self/status")


@dataclass(slots=True)
class Measured:
    """What one child measured: time on the wall and on the processor, and facts to check.

    ``peak_mb`` is the most memory that the process had resident, in 10^6 bytes;
    ``reference_seconds`` is what to compare with, where the same process measured it.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    reference_seconds: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@contextmanager
def stopwatch(measured: Measured) -> Iterator[None]:
    """Measure the block."""
    began, cpu_began = time.perf_counter(), time.process_time()
    yield
    measured.seconds = time.perf_counter() - began
    measured.cpu_seconds = time.process_time() - cpu_began


def peak_mb() -> float:
    """Return the most memory that this process has had resident, in 10^6 bytes."""
    if _STATUS.exists():
        # ru_maxrss of a child begins with its parent's; VmHWM does not.
        line = next(one for one in _STATUS.read_text().splitlines() if one.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main(arguments: list[str]) -> None:
    """Measure what the arguments name, and print it."""
    module, function, options = arguments
    work: Callable[..., Measured] = getattr(importlib.import_module(module), function)
    keywords: Mapping[str, Any] = json.loads(options)
    measured = work(**keywords)
    measured.peak_mb = measured.peak_mb or peak_mb()
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main(sys.argv[1:])
