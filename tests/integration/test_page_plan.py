"""A plan that was not applied, as a page: why, beside what, entry by entry, and approval."""

from __future__ import annotations

import re
import shutil
from itertools import chain
from typing import TYPE_CHECKING

from integration.test_page_history import DRY, FULL, HISTORY, followed, hold, run_path, shown
from integration.test_pages import OVERVIEW, page
from support import FakeSource, World, catalogue_of, record, wait_for
from web_support import SYNC, Api

from archibald_sync.domain.models import Role, RunOutcome
from archibald_sync.web.pages.plan import ENTRIES

if TYPE_CHECKING:
    from collections.abc import Mapping


def table(text: str, section: str) -> Mapping[str, list[str]]:
    """Return the rows of the table in a section: their cells by their heads."""
    part = text.split(f'id="{section}"')[1].split("</table>", maxsplit=1)[0]
    rows = re.findall(r'<th scope="row"[^>]*>(.*?)</th>(.*?)</tr>', part)
    return {
        " ".join(re.sub("<[^>]+>", "", head).split()): re.findall(
            r'<td class="number">(.*?)</td>', cells
        )
        for head, cells in rows
    }


def obstacle(text: str) -> str | None:
    """Return why the plan cannot be approved; None where it can."""
    found = re.search(r'id="act-approve"[^>]*aria-disabled="true" title="([^"]+)"', text)
    assert 'id="act-approve"' in text
    return found[1] if found else None


def test_held_plan_says_which_guard_and_why(api: Api, source: FakeSource) -> None:
    """The guard in words with the plan's figures, what may be behind it, and what was recorded."""
    hold(api.world, source)

    text = shown(api, run_path(api.world, more="/plan"))

    assert "The ERP delivered 301 rows: 30.1% of the 1,000 in the local copy." in text
    assert "A filter that was left in the ERP's profile" in text
    assert "at least 70% are expected" in text


def test_held_plan_stands_beside_the_last_good_sync(api: Api, source: FakeSource) -> None:
    """Counts and coverage of both; columns that lost values come first and are marked."""
    world = api.world
    full = [{**one, "stopped": None} for one in FULL]
    source.records = full
    world.run()
    source.records = [
        {**one, "name": "", "minQty": 1 if n % 2 else ""} for n, one in enumerate(full)
    ]
    assert world.run().outcome is RunOutcome.HELD

    text = shown(api, run_path(world, more="/plan"))

    counts = table(text, "counts-title")
    assert counts["Rows read"] == ["1,000", "1,000"]
    assert (counts["Created"], counts["Updated"]) == (["1,000", "0"], ["0", "1,000"])
    lost = table(text, "coverage-title")
    assert list(lost.items()) == [
        ("Article name empty now", ["100%", "0%"]),
        ("Smallest quantity fewer values", ["100%", "50%"]),
    ]
    assert "All 4 columns" in text


def test_plan_without_a_good_sync_stands_alone(api: Api, source: FakeSource) -> None:
    """A first list that is held has nothing beside it, and says so."""
    api.world.run()

    text = shown(api, run_path(api.world, more="/plan"))

    assert "The ERP delivered no row at all." in text
    assert "No good sync yet" in text
    assert table(text, "counts-title")["Rows read"] == ["\N{EN DASH}", "0"]


def test_entries_of_each_kind_are_told(api: Api, source: FakeSource) -> None:
    """Created with their values, updated field by field, missing, renamed, rejected with why."""
    world = api.world
    hold(world, source)
    source.records = [
        record(1, name="other"),
        record(2, minQty="many"),
        *FULL[2:298],
        record(2000),
        record(3000, name="H299.104.023"),
    ]
    assert world.run().outcome is RunOutcome.HELD

    def entries(kind: str) -> str:
        return shown(api, run_path(world, more=f"/plan?kind={kind}")).split('id="entries"')[1]

    assert "002000K2" in entries("created")
    assert "H2000.104.023" in entries("created")
    assert re.search("000001K2.*Article name.*H1.104.023.*other", entries("updated"))
    assert "would stay for now" in entries("missing")
    assert re.search("003000K2.*000299K2", entries("renamed"))
    assert re.search("Smallest quantity.*many.*expected a number", entries("rejected"))
    assert "None of this kind." in entries("restored")
    assert page(api, run_path(world, more="/plan?kind=other")).status_code == 400
    assert page(api, run_path(world, more="/plan?kind=missing&at=1")).status_code == 400


def test_every_entry_is_on_one_page(api: Api, source: FakeSource) -> None:
    """The links lead through all entries of a kind, without a script."""
    hold(api.world, source)

    pages = list(followed(api, run_path(api.world, more="/plan?kind=missing"), "More entries"))

    found = [re.findall(r'<th scope="row">\s*<(?:a|span) [^>]*>(.*?)</', one) for one in pages]
    assert [len(one) for one in found] == [ENTRIES] * 28
    assert sorted(chain.from_iterable(found)) == [one["id"] for one in FULL[300:]]


def test_samples_remain_of_a_plan_that_is_not_kept(api: Api, source: FakeSource) -> None:
    """Long afterwards the page still has counts and samples, and says what is missing."""
    world = api.world
    hold(world, source)
    shutil.rmtree(world.folder / "plans")

    text = shown(api, run_path(world, more="/plan?kind=updated"))

    assert "These are the samples of this one." in text
    assert re.search("000001K2.*Article name.*H1.104.023.*other", text)
    for kind in ("created", "missing", "restored", "renamed", "rejected"):
        assert page(api, run_path(world, more=f"/plan?kind={kind}")).status_code == 200


def test_dry_run_has_a_plan_that_nobody_approves(api: Api, source: FakeSource) -> None:
    """It says what a sync would do with the plan, and offers no approval."""
    world = api.world
    source.records = FULL
    world.run()
    source.records = [*FULL[:999], record(2000)]
    world.run(request=DRY)
    good = shown(api, run_path(world, more="/plan"), Role.ADMIN)
    source.records = FULL[:200]
    world.run(request=DRY)
    bad = shown(api, run_path(world, more="/plan"), Role.ADMIN)

    assert "A sync would apply this plan." in good
    assert "A sync with this plan would be held." in bad
    assert "20% of the 1,000 in the local copy" in bad
    assert "act-approve" not in good + bad


def test_without_a_driver_nobody_approves(api: Api, source: FakeSource) -> None:
    """Viewers and operators lack the role; an admin is told that nobody could carry it out."""
    world = api.world
    hold(world, source)
    world.owner.release(world.own_epoch())
    path = run_path(world, more="/plan")

    assert obstacle(shown(api, path)) == "Only for the role admin or above."
    assert obstacle(shown(api, path, Role.OPERATOR)) == "Only for the role admin or above."
    assert "nobody could carry it out" in str(obstacle(shown(api, path, Role.ADMIN)))


def test_admin_approves_once(world: World, source: FakeSource) -> None:
    """The button leads to the act of the API; afterwards the page says by whom."""
    hold(world, source)
    world.owner.release(world.own_epoch())
    api = Api.with_owner(world)
    held = world.runs()[-1]["id"]
    path = run_path(world, more="/plan")
    before = shown(api, path, Role.ADMIN)

    answer = api.call("POST", f"{SYNC}/runs/{held}/approve", Role.ADMIN)
    assert answer.status_code == 202
    wait_for(lambda: (run := world.history.run(answer.json["runId"])) and run["outcome"])
    after = shown(api, path, Role.ADMIN)

    assert obstacle(before) is None
    assert f'action="{SYNC}/runs/{held}/approve"' in before
    assert f'data-goto="{HISTORY}/runs/{{runId}}"' in before
    assert "data-question=" in before
    assert "act-approve" not in after
    assert "Approved by admin" in after
    assert f'<a href="{HISTORY}/runs/{held}">' in shown(
        api, f"{HISTORY}/runs/{answer.json['runId']}"
    )


def test_only_the_newest_held_plan_can_be_approved(api: Api, source: FakeSource) -> None:
    """An older one says that there is another to look at."""
    world = api.world
    hold(world, source)
    world.run()

    text = shown(api, run_path(world, -2, "/plan"), Role.ADMIN)

    assert obstacle(text) == "Another plan was held later: look at that one."


def test_plan_is_settled_by_a_later_sync(api: Api, source: FakeSource) -> None:
    """Once the ERP was put right and synced, nobody is asked to approve the old plan."""
    world = api.world
    hold(world, source)
    source.records = FULL
    assert world.run().outcome is RunOutcome.COMPLETED

    text = shown(api, run_path(world, -2, "/plan"), Role.ADMIN)

    assert obstacle(text) == "A later sync went well: there is nothing left to approve."


def test_part_that_is_asked_for_again_is_the_verdict(api: Api, source: FakeSource) -> None:
    """Others may approve meanwhile: the part with the button keeps itself up to date."""
    hold(api.world, source)

    text = shown(api, run_path(api.world, more="/plan/verdict"))

    assert text.startswith('<section id="verdict"')
    assert f'data-live="{run_path(api.world, more="/plan/verdict")}"' in text


def test_overview_leads_to_the_plan(api: Api, source: FakeSource) -> None:
    """While a plan is held, the way to it stands beside the state."""
    world = api.world
    world.schedule.begin(30, world.clock.now_ms() + 60_000, None, world.own())
    hold(world, source)

    assert f'id="see-plan" href="{run_path(world, more="/plan")}"' in page(api, OVERVIEW).text


def test_plan_is_told_in_italian(api: Api, source: FakeSource) -> None:
    """Words and figures are those of the language."""
    hold(api.world, source)
    headers = {"Accept-Language": "it"}

    text = shown(api, run_path(api.world, more="/plan"), Role.VIEWER, **headers)

    assert "ERP ha consegnato 301 righe: 30,1% delle 1.000 della copia locale." in text
    assert "ultima sincronizzazione riuscita" in text


def test_small_plans_need_no_pager(api: Api, source: FakeSource) -> None:
    """Where all entries fit there is nowhere to go."""
    source.records = catalogue_of(3)
    api.world.run(request=DRY)

    text = shown(api, run_path(api.world, more="/plan"))

    assert 'class="pager"' not in text
