"""Measure speed and memory: one command, one table, each row a ratio to a reference.

Measured work and reference take turns, each in a fresh process, so that what else the
machine does meanwhile touches both. docs/benchmarks.md says how to read the table.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from measure import Measured
from report import Result, machine, table, write_json
from rows import TABLE, Bench, Row, Work

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE = Path(__file__).parent
_WAIT_S = 3600


class WorkFailedError(RuntimeError):
    """A child process failed, or came to another result than it had to."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is asked for; return the exit code: 1 where something failed."""
    options = _parser().parse_args(arguments)
    wanted = [row for row in TABLE if not options.only or row.name in options.only]
    results = []
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-") as folder:
        bench = Bench(Path(folder), _measured)
        for row in wanted:
            print(f"{row.name} …", file=sys.stderr, flush=True)
            results.append(_result(row, options.rows or row.rows, options.rounds, bench))
            # After each row: a long measurement that is broken off leaves what it has.
            write_json(options.output, results)
    print(f"{machine()}; median of {options.rounds}, in turn with the reference\n")
    print(table(results))
    return any(result.missing.startswith("failed") for result in results)


def _parser() -> argparse.ArgumentParser:
    names = ", ".join(row.name for row in TABLE)
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", action="append", metavar="NAME", help=f"one of: {names}",
                        choices=[row.name for row in TABLE])  # fmt: skip
    parser.add_argument("--rows", type=int, help="this many rows, whatever the table says")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--folder", type=Path, help="where the files go; a real disk is fairer")
    parser.add_argument("--output", type=Path, default=_HERE / "results.json", help="JSON file")
    return parser


def _result(row: Row, rows: int, rounds: int, bench: Bench) -> Result:
    if missing := [name for name in row.needs if not _is_there(name)]:
        is_ours = any(name.startswith("archibald_sync.") for name in missing)
        why = "not there yet" if is_ours else f"not installed: {', '.join(missing)}"
        return Result(row, rows, missing=why)
    try:
        return _measure(row, rows, rounds, bench)
    except WorkFailedError as exc:
        print(exc, file=sys.stderr)
        return Result(row, rows, missing="failed: see above")


def _measure(row: Row, rows: int, rounds: int, bench: Bench) -> Result:
    work, reference = row.make(bench, rows)
    expected = row.facts(rows)
    measured: list[Measured] = []
    compared: list[float] = []
    for _ in range(rounds):
        if reference is not None:
            compared.append(_measured(reference).seconds)
        one = _measured(work)
        if wrong := {
            name: one.facts.get(name) for name in expected if one.facts.get(name) != expected[name]
        }:
            raise WorkFailedError(f"{row.name}: came to {wrong}, expected {dict(expected)}")
        measured.append(one)
        if one.reference_seconds is not None:
            compared.append(one.reference_seconds)
    return Result(row, rows, measured, compared)


def _measured(work: Work) -> Measured:
    """Do ``work`` in a fresh process."""
    command = [sys.executable, str(_HERE / "measure.py"), work.module, work.function]
    done = subprocess.run(
        [*command, json.dumps(work.arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=_WAIT_S,
    )
    if done.returncode:
        raise WorkFailedError(f"{work.module}.{work.function} failed; its message stands above")
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


if __name__ == "__main__":
    sys.exit(main())
