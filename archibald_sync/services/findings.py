"""What a plan means, found out with the catalogue's help before it is judged.

Everything here costs by what changes; an unchanged catalogue is asked nothing.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from archibald_sync.domain.coverage import PlanCoverage
from archibald_sync.domain.delta import SAMPLE_SIZE
from archibald_sync.domain.oscillation import find_oscillations
from archibald_sync.domain.renames import RENAME_LIMIT, find_renames

if TYPE_CHECKING:
    from archibald_sync.domain.oscillation import Oscillation
    from archibald_sync.domain.plan import CatalogueSnapshot, Plan
    from archibald_sync.domain.ports import Catalogue
    from archibald_sync.domain.resources import Resource
    from archibald_sync.services.attempt import Mirror

# A run that changed more fields than this changed everything: its first ones will do.
_COMPARED_CHANGES = 50_000


def examined(mirror: Mirror, snapshot: CatalogueSnapshot, plan: Plan) -> Plan:
    """Return ``plan`` with its coverage, its renames, and the fields that it sets back."""
    catalogue = mirror.catalogue
    renames = _renames(mirror.resource, catalogue, snapshot, plan)
    oscillating, samples = _oscillations(mirror, plan)
    return replace(
        plan,
        counts=replace(plan.counts, renamed=len(renames), oscillating=oscillating),
        coverage=_coverage(catalogue, snapshot, plan),
        renames=renames,
        oscillations=samples,
    )


def _coverage(catalogue: Catalogue, snapshot: CatalogueSnapshot, plan: Plan) -> PlanCoverage:
    """Count by what changes: the records that stay as they are cost nothing."""
    before = snapshot.coverage
    if before is None or before.rows != snapshot.active:
        before = catalogue.coverage()
    known = before.plus(plan.written)
    if plan.restored:
        known = known.plus(catalogue.coverage(plan.restored))
    extract = known.minus(catalogue.coverage(plan.missing)) if plan.missing else known
    after = known.minus(catalogue.coverage(plan.deleted)) if plan.deleted else known
    return PlanCoverage(before, extract.only(plan.fields), after)


def _renames(
    resource: Resource, catalogue: Catalogue, snapshot: CatalogueSnapshot, plan: Plan
) -> dict[str, str]:
    name = resource.name_field
    vanished = [row for row in plan.missing if row not in snapshot.missed]
    counts = (len(vanished), len(plan.created))
    if name not in plan.fields or not min(counts) or max(counts) > RENAME_LIMIT:
        return {}
    column = plan.fields.index(name)
    old = catalogue.rows(vanished, [resource.key.name, name])
    return find_renames(
        ((values[0], values[column]) for _, _, values in plan.created),
        ((str(key), value) for _, (key, value) in old),
    )


def _oscillations(mirror: Mirror, plan: Plan) -> tuple[int, tuple[Oscillation, ...]]:
    """Compare with what the run before changed: how many fields go back, and samples."""
    since = mirror.history.last_changes_after() if plan.updated else None
    previous = {} if since is None else mirror.catalogue.updates_since(since, _COMPARED_CHANGES)
    if not previous:
        return 0, ()
    found = find_oscillations(plan.updated, previous)
    samples = tuple(islice(found, SAMPLE_SIZE))
    return len(samples) + sum(1 for _ in found), samples
