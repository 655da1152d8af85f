"""The local copy itself: lists, search, one record, its history, the change feed, CSV.

Every answer about the copy carries the catalogue's revision as its tag: a client that polls
an unchanged catalogue gets 304, before anything is read.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask import Response, request
from werkzeug.routing import BaseConverter

from archibald_sync.domain.models import Role
from archibald_sync.domain.reading import RecordQuery
from archibald_sync.errors import NotFoundError
from archibald_sync.web import catalogue_schemas as schemas
from archibald_sync.web.blueprint import Blueprint
from archibald_sync.web.catalogue_csv import chunks_of, csv_file
from archibald_sync.web.catalogue_rows import row_writer, shown_changes
from archibald_sync.web.context import services
from archibald_sync.web.delivery import answer, tag_by
from archibald_sync.web.problems import problem_responses
from archibald_sync.web.security import requires

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from flask import Flask
    from marshmallow import Schema

    from archibald_sync.domain.resources import Resource
    from archibald_sync.services.catalogue import CatalogueService
    from archibald_sync.web.openapi import Api

_MAX_WORDS = 10


class RecordKeyConverter(BaseConverter):
    """The key of a record in a path: any text, slashes too, but what means a route beside it."""

    regex = "(?!(?:changes|sync|variants)$|sync/).{1,1000}"
    part_isolating = False


def init_app(app: Flask, api: Api, resources: Iterable[Resource]) -> None:
    """Add the catalogue of each of ``resources`` to ``api``."""
    app.url_map.converters["record_key"] = RecordKeyConverter
    api.register_converter(RecordKeyConverter, lambda _converter: {"type": "string"})
    for resource in resources:
        api.register_blueprint(make_blueprint(resource))


def make_blueprint(resource: Resource) -> Blueprint:
    """Return the routes of the catalogue of ``resource``, with schemas from its declaration."""
    bp = Blueprint(
        f"{resource.name}_catalogue",
        __name__,
        url_prefix="/api",
        description=f"The local copy of {resource.name}",
    )
    record, change = schemas.record_schema(resource), schemas.change_schema(resource)
    _add_lists(bp, resource, record)
    if resource.variants:
        _add_variants(bp, resource, record)
    _add_changes(bp, resource, record, change)
    _add_records(bp, resource, record, change)
    _add_sessions(bp, resource, change)
    return bp


def _add_lists(bp: Blueprint, resource: Resource, record: type[Schema]) -> None:
    shown = row_writer(resource)

    @bp.route(f"/{resource.name}")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.arguments(schemas.list_query_schema(resource)(), location="query")
    @bp.describe(200, schemas.page_schema(resource, record))
    @bp.doc(responses=problem_responses(400))
    def records(query: dict[str, Any]) -> Response:
        """List or search, page by page."""
        _tag_by_revision(resource, with_words=query["q"] is not None)
        page, following = record_page(_catalogue(resource), query)
        return answer({resource.name: [shown(row) for row in page], "next": following})

    @bp.route(f"/{resource.name}.csv")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.arguments(schemas.ExportQuerySchema, location="query")
    @bp.describe(200, {"type": "string"}, content_type="text/csv")
    @bp.doc(responses=problem_responses(400))
    def export(query: dict[str, Any]) -> Response:
        """All of it, as of one moment, as CSV."""
        _tag_by_revision(resource)
        with _catalogue(resource).every_record(with_deleted=query["includeDeleted"]) as found:
            file = csv_file(resource, found)
        response = Response(chunks_of(file), content_type="text/csv; charset=utf-8")
        # Also where nobody reads the answer: a client that has gone, a HEAD.
        response.call_on_close(file.close)
        response.headers["Content-Disposition"] = f'attachment; filename="{resource.name}.csv"'
        return response


def _add_variants(bp: Blueprint, resource: Resource, record: type[Schema]) -> None:
    shown = row_writer(resource)

    @bp.route(f"/{resource.name}/variants")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.arguments(schemas.VariantQuerySchema, location="query")
    @bp.describe(200, schemas.variants_schema(resource, record))
    @bp.doc(responses=problem_responses(400, 404))
    def variants(query: dict[str, Any]) -> Response:
        """Choose among those of one name: the largest multiple that divides the quantity."""
        _tag_by_revision(resource)
        choice = _catalogue(resource).variants(query["name"], Decimal(query["quantity"]))
        chosen = None if choice.chosen is None else shown(choice.chosen)
        return answer({"chosen": chosen, "variants": [shown(row) for row in choice.variants]})


def _add_changes(
    bp: Blueprint,
    resource: Resource,
    record: type[Schema],
    change: type[Schema],
) -> None:
    shown = row_writer(resource)

    @bp.route(f"/{resource.name}/changes")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.arguments(schemas.FeedQuerySchema, location="query")
    @bp.describe(200, schemas.feed_schema(resource, change, record))
    @bp.doc(responses=problem_responses(400, 404))
    def changes(query: dict[str, Any]) -> Response:
        """Follow what changes: nothing is skipped, and nothing comes twice.

        Begin with `since=0`, keep the records of each answer in the place of your own,
        and go on with its `next`. A record with a `deletedAt` has gone. 404 means that the
        log does not hold `since`: copy the whole catalogue and begin anew.
        """
        _tag_by_revision(resource)
        page = _catalogue(resource).changes_since(query["since"], query["limit"])
        body = {
            "changes": shown_changes(page.changes),
            resource.name: [shown(row) for row in page.records],
            "next": page.cursor,
            "isLast": page.is_last,
        }
        return answer(body)


def _add_records(
    bp: Blueprint,
    resource: Resource,
    record: type[Schema],
    change: type[Schema],
) -> None:
    shown = row_writer(resource)

    @bp.route(f"/{resource.name}/<record_key:key>")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.describe(200, record)
    @bp.doc(responses=problem_responses(404))
    def show(key: str) -> Response:
        """One record, deleted or not."""
        found, revision = _catalogue(resource).record(key)
        tag_by(revision, request.full_path)
        return answer(shown(found))

    @bp.route(f"/{resource.name}/<record_key:key>/changes")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.arguments(schemas.HistoryOfRecordQuerySchema, location="query")
    @bp.describe(200, schemas.history_schema(resource, change))
    @bp.doc(responses=problem_responses(400, 404))
    def changes_of(query: dict[str, Any], key: str) -> Response:
        """Tell what happened to one record, the newest first."""
        _tag_by_revision(resource)
        limit = query["limit"]
        found = _catalogue(resource).changes_of(key, limit + 1, query["before"])
        return answer(_change_page(found, limit))


def _add_sessions(bp: Blueprint, resource: Resource, change: type[Schema]) -> None:
    """Add what belongs to the sync by its path, but to the declaration by its schema."""

    @bp.route(f"/{resource.name}/sync/sessions/<session_id>/changes")
    @requires(Role.VIEWER)
    @bp.etag
    @bp.arguments(schemas.ChangesOfSessionQuerySchema, location="query")
    @bp.describe(200, schemas.session_changes_schema(resource, change))
    @bp.doc(responses=problem_responses(400, 404))
    def changes_of_session(query: dict[str, Any], session_id: str) -> Response:
        """Tell what one session changed, in the order in which it was written.

        Nothing for a session that wrote nothing: it failed, was held, or found no change.
        """
        # Not by the revision: what a session wrote stays, whatever is synced afterwards.
        session = services().resources[resource.name].monitoring.session(session_id)
        if session is None:
            raise NotFoundError("there is no such session")
        limit = query["limit"]
        found = _catalogue(resource).changes_of_session(session, limit + 1, query["after"])
        return answer(_change_page(found, limit))


def record_page(
    catalogue: CatalogueService, query: Mapping[str, Any]
) -> tuple[Sequence[Mapping[str, Any]], str | None]:
    """Return a page of records, and the cursor of the next one; None at the end.

    Args:
        catalogue: What to ask.
        query: As the schema of ``list_query_schema`` loads it.
    """
    asked = _record_query(query)
    is_hopeless = query["q"] is not None and not asked.words
    found = [] if is_hopeless else catalogue.records(asked)
    shown = found[: query["limit"]]
    is_last = len(found) <= query["limit"]
    return shown, None if is_last else _place_after(shown[-1], asked)


def words_of(text: str | None) -> tuple[str, ...]:
    """Return the words of what somebody searches for, the first few: each has a letter or digit."""
    words = (text or "").replace("\0", " ").split()  # the search would end there
    return tuple(word for word in words if any(map(str.isalnum, word)))[:_MAX_WORDS]


def _catalogue(resource: Resource) -> CatalogueService:
    return services().resources[resource.name].catalogue


def _tag_by_revision(resource: Resource, *, with_words: bool = False) -> None:
    """Answer 304 at once where the client has this revision of this very answer."""
    tag_by(_catalogue(resource).revision(with_words=with_words), request.full_path)


def _change_page(found: Sequence[Mapping[str, Any]], limit: int) -> dict[str, Any]:
    """Return at most ``limit`` changes, and where the next ones begin if more were found."""
    page = shown_changes(found[:limit])
    return {"changes": page, "next": page[-1]["id"] if len(found) > limit else None}


def _record_query(query: Mapping[str, Any]) -> RecordQuery:
    sort = query["sort"]
    return RecordQuery(
        words=words_of(query["q"]),
        group=query.get("group"),
        updated_since=query["updatedSince"],
        with_deleted=query["includeDeleted"],
        sort=sort.removeprefix("-"),
        is_descending=sort.startswith("-"),
        limit=query["limit"] + 1,
        after=schemas.place_of(query["cursor"]),
    )


def _place_after(last: Any, query: RecordQuery) -> str:  # noqa: ANN401  # a row
    value = "" if query.words else last[query.sort]
    return schemas.text_of(value, last["rowId"])
