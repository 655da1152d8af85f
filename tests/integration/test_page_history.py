"""The history, a run and its plan as pages: what they say, of what, and to whom."""

from __future__ import annotations

import html
import re
from itertools import chain
from typing import TYPE_CHECKING

import pytest
from integration.test_pages import page
from support import FakeSource, World, catalogue_of, record

from archibald_sync.domain.models import Role, RunOutcome, RunRequest, Trigger
from archibald_sync.errors import PermanentSourceError, TransientSourceError
from archibald_sync.web.pages import history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web_support import Api

HISTORY = "/products/history"
FULL = catalogue_of(1000)
DRY = RunRequest(Trigger.MANUAL, "anna", is_dry_run=True)


def shown(api: Api, path: str = HISTORY, role: Role = Role.VIEWER, **headers: str) -> str:
    """Return what a page says, white space joined."""
    answer = page(api, path, role, **headers)
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", html.unescape(answer.text))


def run_path(world: World, number: int = -1, more: str = "") -> str:
    """Return the page of a run, the last one by default."""
    return f"{HISTORY}/runs/{world.runs()[number]['id']}{more}"


def listed(text: str) -> list[str]:
    """Return the ids of the runs in a list, in their order."""
    return re.findall(r'<li class="run-row" id="([^"]+)"', text)


def skip(world: World, reason: str = "sync_in_progress", detail: str = "1 slot skipped") -> None:
    """Record a run that did not take place."""
    request = RunRequest(Trigger.SCHEDULE, due_at=world.clock.now_ms())
    world.history.record_skip(request, world.own(), reason, detail)


def hold(world: World, source: FakeSource) -> None:
    """Fill the local copy, and let a list with a third of it be held."""
    source.records = FULL
    assert world.run().outcome is RunOutcome.COMPLETED
    source.records = [record(1, name="other"), *FULL[1:300], record(2000)]
    assert world.run().outcome is RunOutcome.HELD


def followed(api: Api, path: str, words: str) -> Iterator[str]:
    """Yield a page and those that its link ``words`` leads to, one after the other."""
    seen: set[str] = set()
    while path not in seen:
        seen.add(path)
        text = shown(api, path)
        yield text
        links = re.findall(rf'href="([^"#]+)[^"]*">{words}<', text)
        path = links[0] if links else path


def test_runs_are_listed_with_how_they_ended(api: Api, source: FakeSource) -> None:
    """The newest first, each with the word of its outcome, its counts, or its reason in words."""
    world = api.world
    hold(world, source)
    skip(world)

    text = shown(api)

    assert listed(text) == [one["id"] for one in world.runs()][::-1]
    assert re.findall(r'data-outcome="(\w+)"', text) == ["skipped", "held", "completed"]
    assert "1,000 created" in text
    assert "The plan looked wrong, so nothing of it was written." in text
    assert "Another run was at work." in text


def test_attempts_stand_under_their_run(api: Api, source: FakeSource) -> None:
    """A run that needed two attempts is one row, with a way to each attempt."""
    source.records = catalogue_of(3)
    source.failures = [TransientSourceError("cut off")]
    api.world.run()

    text = shown(api)

    assert len(listed(text)) == 1
    assert re.findall(r">(Attempt \d)<", text) == ["Attempt 1", "Attempt 2"]
    assert re.findall(r'data-outcome="(\w+)"', text) == ["completed", "failed", "completed"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("outcome=skipped", [3]),
        ("trigger=manual", [2]),
        ("outcome=completed&trigger=schedule", [0]),
        ("outcome=&trigger=", [3, 2, 1, 0]),
        ("outcome=interrupted", []),
    ],
)
def test_runs_can_be_narrowed(
    api: Api, source: FakeSource, query: str, expected: list[int]
) -> None:
    """By outcome, by trigger and by both; what a form leaves empty narrows nothing."""
    world = api.world
    hold(world, source)
    world.run(request=DRY)
    skip(world)

    text = shown(api, f"{HISTORY}?{query}")

    assert listed(text) == [world.runs()[number]["id"] for number in expected]
    assert ("No run is like that." in text) == (not expected)


@pytest.mark.parametrize(
    "query", ["outcome=good", "trigger=nobody", "before=x", "outcome=held&before=1.%00"]
)
def test_what_nobody_can_ask_for_is_refused(api: Api, query: str) -> None:
    """A wrong address is told as such, and not answered with something else."""
    answer = page(api, f"{HISTORY}?{query}")

    assert answer.status_code == 400
    assert "expected" in answer.text


def test_every_run_is_on_one_page(api: Api) -> None:
    """The links lead through the whole history, without a script, and back to its beginning."""
    world = api.world
    for _ in range(2 * history.RUNS + 3):
        skip(world)

    pages = list(followed(api, f"{HISTORY}?outcome=skipped", "Older runs"))

    assert [len(listed(text)) for text in pages] == [history.RUNS, history.RUNS, 3]
    assert [*chain.from_iterable(map(listed, pages))] == [one["id"] for one in world.runs()][::-1]
    assert ["data-live" in text for text in pages] == [True, False, False]
    assert ["Newest runs" in text for text in pages] == [False, True, True]


def test_empty_history_says_what_to_do(api: Api) -> None:
    """Before the first run, and behind the last one, the page says where one is."""
    assert "Run now on the overview does not wait for it." in shown(api)
    assert "The history ends here." in shown(api, f"{HISTORY}?before=1.a")


def test_new_runs_arrive_in_the_list(api: Api) -> None:
    """The part that is asked for again is the list alone, with what has come."""
    first = shown(api, f"{HISTORY}/live")
    skip(api.world)

    then = shown(api, f"{HISTORY}/live")

    assert then.startswith('<section id="history"')
    assert (listed(first), len(listed(then))) == ([], 1)


def test_failed_run_says_what_helps(api: Api, source: FakeSource) -> None:
    """What happened in words, as it was recorded, what to do, the log and each attempt."""
    world = api.world
    source.records = catalogue_of(3)
    source.failures = [
        TransientSourceError("first <b>", code="source_connect"),
        PermanentSourceError("the password is wrong", code="source_login_refused"),
    ]
    world.run()
    first = world.sessions()[0]["id"]

    text = shown(api, run_path(world))
    chosen = shown(api, run_path(world, more=f"?session={first}"))

    assert "The ERP refused the login." in text
    assert '<p id="detail" lang="en">the password is wrong</p>' in text
    assert "so that the account is not locked" in text
    assert "Retrying in 0ms (attempt 2/3)" in text
    assert "2 of 3" in text
    assert "The ERP could not be reached, or broke off in the middle." in chosen
    assert "first <b>" in chosen
    assert "first <b>" not in page(api, run_path(world, more=f"?session={first}")).text
    assert page(api, run_path(world, more="?session=other")).status_code == 400


def test_run_leads_to_its_neighbours(api: Api) -> None:
    """Each run leads to the one before and the one after; the ends of the history to one."""
    world = api.world
    for _ in range(3):
        skip(world)
    ids = [one["id"] for one in world.runs()]

    links = [dict(re.findall(r'id="(older|newer)" href="[^"]*/([^"/]+)"', shown(api, one)))
             for one in (run_path(world, 0), run_path(world, 1), run_path(world, 2))]  # fmt: skip

    assert links == [
        {"newer": ids[1]},
        {"older": ids[0], "newer": ids[2]},
        {"older": ids[1]},
    ]


def test_skipped_run_says_why_and_leads_to_the_other(api: Api, source: FakeSource) -> None:
    """The run that was in the way can be reached from the sentence that names it."""
    world = api.world
    source.records = catalogue_of(3)
    world.run()
    other = world.runs()[0]["id"]
    skip(world, detail=f"2 slots skipped: run {other} had not ended")

    text = shown(api, run_path(world))

    assert f'2 slots skipped: run <a href="{HISTORY}/runs/{other}">{other}</a> had not' in text
    assert "choose a longer interval" in text
    assert "A run that did not take place logs nothing." in text


def test_changes_of_a_run_are_told_field_by_field(api: Api, source: FakeSource) -> None:
    """Every change of its session and of no other, old and new value, page by page."""
    world = api.world
    source.records = catalogue_of(200)
    world.run()
    source.records = [record(n, name=f"new {n}", stopped=True) for n in range(1, 41)]
    source.records += [*catalogue_of(200)[40:], record(900)]
    world.run()
    world.run()
    path = run_path(world, 1)

    pages = list(followed(api, path, "More changes"))

    rows = [row for text in pages for row in re.findall(r'<tr role="row"> <td.*?</tr>', text)]
    changes = [row for row in rows if ">update<" in row or ">creation<" in row]
    assert [len(re.findall(">(?:update|creation)</td>", one)) for one in pages] == [50, 31]
    assert len(changes) == len(world.changes()) - 200
    assert "H1.104.023" in changes[1]
    assert "new 1" in changes[1]
    assert [">no<" in one and ">yes<" in one for one in changes if "No longer" in one] == [
        True
    ] * 40
    assert "No record changed." in shown(api, run_path(world, 2))


def test_run_says_where_the_time_went(api: Api, source: FakeSource) -> None:
    """Each stage has its words, its duration, and a bar inside the whole."""
    source.records = catalogue_of(3)
    api.world.run()

    text = shown(api, run_path(api.world))

    assert "Reading from the ERP" in text
    assert "Writing the changes" in text
    bars = [(int(x), int(width)) for x, width in re.findall(r'<rect x="(\d+)" width="(\d+)"', text)]
    assert len(bars) == 3
    assert all(x >= 0 and width > 0 and x + width <= 1000 for x, width in bars)


def test_only_admins_are_told_how_to_undo(api: Api, source: FakeSource) -> None:
    """The command stands on runs that wrote, and for those who may use it."""
    world = api.world
    hold(world, source)
    command = f"archibald-sync rollback --session {world.sessions()[0]['id']}"

    assert command in shown(api, run_path(world, 0), Role.ADMIN)
    assert "rollback --session" not in shown(api, run_path(world, 0), Role.OPERATOR)
    assert "rollback --session" not in shown(api, run_path(world, 1), Role.ADMIN)


def test_run_at_work_keeps_itself_up_to_date(api: Api, source: FakeSource) -> None:
    """While it works it is asked for again, with its stage; once it has ended it is not."""
    world = api.world
    source.records = catalogue_of(3)
    seen: list[str] = []
    source.pause = lambda _control: seen.append(shown(api, run_path(world, more="/live")))
    world.run()
    ended = shown(api, run_path(world, more="/live"))

    assert seen[0].startswith('<div id="run" class="stack" data-busy data-live="')
    assert "Reading from the ERP" in seen[0]
    assert ended.startswith('<div id="run" class="stack">')


def test_sessions_lead_to_their_run(api: Api, source: FakeSource) -> None:
    """The page of a session is that of its run, with this attempt shown."""
    world = api.world
    source.records = catalogue_of(3)
    world.run()
    session = world.sessions()[0]["id"]

    answer = page(api, f"{HISTORY}/sessions/{session}")

    assert answer.status_code == 303
    assert answer.headers["Location"] == run_path(world, more=f"?session={session}")
    for path in ("sessions/x", "runs/x", "runs/x/live", "runs/x/plan", "runs/x/plan/verdict"):
        assert page(api, f"{HISTORY}/{path}").status_code == 404


def test_only_plans_that_wait_have_a_page(api: Api, source: FakeSource) -> None:
    """A run that applied its plan, or made none, has no page of a plan."""
    world = api.world
    hold(world, source)
    skip(world)

    found = [page(api, run_path(world, n, "/plan")).status_code for n in range(3)]

    assert found == [404, 200, 404]


def test_run_without_a_process_is_interrupted(api: Api) -> None:
    """What nobody works on any more is told as such, before anybody has recorded it."""
    world = api.world
    claim = world.claim()
    world.owner.release(claim.epoch)

    for text in (shown(api), shown(api, run_path(world))):
        assert 'data-outcome="interrupted"' in text
        assert "Its process ended in the middle." in text
    assert "data-live" not in shown(api, run_path(world))
