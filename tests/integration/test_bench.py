"""`bench/run.py` measures: few rows, once, some rows of the table that need no peer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCRIPT = Path(__file__).parents[2] / "bench" / "run.py"
_ENGINE = ("day", "respelled", "first", "floor-log-2")


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the bench with its files in ``folder``."""
    command = [sys.executable, str(_SCRIPT), "--folder", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def results(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the results that were written, by name."""
    return {one["name"]: one for one in json.loads(path.read_text("utf-8"))["results"]}


def test_engine_rows_are_measured(tmp_path: Path) -> None:
    """Each has a time, a ratio, its memory, and came to the counts that it had to."""
    output = tmp_path / "results.json"
    only = [argument for name in _ENGINE for argument in ("--only", name)]

    done = bench(tmp_path, *only, "--rows", "250", "--rounds", "1", "--output", str(output))

    assert done.returncode == 0, done.stderr
    found = results(output)
    assert set(found) == set(_ENGINE)
    for result in found.values():
        assert result["missing"] is None
        assert len(result["measured"]) == len(result["referenceSeconds"]) == 1
        assert result["seconds"] > 0
        assert result["ratio"] > 0
        assert result["peakMb"] > 10
    assert done.stdout.count("\n| ") == len(_ENGINE) + 2
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_whole_run_is_measured(tmp_path: Path) -> None:
    """A run with everything around the engine completes, and its row says how long it took."""
    output = tmp_path / "results.json"

    done = bench(
        tmp_path, "--only", "run", "--rows", "600", "--rounds", "1", "--output", str(output)
    )

    assert done.returncode == 0, done.stderr
    (measured,) = results(output)["run"]["measured"]
    assert measured["facts"]["Unchanged"] == 600


def test_work_that_fails_is_no_figure(tmp_path: Path) -> None:
    """What could not be measured is reported as failed, and the exit code says so."""
    output = tmp_path / "results.json"

    done = bench(
        tmp_path, "--only", "unchanged", "--rows", "-1", "--rounds", "1", "--output", str(output)
    )

    assert done.returncode == 1
    assert results(output)["unchanged"]["missing"] == "failed: see above"
    assert "failed: see above" in done.stdout


@pytest.mark.parametrize("name", ["", "everything"])
def test_unknown_names_are_refused(tmp_path: Path, name: str) -> None:
    """A name that is no row of the table is an error that lists those that are."""
    done = bench(tmp_path, "--only", name)

    assert done.returncode == 2
    assert "unchanged-1m" in done.stderr
