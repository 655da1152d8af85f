"""A plan that was not applied: why, beside the last good sync, entry by entry; and approval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Blueprint, render_template

from archibald_sync.domain.models import PlanKind, Role, RunOutcome
from archibald_sync.errors import NotFoundError
from archibald_sync.web.pages import guard_words, run_words
from archibald_sync.web.pages.comparison import compared_counts, compared_coverage
from archibald_sync.web.pages.controls import approve_control
from archibald_sync.web.pages.layout import here
from archibald_sync.web.pages.queries import choice, number
from archibald_sync.web.pages.run import found_run, has_plan
from archibald_sync.web.security import current_user, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

ENTRIES = 25

bp = Blueprint("plan", __name__, url_prefix="/runs/<run_id>/plan")


@bp.get("")
@requires(Role.VIEWER)
def index(run_id: str) -> str:
    """Show the whole plan."""
    run = _run(run_id)
    good = here().overview.last_good_before(run["startedAt"])
    counts = run["summary"]["counts"]
    session = run["sessions"][-1]
    return render_template(
        "page/plan.html",
        **_verdict(run),
        good=good,
        counts=compared_counts(counts, good),
        coverage=compared_coverage(session["coverage"], good["coverage"] if good else None),
        **_entries(run),
    )


@bp.get("/verdict")
@requires(Role.VIEWER)
def verdict(run_id: str) -> str:
    """Show only why the plan was not applied and what can be done: others may act, too."""
    return render_template("page/plan_verdict.html", **_verdict(_run(run_id)))


def _run(run_id: str) -> Mapping[str, Any]:
    run = found_run(run_id)
    if not has_plan(run) or not run["summary"]:
        raise NotFoundError("this run made no plan that waits for anybody")
    return run


def _verdict(run: Mapping[str, Any]) -> dict[str, Any]:
    status = here().monitoring.status()
    newest = here().monitoring.newest_held_run_id()
    summary = run["summary"]
    return {
        "run": run,
        "is_held": run["outcome"] == RunOutcome.HELD,
        "objections": [
            guard_words.objection(one, summary["counts"]) for one in summary["objections"]
        ],
        "approve": approve_control(run, newest, status, current_user()),
        "run_words": run_words,
    }


def _entries(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of the entries of one kind; the samples where the plan is not kept."""
    counts = _kinds(run["summary"]["counts"])
    first = next((kind for kind, count in counts.items() if count), PlanKind.CREATED)
    kind = PlanKind(choice("kind", PlanKind) or first)
    start = number("at") or 0
    try:
        entries, following = here().monitoring.plan_page(run["id"], kind, start, ENTRIES)
    except NotFoundError:
        return {
            "kinds": counts,
            "kind": kind,
            "entries": _samples(run["summary"], kind),
            "is_kept": False,
        }
    return {
        "kinds": counts,
        "kind": kind,
        "entries": entries,
        "entries_begin": not start,
        "entries_next": following,
        "is_kept": True,
    }


def _kinds(counts: Mapping[str, int]) -> dict[PlanKind, int]:
    """Return how many entries of each kind there are; renamed ones are counted as created."""
    found = {kind: counts[kind] for kind in PlanKind}
    return {**found, PlanKind.CREATED: found[PlanKind.CREATED] - found[PlanKind.RENAMED]}


def _samples(summary: Mapping[str, Any], kind: PlanKind) -> list[Mapping[str, Any]]:
    """Return the samples that a run keeps for ever, as entries."""
    samples = summary[kind]
    if kind is PlanKind.MISSING:
        deleted = set(summary["deleted"])
        return [{"id": key, "isDeleted": key in deleted} for key in samples]
    return [one if isinstance(one, dict) else {"id": one} for one in samples]
