"""docs/sources.md and the example say what the connectors read, and no more."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from archibald_sync.domain.policy import GuardPolicy
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.sources import http_settings, registry
from archibald_sync.sources.archibald import settings as archibald
from archibald_sync.sources.files.settings import FILE_KEYS
from archibald_sync.sources.registry import load_guards, load_source
from archibald_sync.sources.rest import settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sources.md").read_text("utf-8")
EXAMPLE = ROOT / "instance" / "source.example.toml"


def rows_under(heading: str) -> dict[str, str]:
    """Return the rows of the table under ``heading`` by their first cell, without backticks."""
    part = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)[1].split("\n#")[0]
    rows = [line.split("|") for line in part.splitlines() if line.startswith("|")][2:]
    return {row[1].strip().strip("`"): "|".join(row[2:]) for row in rows}


def test_every_key_is_documented() -> None:
    """The tables of common keys have each key that is read, and no other."""
    assert set(rows_under("Keys of a resource")) == set(registry.COMMON_KEYS)
    assert set(rows_under("Keys of HTTP sources")) == set(http_settings.HTTP_KEYS)


@pytest.mark.parametrize("kind", ["rest", "odata"])
def test_every_key_of_a_kind_is_documented(kind: str) -> None:
    """Each connector's table has each key that it reads besides the common ones."""
    keys = set(registry.connector_of(kind).keys) - set(http_settings.HTTP_KEYS)

    assert set(rows_under(f"Keys of {kind}")) == keys
    assert f"`{kind}`" in rows_under("Keys of a resource")["kind"]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_every_key_of_files_is_documented(kind: str) -> None:
    """The tables for files have the keys that both kinds read, and each its own."""
    common, http = set(FILE_KEYS), set(http_settings.HTTP_KEYS)
    keys = set(registry.connector_of(kind).keys)

    assert set(rows_under("Keys of files")) - {"max_bytes"} == common - http
    assert set(rows_under(f"Keys of {kind}")) == keys - common
    assert f"`{kind}`" in rows_under("Keys of a resource")["kind"]


def test_every_archibald_key_is_documented() -> None:
    """So has the table of the keys that only the ERP's own pages have, with each inner key."""
    rows = rows_under("Archibald keys")

    assert set(rows) == set(archibald.KEYS) - set(http_settings.HTTP_KEYS)
    inner = {
        "login": archibald.LOGIN_KEYS,
        "export": archibald.EXPORT_KEYS,
        "reading": archibald.READING_KEYS,
    }
    for key, keys in inner.items():
        assert all(f"`{one}" in rows[key] for one in keys), key


def test_complete_archibald_table_loads(tmp_path: Path) -> None:
    """The table in the documents maps every field that the list shows by default."""
    block = PAGE.split("### A complete table")[1].split("```toml")[1].split("```")[0]
    path = tmp_path / "source.toml"
    path.write_text(block)

    source = load_source(PRODUCTS, path, {"ERP_USERNAME": "u", "ERP_PASSWORD": "p"})

    assert set(source.fields) == set(PRODUCTS.field_names) - {"vatGroup"}


def test_every_archibald_code_is_documented() -> None:
    """Whatever the connector raises of its own is in the table of what to do."""
    folder = ROOT / "archibald_sync" / "sources" / "archibald"
    raised = {
        code
        for path in folder.glob("*.py")
        for code in re.findall(r'code="(source_\w+)"', path.read_text("utf-8"))
    }
    told = {code for row in rows_under("What makes an export complete") for code in row.split("`")}

    assert raised - {"source_endless"} <= told


@pytest.mark.parametrize(
    ("heading", "known"),
    [("Pagination", settings.PAGINATION_KEYS), ("Auth", http_settings.AUTH_KEYS)],
)
def test_every_style_is_documented(heading: str, known: dict[str, tuple[str, ...]]) -> None:
    """Each style and type is there with each of its keys."""
    rows = rows_under(heading)

    assert set(rows) == set(known)
    for name, keys in known.items():
        named = set(re.findall(r"`(\w+)(?: = [^`]*)?`", rows[name].split("|")[0]))
        assert named == set(keys), name


def test_every_guard_is_documented_with_its_default() -> None:
    """The table of guards has each with the default that the code has."""
    rows = rows_under("Guards")
    defaults = GuardPolicy()
    for one in fields(GuardPolicy):
        shown = rows[one.name].split("|")[0].strip().strip("`")
        assert float(shown) == getattr(defaults, one.name), one.name


def uncommented(text: str) -> str:
    """Return ``text`` with its commented settings in force."""
    return re.sub(r"^# (\[[\w.]+\]|\w+ = )", r"\1", text, flags=re.MULTILINE)


def test_example_for_odata_loads(tmp_path: Path) -> None:
    """The commented OData lines of the example work in the place of those of rest."""
    rest, _, rest_of_file = EXAMPLE.read_text().partition("# An OData service")
    odata, fields, mapping = rest_of_file.partition("[products.fields]")
    kept = [line for line in rest.splitlines() if re.match(r"\[|url|auth", line)]
    path = tmp_path / "source.toml"
    path.write_text("\n".join([*kept, "#" + uncommented(odata), fields + mapping]))

    assert load_source(PRODUCTS, path, {"ERP_TOKEN": "x"}).fields[0] == "id"


def test_example_is_complete_and_loads(tmp_path: Path) -> None:
    """The example maps every declared field, and works once its token is set."""
    source = load_source(PRODUCTS, EXAMPLE, {"ERP_TOKEN": "x"})
    assert set(source.fields) == set(PRODUCTS.field_names)

    head, mark, tail = EXAMPLE.read_text().partition("# [products.guards]")
    guards = head + uncommented(mark + tail)
    path = tmp_path / "source.toml"
    path.write_text(guards)
    assert tomllib.loads(guards)["products"]["guards"]
    assert load_guards(PRODUCTS, path) == GuardPolicy()
