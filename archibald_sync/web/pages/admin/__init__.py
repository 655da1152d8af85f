"""The pages for admins: users, API keys and the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Blueprint, redirect

from archibald_sync.domain.models import Role
from archibald_sync.web.pages.admin import audit, keys, users
from archibald_sync.web.pages.layout import page_url
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

bp = Blueprint("admin", __name__, url_prefix="/admin")
for child in (users.bp, keys.bp, audit.bp):
    bp.register_blueprint(child)


@bp.get("")
@requires(Role.ADMIN)
def index() -> ResponseReturnValue:
    """Go to the first of them."""
    return redirect(page_url("admin.users.index"), 303)
