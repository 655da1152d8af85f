"""What all pages share: whose resource they are about, navigation, and the frame's values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from flask import current_app, request, url_for

from archibald_sync.domain.models import Role
from archibald_sync.web import tokens
from archibald_sync.web.context import services
from archibald_sync.web.pages import problems, words
from archibald_sync.web.pages.assets import asset_url
from archibald_sync.web.pages.fields import label_of_name
from archibald_sync.web.pages.language import LANGUAGES, gettext, language, later
from archibald_sync.web.security import known_caller

if TYPE_CHECKING:
    from flask import Flask

    from archibald_sync.domain.access import Caller
    from archibald_sync.web.context import ResourceServices

GENERAL = "pages"
THEME_COOKIE = "theme"
_THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation: shown where the page exists and the role suffices."""

    page: str
    label: str
    role: Role = Role.VIEWER


PLACES = (
    Place("overview", later("Overview")),
    Place("history", later("History")),
    Place("catalogue", later("Catalogue")),
    Place("changes", later("Changes")),
    Place("priority", later("Priority")),
    Place("admin", later("Admin"), Role.ADMIN),
)


def init_app(app: Flask) -> None:
    """Give templates what macros need, wherever they are rendered."""
    app.jinja_env.filters.update(iso=iso, utc=utc, field_label=field_label)


def of_resource(name: str) -> str:
    """Return the name of the blueprint that holds the pages of a resource."""
    return f"{GENERAL}-{name}"


def here() -> ResourceServices:
    """Return the services of the resource that this page is about; of the first, if of none."""
    known = services().resources
    return known.get(_resource_name()) or next(iter(known.values()))


def page_url(endpoint: str, **values: Any) -> str:  # noqa: ANN401  # as url_for
    """Return the address of a page of this resource, or of one for all: ``history.index``."""
    return url_for(_endpoint(endpoint) or endpoint, **values)


def has_page(endpoint: str) -> bool:
    """Return whether there is such a page."""
    return _endpoint(endpoint) is not None


def coming_run_url() -> str:
    """Return the page of a run that only begins: the script fills in the ``{runId}``."""
    return page_url("history.run.index", run_id="RUN").replace("RUN", "{runId}")


def api_url(endpoint: str, **values: Any) -> str:  # noqa: ANN401  # as url_for
    """Return the address of an operation of the API on this resource's sync: ``run``."""
    return url_for(f"{here().resource.name}.{endpoint}", **values)


def is_local(path: str | None) -> bool:
    """Return whether ``path`` leads to a page of ours, whatever browsers make of it."""
    return (
        path is not None
        and path.startswith("/")
        and not path.startswith("//")
        and "\\" not in path
        and path.isprintable()
    )


def field_label(name: str) -> str:
    """Return what a field of this page's resource is called, for people."""
    return label_of_name(here().resource, name)


def context() -> dict[str, Any]:
    """Return what the frame of a page shows."""
    return {
        "asset_url": asset_url,
        "page_url": page_url,
        "api_url": api_url,
        "coming_run_url": coming_run_url,
        "words": words,
        "me": known_caller(),
        "resource": here().resource,
        "language": language(),
        "languages": LANGUAGES,
        "theme": _theme(),
        "places": _places(known_caller()),
        "other_resources": _other_resources(),
        "events_url": _events_url(),
        "problems": problems.patterns(),
        "session_expires_at": tokens.renewal_due_at(),
        "now": round(datetime.now(UTC).timestamp() * 1000),
    }


def iso(instant: int) -> str:
    """Return an instant in ISO 8601, for machines."""
    return _moment(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc(instant: int) -> str:
    """Return an instant for people, in UTC."""
    return f"{_moment(instant):%Y-%m-%d %H:%M:%S} UTC"


def _moment(instant: int) -> datetime:
    return datetime.fromtimestamp(instant / 1000, UTC)


def _resource_name() -> str:
    return (request.blueprint or "").partition(".")[0].removeprefix(f"{GENERAL}-")


def _endpoint(endpoint: str) -> str | None:
    candidates = (f"{of_resource(here().resource.name)}.{endpoint}", f"{GENERAL}.{endpoint}")
    return next((one for one in candidates if one in current_app.view_functions), None)


def _places(caller: Caller | None) -> list[tuple[str, str, bool]]:
    """Return (label, address, whether it is this page) of each entry that is shown."""
    if caller is None:
        return []
    page = (request.blueprint or "").partition(".")[2].partition(".")[0]
    return [
        (gettext(place.label), page_url(f"{place.page}.index"), place.page == page)
        for place in PLACES
        if _endpoint(f"{place.page}.index") and caller.role.includes(place.role)
    ]


def _other_resources() -> list[tuple[str, str]]:
    """Return (label, address) of the overview of each other resource."""
    return [
        (gettext(one.resource.label), url_for(f"{of_resource(name)}.overview.index"))
        for name, one in services().resources.items()
        if name != here().resource.name
    ]


def _events_url() -> str | None:
    endpoint = f"{here().resource.name}.events"
    return url_for(endpoint, silent="true") if endpoint in current_app.view_functions else None


def _theme() -> str | None:
    chosen = request.cookies.get(THEME_COOKIE)
    return chosen if chosen in _THEMES else None
