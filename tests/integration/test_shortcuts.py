"""A source that says that nothing changed: believed, for a day, unless something speaks against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from integration.test_dry_run import DRY
from support import FakeSource, ShiftedClock, World, catalogue_of, record

from archibald_sync.cli import monitoring, syncing
from archibald_sync.domain.models import RunOutcome, RunRequest, Trigger
from archibald_sync.domain.resources import PRODUCTS
from archibald_sync.errors import ConfigError, NotModified, TransientSourceError
from archibald_sync.services.control import RunControl
from archibald_sync.sources.registry import load_verify_every_hours

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from archibald_sync.domain.models import Page
    from archibald_sync.domain.ports import Control

HOUR_MS = 3_600_000
FULL = catalogue_of(120)


@pytest.fixture
def clock() -> ShiftedClock:
    """Return a clock that can be set forward."""
    return ShiftedClock()


@pytest.fixture
def world(tmp_path: Path, source: FakeSource, clock: ShiftedClock) -> Iterator[World]:
    """Return a service whose source has given a validator with the first extract."""
    world = World(tmp_path, source, clock=clock)
    source.records, source.validator = FULL, "v1"
    world.run()
    clock.shift_ms += 1000
    yield world
    world.close()


def is_shortcut(world: World) -> bool:
    """Run once; return whether the source was believed."""
    assert world.run().outcome is RunOutcome.COMPLETED
    return bool(world.sessions()[-1]["isShortcut"])


def test_unchanged_source_is_checked_but_not_verified(world: World) -> None:
    """Completed with nothing read; looked at now, verified then; the catalogue untouched."""
    before = [tuple(row) for row in world.database.rows("SELECT * FROM products")]
    times = world.monitoring.status()

    assert is_shortcut(world)

    session, run = world.sessions()[-1], world.runs()[-1]
    counts = ("Processed", "Created", "Updated", "Deleted", "Restored", "Unchanged", "Missing")
    assert [session[f"items{name}"] for name in counts] == [0] * 7
    assert (session["status"], run["outcome"], run["summary"]) == ("completed", "completed", None)
    assert "checked, not verified" in run["detail"]
    now = world.monitoring.status()
    assert now["lastVerifiedAt"] == times["lastVerifiedAt"] == world.sessions()[0]["completedAt"]
    assert now["lastCheckedAt"] == now["lastSuccessAt"] == session["completedAt"]
    assert now["lastChangeAt"] == times["lastChangeAt"]
    assert [tuple(row) for row in world.database.rows("SELECT * FROM products")] == before
    assert (now["state"], now["freshness"]) == ("stopped", "fresh")


def test_source_that_changed_is_read(world: World, source: FakeSource) -> None:
    """Another validator means another extract, and is the one to show next time."""
    source.records, source.validator = [record(1, name="new"), *FULL[1:]], "v2"

    assert not is_shortcut(world)
    assert world.products()["000001K2"]["name"] == "new"
    assert is_shortcut(world)


def test_source_without_a_validator_is_always_read(world: World, source: FakeSource) -> None:
    """Nothing to show, nothing to believe."""
    source.validator = None

    assert [is_shortcut(world) for _ in range(3)] == [False] * 3


def test_everything_is_verified_once_a_day(world: World, clock: ShiftedClock) -> None:
    """A day after the last complete extract the source is read, whatever it says."""
    clock.shift_ms += 23 * HOUR_MS
    assert is_shortcut(world)
    clock.shift_ms += HOUR_MS

    assert not is_shortcut(world)
    assert is_shortcut(world)


def test_clock_that_was_set_back_proves_nothing(world: World, clock: ShiftedClock) -> None:
    """A verification that lies ahead does not count."""
    clock.shift_ms -= 2 * HOUR_MS

    assert not is_shortcut(world)


def test_failed_attempt_is_followed_by_a_complete_extract(world: World, source: FakeSource) -> None:
    """Trouble breaks the trust: the same run's next attempt reads everything."""
    source.validator = "v2"
    source.failures = [TransientSourceError("down")]
    assert not is_shortcut(world)
    source.validator = "v3"
    source.failures = [TransientSourceError("down")] * 3
    world.run()
    source.validator = "v2"

    assert not is_shortcut(world)
    assert is_shortcut(world)


def test_held_plan_is_followed_by_a_complete_extract(world: World, source: FakeSource) -> None:
    """What a guard refused is not what the catalogue holds."""
    source.records, source.validator = [], "v2"
    assert world.run().outcome is RunOutcome.HELD
    assert world.run().outcome is RunOutcome.HELD
    source.records, source.validator = FULL, "v1"

    assert not is_shortcut(world)


def test_lost_owner_is_followed_by_a_complete_extract(world: World) -> None:
    """Nobody knows how far an interrupted attempt came."""
    claim = world.claim()
    world.history.interrupt_orphans(claim.epoch, None)

    assert not is_shortcut(world)


def test_missing_records_are_looked_for(world: World, source: FakeSource) -> None:
    """Whether a record is really gone, only a complete extract tells."""
    source.records, source.validator = FULL[1:], "v2"
    assert [is_shortcut(world) for _ in range(3)] == [False, False, False]

    assert is_shortcut(world)
    assert "000001K2" not in world.products()


def test_mapping_change_is_followed_by_a_complete_extract(world: World, source: FakeSource) -> None:
    """The same bytes may mean other values now."""
    source.mapping_version = "2"

    assert [is_shortcut(world), is_shortcut(world)] == [False, True]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE products SET name = 'edited' WHERE rowId = 3",
        "INSERT INTO products (id, createdAt, updatedAt) VALUES ('X', 0, 0)",
        "DELETE FROM products WHERE rowId = 3",
    ],
)
def test_edit_by_others_is_put_right(world: World, edit: str) -> None:
    """A catalogue that somebody else touched is not what the source spoke of."""
    with world.database.transaction() as connection:
        connection.execute(edit)

    assert not is_shortcut(world)
    assert world.products()["000003K2"]["name"] == "H3.104.023"


def test_dry_run_reads_everything(world: World, source: FakeSource) -> None:
    """A dry run shows the plan; it neither takes the short-cut nor ends the trust."""
    world.run(request=DRY)

    assert world.runs()[-1]["summary"]["counts"]["unchanged"] == 120
    assert is_shortcut(world)


def test_manual_run_may_take_the_short_cut(world: World, source: FakeSource) -> None:
    """Who asks for a run gets the truth within the same limits."""
    world.run(request=RunRequest(Trigger.MANUAL, "anna"))

    assert world.sessions()[-1]["isShortcut"] is True


def test_source_that_was_not_asked_fails_the_run(world: World, source: FakeSource) -> None:
    """Nothing changed since what? Without a question that is no answer."""
    source.validator = None
    world.run()
    source.failures = [NotModified("nothing changed")]

    end = world.run()

    assert (end.outcome, end.reason) == (RunOutcome.FAILED, "not_modified")


@pytest.mark.parametrize(("line", "hours"), [("", 24), ("verify_every_hours = 0.5", 0.5)])
def test_setting(tmp_path: Path, line: str, hours: float) -> None:
    """The table of a resource says for how long its source is believed."""
    path = tmp_path / "source.toml"
    path.write_text(f"[products]\n{line}\n")

    assert load_verify_every_hours(PRODUCTS, path) == hours


@pytest.mark.parametrize("value", ["-1", "25", '"24"', "true", "nan"])
def test_wrong_setting(tmp_path: Path, value: str) -> None:
    """More than a day, or no number at all, is refused."""
    path = tmp_path / "source.toml"
    path.write_text(f"[products]\nverify_every_hours = {value}\n")

    with pytest.raises(ConfigError, match="verify_every_hours"):
        load_verify_every_hours(PRODUCTS, path)


def test_short_cut_is_told_as_one(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The command line does not claim that nought records were read for nothing."""
    world.run()
    run = world.monitoring.run(world.runs()[-1]["id"])

    syncing._finish(run)  # noqa: SLF001  # what the command prints at its end

    told = "the source says that nothing changed since the last sync: checked, not verified"
    assert capsys.readouterr().out == f"completed: {told}\n"
    assert "unchanged, says the source" in monitoring._row(world.sessions()[-1])  # noqa: SLF001


def test_former_owner_confirms_nothing(world: World, source: FakeSource) -> None:
    """Who lost the ownership while the source answered writes nothing at all."""
    claim = world.claim()
    ask = source.pages

    def lose_ownership(
        control: Control, validator: str | None = None
    ) -> Generator[Page, None, None]:
        assert world.owner.take("another", 60, has_flock=True) == claim.epoch + 1
        return ask(control, validator)

    source.pages = lose_ownership  # type: ignore[method-assign]

    end = world.sync.run(claim, RunControl())

    assert (end.outcome, end.reason) == (RunOutcome.INTERRUPTED, "fenced")
    assert [session["status"] for session in world.sessions()] == ["completed", "running"]
