"""The API keys of machines: those in force, those that have ended, and a new one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from archibald_sync.domain.access import CallerKind
from archibald_sync.domain.models import Role
from archibald_sync.services.keys import MAX_DAYS
from archibald_sync.web.context import services
from archibald_sync.web.pages.controls import Control
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from archibald_sync.domain.access import ApiKey

bp = Blueprint("keys", __name__, url_prefix="/keys")


@bp.get("")
@requires(Role.ADMIN)
def index() -> str:
    """Show the whole page."""
    is_person = current_user().kind is CallerKind.USER
    obstacle = None if is_person else _("Only for users who have logged in with a password.")
    add = Control("add-key", _("Make key"), _("The key has been made."), obstacle)
    return render_template(
        "page/admin_keys.html", add=add, roles=list(Role), max_days=MAX_DAYS, **_keys()
    )


@bp.get("/live")
@requires(Role.ADMIN)
def live() -> str:
    """Show only the lists."""
    return render_template("page/admin_keys_live.html", **_keys())


def _keys() -> dict[str, Any]:
    users = {one.id: one for one in services().accounts.users()}
    now = round(datetime.now(UTC).timestamp() * 1000)
    keys = services().access.keys.all_keys()
    return {
        "users": users,
        "in_force": [(key, _revoke(key)) for key in keys if not _has_ended(key, now)],
        "ended": [key for key in keys if _has_ended(key, now)],
    }


def _has_ended(key: ApiKey, now: int) -> bool:
    return key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= now)


def _revoke(key: ApiKey) -> Control:
    question = _(
        "Revoke the key %(name)s? Whatever uses it is refused from now on, and the key cannot be "
        "brought back.",
        name=key.name,
    )
    return Control(f"revoke-{key.id}", _("Revoke"), _("The key has been revoked."), None, question)
