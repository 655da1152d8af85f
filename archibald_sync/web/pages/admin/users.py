"""Who may log in: all users, and one with what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from archibald_sync.domain.models import Role
from archibald_sync.web.context import services
from archibald_sync.web.pages.controls import Control
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from archibald_sync.domain.models import User

bp = Blueprint("users", __name__, url_prefix="/users")


@bp.get("")
@requires(Role.ADMIN)
def index() -> str:
    """Show the whole page."""
    add = Control("add-user", _("Add user"), _("The user has been added."))
    return render_template("page/admin_users.html", add=add, roles=list(Role), **_users())


@bp.get("/live")
@requires(Role.ADMIN)
def live() -> str:
    """Show only the list."""
    return render_template("page/admin_users_live.html", **_users())


@bp.get("/<name>")
@requires(Role.ADMIN)
def show(name: str) -> str:
    """Show one user."""
    return render_template("page/admin_user.html", **_user(name))


@bp.get("/<name>/live")
@requires(Role.ADMIN)
def show_live(name: str) -> str:
    """Show only what changes of a user."""
    return render_template("page/admin_user_live.html", **_user(name))


def _users() -> dict[str, Any]:
    return {
        "users": services().accounts.users(),
        "last_logins": services().access.tokens.last_logins(),
    }


def _user(name: str) -> dict[str, Any]:
    user = services().accounts.account(name)
    return {
        "user": user,
        "last_login_at": services().access.tokens.last_logins().get(user.id),
        "controls": _controls(user),
        "roles": list(Role),
    }


def _controls(user: User) -> dict[str, Control]:
    """Return what can be done about a user; what would lock admins out cannot."""
    is_me = current_user().user_id == user.id
    kept = _kept(user, is_me=is_me)
    own = _("This is you: change your own password under My account.") if is_me else None
    name = user.name
    role = _("Give %(name)s another role? All logins of this user end at once.", name=name)
    disable = _(
        "Disable %(name)s? All logins of this user end at once, and the API keys this user "
        "answers for stop working until the user is enabled again.",
        name=name,
    )
    reset = _(
        "Give %(name)s another password? The present one stops working at once, and all logins "
        "of this user end.",
        name=name,
    )
    return {
        "role": Control("role", _("Change role"), _("The role has been changed."), kept, role),
        "disable": Control(
            "disable", _("Disable"), _("The user has been disabled."), kept, disable
        ),
        "enable": Control("enable", _("Enable"), _("The user may log in again.")),
        "reset": Control(
            "reset", _("Reset password"), _("The password is another one."), own, reset
        ),
    }


def _kept(user: User, *, is_me: bool) -> str | None:
    """Return why a user must stay an enabled admin; None where nothing depends on it."""
    if services().accounts.is_last_admin(user):
        return _("This is the last admin: add another one first.")
    if is_me:
        return _("This is you: ask another admin, so that nobody locks themselves out.")
    return None
