"""The driver on its way out: it ends what it has begun, and lets others drive at once."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

from apscheduler.schedulers.background import BackgroundScheduler
from support import FakeSource, World, catalogue_of, wait_for

if TYPE_CHECKING:
    from archibald_sync.scheduler.driver import Driver


class LateScheduler(BackgroundScheduler):  # type: ignore[misc]  # a library without types
    """A scheduler that is shut down before it begins with a run."""

    def add_job(self, func: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Take every job but those that work on a run."""
        is_run = str(kwargs.get("id")).startswith("run:")
        return None if is_run else super().add_job(func, *args, **kwargs)


def boot(world: World, driver: Driver, policy: str = "start") -> None:
    """Start ``driver`` as a service that boots."""
    driver.start(lambda: world.requests.boot(policy, "b1"))


def test_ownership_is_free_before_the_process_ends(world: World, source: FakeSource) -> None:
    """A worker that is told to end, but has requests to answer, keeps nobody from driving."""
    source.records = catalogue_of(10)
    leaving, following = world.driver(), world.driver()
    boot(world, leaving)
    wait_for(lambda: [run["outcome"] for run in world.runs()] == ["completed"])
    following.start()

    leaving.request_stop()

    wait_for(lambda: following.is_owner)
    assert not leaving.is_owner
    assert leaving.is_started, "it has not been stopped yet"


def test_run_that_was_claimed_and_not_begun_is_ended(world: World, source: FakeSource) -> None:
    """A run that was acknowledged in the last moment does not stay at work for ever."""
    source.records = catalogue_of(10)
    driver = world.driver(make_scheduler=lambda: LateScheduler(timezone=UTC))
    boot(world, driver, policy="off")
    answer = world.requests.run_now("ada")
    assert answer.result is not None

    driver.stop()

    run = world.history.run(str(answer.result["runId"]))
    assert run is not None
    assert (run["outcome"], run["reason"]) == ("interrupted", "shutdown")
    assert [session["status"] for session in world.sessions()] == ["interrupted"]
    assert source.extracts == 0
