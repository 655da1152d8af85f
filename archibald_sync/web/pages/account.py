"""One's own account: who one is, what one may do, another password."""

from __future__ import annotations

from flask import Blueprint, render_template

from archibald_sync.domain.access import CallerKind
from archibald_sync.domain.models import Role
from archibald_sync.web.context import services
from archibald_sync.web.pages.controls import Control
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.language import later
from archibald_sync.web.security import current_user, requires

_MAY = {
    Role.VIEWER: later("You see everything, and change nothing."),
    Role.OPERATOR: later("You see everything, start and stop syncs, and take priority."),
    Role.ADMIN: later(
        "You may do everything: also approve held plans, release priority, and manage users, "
        "keys and the audit log."
    ),
}

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show the whole page."""
    caller = current_user()
    last_login_at = services().access.tokens.last_logins().get(caller.user_id or 0)
    return render_template(
        "page/account.html",
        last_login_at=last_login_at,
        may=_(_MAY[caller.role]),
        control=_password(),
    )


def _password() -> Control:
    """Return the act that changes one's own password; machines and neighbours have none here."""
    is_person = current_user().kind is CallerKind.USER
    obstacle = None if is_person else _("Only for users who have logged in with a password.")
    question = _(
        "Change your password? All your logins end, in every browser and also this one, and you "
        "log in with the new password."
    )
    return Control("password", _("Change password"), _("Done."), obstacle, question)
