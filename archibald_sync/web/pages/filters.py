"""What templates of the catalogue and the changes use to write fields, values and kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archibald_sync.web.pages.changelog import kind_counted, kind_label, kind_tone
from archibald_sync.web.pages.fields import label_of
from archibald_sync.web.pages.values import shortened, shown

if TYPE_CHECKING:
    from flask import Flask


def init_app(app: Flask) -> None:
    """Give them to the templates of ``app``."""
    app.jinja_env.filters.update(
        label=label_of,
        shown=shown,
        shortened=shortened,
        kind_label=kind_label,
        kind_counted=kind_counted,
        kind_tone=kind_tone,
    )
