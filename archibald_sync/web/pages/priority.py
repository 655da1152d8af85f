"""Who goes first: the orders that keep the sync away, since when and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from archibald_sync.domain.models import Role
from archibald_sync.web.context import services
from archibald_sync.web.pages.controls import Control, lacks_role
from archibald_sync.web.pages.language import gettext as _
from archibald_sync.web.pages.layout import here
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from archibald_sync.domain.models import PriorityLease

bp = Blueprint("priority", __name__, url_prefix="/priority")


@bp.get("")
@requires(Role.VIEWER)
def index() -> str:
    """Show the whole page."""
    return render_template("page/priority.html", **_values())


@bp.get("/live")
@requires(Role.VIEWER)
def live() -> str:
    """Show only the part that changes by itself."""
    return render_template("page/priority_live.html", **_values())


def _values() -> dict[str, Any]:
    manager = services().priority
    leases = manager.held()
    return {
        "leases": [(lease, _release(lease)) for lease in leases],
        "is_quiet": manager.is_quiet(),
        "status": here().monitoring.status(),
    }


def _release(lease: PriorityLease) -> Control:
    """Return the act that ends a lease: for whoever holds it in the API, here for admins."""
    question = _(
        "End the lease of %(owner)s? If its order is still at work, a sync may begin now and get "
        "in its way; the order app is not told.",
        owner=lease.owner,
    )
    obstacle = lacks_role(current_user(), Role.ADMIN)
    done = _("The lease has ended.")
    return Control(f"release-{lease.id}", _("Release"), done, obstacle, question)
