"""A demo ERP with a source that reads from it."""

from __future__ import annotations

import socket
from contextlib import closing
from importlib import resources
from typing import TYPE_CHECKING, Any

from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.sources.registry import load_source

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from archibald_sync.demo.server import DemoErp
    from archibald_sync.domain.ports import Source

_PACKAGED = (resources.files("archibald_sync.demo") / "source.toml").read_text("utf-8")
_PAGINATION = next(line for line in _PACKAGED.splitlines() if line.startswith("pagination"))
_AUTH = next(line for line in _PACKAGED.splitlines() if line.startswith("auth"))


def source_file(folder: Path, url: str, **changes: str) -> Path:
    """Write the packaged source.toml, reading from ``url``, with whole lines changed.

    Args:
        folder: Where to write it.
        url: The URL of the products.
        changes: ``pagination`` or ``auth`` as TOML values; any other key is added.
    """
    text = _PACKAGED.replace("http://127.0.0.1:8090/api/products", url)
    for key, value in changes.items():
        line = {"pagination": _PAGINATION, "auth": _AUTH}.get(key)
        if line is None:
            text = text.replace("timeout_s", f"{key} = {value}\ntimeout_s", 1)
        else:
            text = text.replace(line, f"{key} = {value}")
    path = folder / "source.toml"
    path.write_text(text, "utf-8")
    return path


def mapping_text() -> str:
    """Return the table of fields of the packaged source.toml: every declared field."""
    return _PACKAGED[_PACKAGED.index("[products.fields]") :].split("\n\n")[0] + "\n"


def source_of(
    erp: DemoErp,
    folder: Path,
    path: str = "/api/products",
    environ: Mapping[str, str] | None = None,
    **changes: Any,  # noqa: ANN401  # passed on
) -> Source:
    """Return a source that reads ``path`` of ``erp``."""
    return load_source(PRODUCTS, source_file(folder, erp.url(path), **changes), environ or {})


def free_port() -> int:
    """Return a port on which nothing listens."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
