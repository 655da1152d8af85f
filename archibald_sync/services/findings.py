"""What a plan means, found out with the catalogue's help before it is judged.

Everything here costs by what changes; an unchanged catalogue is asked nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from archibald_sync.domain.coverage import PlanCoverage
from archibald_sync.domain.renames import RENAME_LIMIT, find_renames

if TYPE_CHECKING:
    from archibald_sync.domain.delta import CatalogueSnapshot, Plan
    from archibald_sync.domain.ports import Catalogue
    from archibald_sync.domain.resources import Resource


def examined(
    resource: Resource, catalogue: Catalogue, snapshot: CatalogueSnapshot, plan: Plan
) -> Plan:
    """Return ``plan`` with its coverage, and with the records that only got another key."""
    renames = _renames(resource, catalogue, snapshot, plan)
    return replace(
        plan,
        counts=replace(plan.counts, renamed=len(renames)),
        coverage=_coverage(catalogue, snapshot, plan),
        renames=renames,
    )


def _coverage(catalogue: Catalogue, snapshot: CatalogueSnapshot, plan: Plan) -> PlanCoverage:
    """Count by what changes: the records that stay as they are cost nothing."""
    before = snapshot.coverage
    if before is None or before.rows != len(snapshot.active):
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
