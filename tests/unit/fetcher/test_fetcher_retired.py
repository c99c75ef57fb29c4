import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from services.fetcher import retired
from services.fetcher.retired import KEPT_FOR, sweep
from services.fetcher.state import HostBook, StateBook, feed_row, partition_of_host, seen_row
from services.fetcher.transform import Seen
from shared.errors import Transient
from shared.models import FeedState
from shared.stage import Outgoing

START = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
HOST = "bao.example"


class Topic:
    """feed-state-v1 as a broker keeps it: the last row by key; it can be away, or go away after so many batches."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes | None] = {}
        self.batches_left = 10**6

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if not self.batches_left:
            raise Transient("away")
        self.batches_left -= 1
        self.rows |= {message.key or b"": message.value for message in messages}

    def book(self) -> StateBook:
        """Return what a copy that is assigned the partition reads."""
        book = StateBook()
        for key, value in self.rows.items():
            book.apply(partition_of_host(HOST), key, value)
        book.set_ready(partition_of_host(HOST))
        return book

    def host(self) -> HostBook:
        return self.book().host(HOST) or HostBook()


@pytest.fixture
def topic() -> Topic:
    topic = Topic()
    for number, feed in enumerate(("Báo", "Khác")):
        rows = [seen_row(HOST, f"{number}{index:031}", Seen(feed, "a" * 24, START, 1)) for index in range(7)]
        rows.append(feed_row(HOST, FeedState(feed=feed, url="https://bao.example/rss", last_success_at=START)))
        asyncio.run(topic.publish(rows))
    return topic


def sweep_at(topic: Topic, days: float, *names: str) -> None:
    configured = {(HOST, name) for name in names}
    asyncio.run(sweep(topic.book(), configured, START + timedelta(days=days), topic.publish))


def test_a_feed_that_left_the_file_is_forgotten_after_a_month_and_its_neighbours_are_not(topic: Topic) -> None:
    sweep_at(topic, 0, "Khác")
    sweep_at(topic, KEPT_FOR.days - 0.1, "Khác")
    assert len(topic.host().seen) == 14
    sweep_at(topic, KEPT_FOR.days, "Khác")
    assert list(topic.host().feeds) == ["Khác"]
    assert {seen.feed for seen in topic.host().seen.values()} == {"Khác"}
    assert sum(value is None for value in topic.rows.values()) == 8


def test_a_feed_that_was_removed_by_accident_loses_nothing(topic: Topic) -> None:
    sweep_at(topic, 0, "Khác")
    assert topic.host().feeds["Báo"].retired_since == START
    sweep_at(topic, KEPT_FOR.days + 1, "Báo", "Khác")
    assert len(topic.host().seen) == 14


def test_a_feed_that_moved_to_another_host_is_retired_at_the_old_one(topic: Topic) -> None:
    asyncio.run(sweep(topic.book(), {("moi.example", "Báo"), (HOST, "Khác")}, START, topic.publish))
    assert [state.feed for state in topic.host().feeds.values() if state.retired_since] == ["Báo"]


def test_a_sweep_that_is_cut_short_is_finished_by_the_next(topic: Topic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retired, "BATCH_ROWS", 3)
    sweep_at(topic, 0, "Khác")
    topic.batches_left = 2
    with pytest.raises(Transient):
        sweep_at(topic, 31, "Khác")
    assert "Báo" in topic.host().feeds
    topic.batches_left = 10
    sweep_at(topic, 31, "Khác")
    assert set(topic.host().feeds) == {seen.feed for seen in topic.host().seen.values()} == {"Khác"}
