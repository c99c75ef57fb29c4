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


@pytest.mark.parametrize(
    ("before", "share", "period"),
    [
        (None, 1.0, 10),
        (state(), 0.0, 10),
        (state(period_seconds=480), 0.0, 10),
        (state(period_seconds=480), 0.05, 8),
        (state(period_seconds=600), 0.2, 8),
        (state(period_seconds=480), 0.5, 4),
        (state(period_seconds=3300), 0.0, 60),
        (state(period_seconds=180), 1.0, 2),
        (state(period_seconds=480, failures=2), 0.05, 8),
    ],
)
def test_the_period_follows_the_share_of_new_items(before: FeedState | None, share: float, period: int) -> None:
    assert schedule.period_after_success(FEED, before, share) == timedelta(minutes=period)


def test_the_operator_decides_when_there_is_an_every() -> None:
    every = FEED.model_copy(update={"every": timedelta(seconds=5)})
    assert schedule.period_after_success(every, state(period_seconds=3600), 0.0) == timedelta(seconds=5)
    assert schedule.period_after_success(FILES, None, 0.0) == schedule.FILE_PERIOD
    assert schedule.wait_after_success(every, timedelta(seconds=5), 3600, 0.0) == timedelta(seconds=5)


def test_a_document_is_asked_for_again_when_it_wants_unless_its_news_contradict_it() -> None:
    period = timedelta(minutes=10)
    assert schedule.wait_after_success(FEED, period, 60, 0.0) == period
    assert schedule.wait_after_success(FEED, period, 7200, 0.0) == timedelta(hours=2)
    assert schedule.wait_after_success(FEED, period, 7200, 0.5) == timedelta(hours=1)
    assert schedule.wait_after_success(FEED, period, 10**9, 0.0) == schedule.LONGEST_WISH


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"cache-control": "public, max-age=600"}, 600),
        ({"cache-control": 'max-age="600"', "age": "250"}, 350),
        ({"cache-control": "max-age=600, no-cache"}, 0),
        ({"expires": "Sat, 22 Nov 2025 03:30:00 GMT", "date": "Sat, 22 Nov 2025 03:00:00 GMT"}, 1800),
        ({"expires": "0", "date": "Sat, 22 Nov 2025 03:00:00 GMT"}, 0),
        ({"cache-control": "max-age=soon", "expires": "Sat, 22 Nov 2025 03:30:00 GMT"}, 0),
        ({}, 0),
    ],
)
def test_how_long_an_answer_stays_good(headers: dict[str, str], seconds: float) -> None:
    assert schedule.fresh_seconds(headers) == seconds


def test_skipped_hours_and_days_are_left_alone() -> None:
    assert schedule.past_skipped(NOW, [], []) == NOW
    assert schedule.past_skipped(NOW + timedelta(minutes=5), [3, 4], []) == NOW + timedelta(hours=2)
    assert schedule.past_skipped(NOW, [0], ["Saturday", "Sunday"]) == datetime(2025, 11, 24, 1, 0, tzinfo=UTC)
    assert schedule.past_skipped(NOW, list(range(24)), []) == NOW + timedelta(days=8)


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
