from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.fetcher import schedule
from services.fetcher.feeds import Feed
from shared.models import FeedState

NOW = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
FEED = Feed(name="a", url="https://bao.example/rss")
FILES = Feed(name="f", path=Path("inbox"))


def state(**values: object) -> FeedState:
    return FeedState.model_validate({"feed": "a", "url": FEED.url, **values})


def visited(period: timedelta) -> FeedState:
    return state(last_success_at=NOW, next_visit_at=NOW + period)


@pytest.mark.parametrize(
    ("before", "new_items", "period"),
    [
        (None, 30, timedelta(minutes=10)),
        (visited(timedelta(minutes=8)), 0, timedelta(minutes=10)),
        (visited(timedelta(minutes=8)), 1, timedelta(minutes=8)),
        (visited(timedelta(minutes=8)), 3, timedelta(minutes=4)),
        (visited(timedelta(minutes=55)), 0, timedelta(hours=1)),
        (visited(timedelta(minutes=3)), 9, timedelta(minutes=2)),
        (visited(timedelta(minutes=8)).model_copy(update={"failures": 2}), 0, timedelta(minutes=10)),
    ],
)
def test_the_period_follows_what_a_feed_brings(before: FeedState | None, new_items: int, period: timedelta) -> None:
    assert schedule.period_after_success(FEED, before, new_items) == period


def test_the_operator_decides_when_there_is_an_every() -> None:
    every = FEED.model_copy(update={"every": timedelta(seconds=5)})
    assert schedule.period_after_success(every, visited(timedelta(hours=1)), 0) == timedelta(seconds=5)
    assert schedule.period_after_success(FILES, None, 0) == schedule.FILE_PERIOD


def test_backoff_grows_is_capped_and_never_ends() -> None:
    waits = [schedule.backoff(FEED, failures) for failures in (1, 2, 3, 8, 1000, 10**6)]
    assert waits[:3] == [timedelta(seconds=30), timedelta(seconds=60), timedelta(seconds=120)]
    assert waits[3:] == [schedule.LONGEST_BACKOFF] * 3
    assert schedule.backoff(FILES, 50) == schedule.LONGEST_FILE_BACKOFF


def test_chance_only_lengthens_a_wait() -> None:
    assert schedule.spread(timedelta(seconds=100), 0.0) == timedelta(seconds=100)
    assert schedule.spread(timedelta(seconds=100), 0.5) == timedelta(seconds=105)


def test_a_new_feed_is_due_at_once_and_a_shorter_every_takes_effect() -> None:
    assert schedule.due_at(FEED, None, NOW) == NOW
    later = state(last_success_at=NOW, next_visit_at=NOW + timedelta(hours=1))
    assert schedule.due_at(FEED, later, NOW) == NOW + timedelta(hours=1)
    every = FEED.model_copy(update={"every": timedelta(seconds=10)})
    assert schedule.due_at(every, later, NOW) == NOW + timedelta(seconds=11)
    failing = later.model_copy(update={"failures": 3})
    assert schedule.due_at(every, failing, NOW) == NOW + timedelta(hours=1)


def test_once_a_day_a_feed_is_read_whole() -> None:
    assert schedule.wants_full_get(None, NOW)
    assert schedule.wants_full_get(state(last_full_get_at=NOW - timedelta(days=1)), NOW)
    assert not schedule.wants_full_get(state(last_full_get_at=NOW - timedelta(hours=23)), NOW)


def test_a_host_is_left_alone_as_long_as_it_asks_but_not_for_ever() -> None:
    assert schedule.hold_after(None) == schedule.DEFAULT_HOLD
    assert schedule.hold_after(timedelta(seconds=7)) == timedelta(seconds=7)
    assert schedule.hold_after(timedelta(days=400)) == timedelta(days=1)
