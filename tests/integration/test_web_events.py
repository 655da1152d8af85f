"""The status over server-sent events: who may listen, how many, and for how long."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from access_support import bearer, key_of
from support import World, wait_for
from web_support import SYNC, Api

from archibald_sync.domain.models import Role
from archibald_sync.web.events import Seats, fit_seats, seats
from archibald_sync.web.problems import PROBLEM_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EVENTS = f"{SYNC}/events"


@pytest.fixture
def api(world: World) -> Iterator[Api]:
    """Return an API in which whoever listens is looked after every moment."""
    world.own()
    api = Api(world)
    places = seats(api.app)
    places.look_s = 0.05
    yield api
    wait_for(lambda: world.feed.listener_count == 0)


def events_of(answer: Any) -> Iterator[dict[str, str]]:  # noqa: ANN401  # a test answer
    """Yield the parts of a stream, each as its lines by name; a comment has the name ''."""
    for block in answer.response:
        lines = block.decode().strip().split("\n")
        yield dict(
            line.split(": ", 1) if not line.startswith(":") else ("", line) for line in lines
        )


def test_state_is_the_status(api: Api) -> None:
    """The first event comes at once, with the very JSON of the status."""
    answer = api.call("GET", EVENTS, Role.VIEWER)
    parts = events_of(answer)
    first, second = next(parts), next(parts)
    answer.close()

    status = api.call("GET", f"{SYNC}/status", Role.VIEWER).json
    told = json.loads(second["data"])
    for one in (status, told):
        one["owner"].pop("heartbeatAgeMs")
    assert (answer.status_code, answer.mimetype) == (200, "text/event-stream")
    assert answer.headers["Cache-Control"] == "no-store"
    assert first == {"retry": "3000"}
    assert (second["event"], told) == ("state", status)


def test_change_by_another_process_is_told(api: Api) -> None:
    """An order that takes priority is in the next event."""
    answer = api.call("GET", EVENTS, Role.VIEWER)
    parts = events_of(answer)
    next(parts)
    before = next(parts)
    thread = threading.Thread(target=lambda: api.world.priority.take("orders", "order 7", 60))
    thread.start()
    thread.join()
    after = next(parts)
    answer.close()

    assert json.loads(after["data"])["state"] == "paused"
    assert before["id"] != after["id"]


def test_known_status_is_not_told_again(api: Api) -> None:
    """Whoever comes back with the id of the last event hears only what is new."""
    seats(api.app).heartbeat_s = 0
    first = api.call("GET", EVENTS, Role.VIEWER)
    known = list(zip(range(2), events_of(first), strict=False))[1][1]["id"]
    first.close()

    answer = api.call("GET", EVENTS, Role.VIEWER, headers={"Last-Event-ID": known})
    parts = [part for _, part in zip(range(4), events_of(answer), strict=False)]
    answer.close()

    assert [list(part) for part in parts] == [["retry"], [""], [""], [""]]


def test_more_than_the_seats_are_sent_away(api: Api) -> None:
    """Beyond the limit the answer is 503 with Retry-After; a seat that is left is free again."""
    limit = seats(api.app).limit
    listening = [api.call("GET", EVENTS, Role.VIEWER) for _ in range(limit)]

    refused = api.call("GET", EVENTS, Role.VIEWER)
    listening[0].close()
    listening[0].close()
    again = api.call("GET", EVENTS, Role.VIEWER)

    assert limit == 2
    assert (refused.status_code, refused.mimetype) == (503, PROBLEM_TYPE)
    assert refused.json["code"] == "too_many_listeners"
    assert int(refused.headers["Retry-After"]) > 0
    assert again.status_code == 200
    for one in (*listening, again):
        one.close()
    assert seats(api.app).taken == 0


def test_who_asks_silently_is_sent_away_silently(api: Api) -> None:
    """With ``silent`` there is an empty 204 instead, which no browser takes for an error."""
    seats(api.app).limit = 0

    refused = api.call("GET", f"{EVENTS}?silent=true", Role.VIEWER)

    assert (refused.status_code, refused.data) == (204, b"")


def test_question_for_the_headers_takes_no_seat(api: Api) -> None:
    """HEAD, whose stream is never read, gives back what it took."""
    for _ in range(5):
        answer = api.call("HEAD", EVENTS, Role.VIEWER)
        assert answer.status_code == 200
        answer.close()

    assert seats(api.app).taken == 0


def _disable(api: Api) -> tuple[dict[str, str], Callable[[], object]]:
    user = api.user(Role.VIEWER)
    return bearer(api.token(user)), lambda: api.accounts.disable_user(user.name)


def _revoke(api: Api) -> tuple[dict[str, str], Callable[[], object]]:
    number, secret = key_of(api, Role.VIEWER)
    return {"X-Api-Key": secret}, lambda: api.access.keys.revoke(number)


def _expire(api: Api) -> tuple[dict[str, str], Callable[[], object]]:
    # Long enough for the first events to come, however busy the machine is.
    pause = threading.Event()
    return bearer(api.token(api.user(Role.VIEWER), ttl_s=4)), lambda: pause.wait(4.5)


@pytest.mark.parametrize("case", [_disable, _revoke, _expire])
def test_who_may_look_no_more_hears_no_more(
    api: Api, case: Callable[[Api], tuple[dict[str, str], Callable[[], object]]]
) -> None:
    """A disabled user, a revoked key and an expired token end the stream by themselves."""
    seats(api.app).check_s = 0
    headers, lose = case(api)
    answer = api.call("GET", EVENTS, None, headers=headers)
    parts = events_of(answer)
    next(parts)
    assert next(parts)["event"] == "state"

    lose()

    assert list(parts) == []
    answer.close()


def test_nothing_more_is_told_to_who_was_disabled(api: Api) -> None:
    """The next event is not sent, however long ago it was that somebody looked."""
    user = api.user(Role.VIEWER)
    answer = api.call("GET", EVENTS, None, headers=bearer(api.token(user)))
    parts = events_of(answer)
    next(parts)
    assert next(parts)["event"] == "state"

    api.accounts.disable_user(user.name)
    api.world.priority.take("order-app", "order 1", 60)

    assert list(parts) == []
    answer.close()


def test_nobody_listens_for_ever(api: Api) -> None:
    """After its time a stream ends by itself, and its client may ask again."""
    seats(api.app).longest_s = 0.2
    answer = api.call("GET", EVENTS, Role.VIEWER)

    parts = list(events_of(answer))

    assert parts[0] == {"retry": "3000"}
    answer.close()


def test_stop_of_the_service_ends_the_stream(api: Api) -> None:
    """A service that stops does not wait for its listeners."""
    answer = api.call("GET", EVENTS, Role.VIEWER)
    parts = events_of(answer)
    next(parts)
    next(parts)

    api.world.feed.request_stop()

    assert list(parts) == []
    answer.close()


@pytest.mark.parametrize(("threads", "limit"), [(1, 0), (2, 1), (4, 1), (8, 2), (64, 16)])
def test_listeners_leave_most_threads_to_requests(api: Api, threads: int, limit: int) -> None:
    """A quarter of the threads may listen, at least one, and never the only one."""
    fit_seats(api.app, threads)

    assert seats(api.app).limit == limit


def test_setting_decides_over_the_seats(world: World) -> None:
    """An operator may allow more, or none."""
    api = Api(world, settings={"ARCHIBALD_EVENT_CLIENTS": "0"})

    assert api.call("GET", EVENTS, Role.VIEWER).status_code == 503


def test_seats_are_never_more_than_there_are() -> None:
    """However many ask at once, no more than the limit sit."""
    places = Seats(3)
    got: list[bool] = []
    threads = [threading.Thread(target=lambda: got.append(places.take())) for _ in range(20)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

    assert (sum(got), places.taken) == (3, 3)


class Limit(int):
    """A limit, at whose first comparison something happens meanwhile."""

    meanwhile: Callable[[], object] | None = None

    def __gt__(self, other: int) -> bool:
        """Compare, after what happens meanwhile."""
        happening, self.meanwhile = self.meanwhile, None
        if happening is not None:
            happening()
        return super().__gt__(other)


def test_two_do_not_take_the_last_seat() -> None:
    """Of two who look at the same moment, one listens."""
    limit, taken = Limit(1), []
    places = Seats(limit)
    other = threading.Thread(target=lambda: taken.append(places.take()))

    def let_the_other_go_first() -> None:
        other.start()
        other.join(0.3)  # it cannot end: somebody is looking

    limit.meanwhile = let_the_other_go_first
    taken.append(places.take())
    other.join()

    assert sorted(taken) == [False, True]
    assert places.taken == 1
