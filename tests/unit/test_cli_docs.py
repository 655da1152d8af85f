"""The documents and the program say the same: nothing is missing, nothing is invented."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from archibald_sync.cli.exits import ExitCode
from archibald_sync.cli.root import COMMANDS, load
from archibald_sync.config import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [*DOCS.glob("*.md"), DOCS.parent / "README.md"]


def all_commands() -> dict[str, click.Command]:
    """Return every command that does something, by the words that call it."""
    return dict(_leaves())


def _leaves() -> Iterator[tuple[str, click.Command]]:
    for name, entry in COMMANDS.items():
        command = load(entry)
        if isinstance(command, click.Group):
            yield from ((f"{name} {sub}", one) for sub, one in command.commands.items())
        else:
            yield name, command


def sections() -> dict[str, str]:
    """Return the part of docs/cli.md about each command."""
    text = (DOCS / "cli.md").read_text("utf-8")
    parts = re.split(r"^### `(.+)`$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def first_cells(page: str, heading: str) -> list[str]:
    """Return the first column of the table under ``heading``."""
    part = (DOCS / page).read_text("utf-8").split(f"\n## {heading}\n", 1)[1].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [row.split("|")[1].strip().strip("`") for row in rows]


def test_every_setting_is_documented(tmp_path: Path) -> None:
    """The table holds exactly the settings that `check` shows, in that order."""
    settings = load_settings({}, folder=tmp_path, needs_secret=False)

    assert first_cells("settings.md", "Of the service") == [key for key, *_ in settings.described()]


def test_defaults_are_as_documented(tmp_path: Path) -> None:
    """Numbers and words in the column of defaults are those of the program."""
    described = load_settings({}, folder=tmp_path, needs_secret=False).described()
    text = (DOCS / "settings.md").read_text("utf-8")

    for key, value, _ in described[4:]:
        assert f"| `{key}` | `{value}` |" in text


def test_settings_of_the_web_server_are_documented() -> None:
    """The table holds exactly what the configuration of gunicorn reads."""
    source = (DOCS.parent / "archibald_sync" / "serving.py").read_text("utf-8")

    assert first_cells("settings.md", "Of the web server") == re.findall(
        r'environ\.get\("(\w+)"', source
    )


def test_every_command_is_documented() -> None:
    """docs/cli.md describes exactly the commands that exist."""
    assert set(sections()) == set(all_commands())


@pytest.mark.parametrize("name", sorted(all_commands()))
def test_options_are_documented(name: str) -> None:
    """A command's part of docs/cli.md names exactly its options."""
    parameters = [one for one in all_commands()[name].params if isinstance(one, click.Option)]
    options = {option for one in parameters if not one.hidden for option in one.opts}
    listed = [line for line in sections()[name].splitlines() if line.startswith("- ")]

    assert set(re.findall(r"`(--[\w-]+)`", " ".join(listed))) == options


def test_exit_codes_are_documented() -> None:
    """The table of exit codes holds exactly the codes that exist."""
    assert first_cells("cli.md", "Exit codes") == [str(int(code)) for code in ExitCode]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_and_commands_that_are_named_exist(page: Path) -> None:
    """No page names a setting or a command that is not there."""
    text = page.read_text("utf-8")
    settings = first_cells("settings.md", "Of the service")
    settings += first_cells("settings.md", "Of the web server")

    assert set(re.findall(r"\bARCHIBALD_\w+", text)) <= set(settings)
    called = re.findall(r"archibald-sync (?=[a-z])([a-z-]+)", text)
    assert {name for name in called if name != "beside"} <= set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Links between the pages name files and headings that exist."""
    for target in re.findall(r"\]\(([^)#:]*)(?:#([\w-]+))?\)", page.read_text("utf-8")):
        name, anchor = target
        linked = (page.parent / name) if name else page
        assert linked.is_file(), name
        if linked.suffix != ".md":
            continue  # a picture has no headings
        headings = re.findall(r"^#+ (.+)$", linked.read_text("utf-8"), flags=re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert not anchor or anchor in anchors, f"{name}#{anchor}"
