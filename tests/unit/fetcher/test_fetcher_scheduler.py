import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from services.fetcher.documents import Document, Item
from services.fetcher.feeds import Feed, Feeds
from services.fetcher.manners import Manners
from services.fetcher.pages import PageDesk
from services.fetcher.parsing import ParseFailed
from services.fetcher.scheduler import Scheduler
from services.fetcher.state import StateBook, feed_row, partition_of_host
from services.fetcher.web import Answer, Failure, FetchFailed
from shared.errors import Transient
from shared.models import FeedState
from shared.stage import Outgoing, Record
from shared.topics import FEED_STATE

START = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
FEED = Feed(name="Báo", url="https://bao.example/rss", every=timedelta(minutes=10))
PARTITION = partition_of_host("bao.example")


@dataclass
class Newsroom:
    """A scheduler over a web that answers what it is told, a broker that remembers, and a clock turned by hand."""

    feeds: list[Feed] = field(default_factory=lambda: [FEED])
    now: datetime = START
    asked: list[str] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    trouble: Exception | None = None
    kafka_away: bool = False
    manners: Manners = field(default_factory=lambda: Manners(clock=lambda: 0.0))

    def __post_init__(self) -> None:
        me: Any = self
        desk = PageDesk(me, me, self.publish, Feeds, lambda: self.now, lambda _: None)
        self.scheduler = Scheduler(
            lambda: Feeds(feeds=tuple(self.feeds)),
            StateBook(), desk, me, me, me, self.manners, lambda: self.now,
        )  # fmt: skip

    async def get(self, url: str, *_: object) -> Answer:
        self.asked.append(url)
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        headers: Mapping[str, str] = {}
        return Answer(url, 200, headers, str(self.now).encode())

    async def feed(self, body: bytes, *_: object) -> Document:
        if not body:
            raise ParseFailed("empty")
        return Document(items=(Item(link="https://bao.example/a", title="A"),))

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        self.send(messages)

    def send(self, messages: Sequence[Outgoing]) -> None:
        if self.kafka_away:
            raise Transient("away")
        self.sent += messages

    def states(self) -> list[FeedState]:
        rows = [
            message for message in self.sent if message.topic is FEED_STATE and (message.key or b"").count(b"|") == 1
        ]
        return [FeedState.model_validate_json(row.value or b"") for row in rows]

    async def visit(self, minutes: float = 0) -> None:
        """Turn the clock, tick, and let every visit end."""
        self.now += timedelta(minutes=minutes)
        self.scheduler.tick()
        while self.scheduler.visiting():
            await asyncio.sleep(0)


def play(room: Newsroom, scenario: Callable[[], Awaitable[None]], *, owned: bool = True) -> Newsroom:
    async def main() -> None:
        if owned:
            for partition in range(6):
                room.scheduler.ready(partition)
        await scenario()

    asyncio.run(asyncio.wait_for(main(), 10))
    return room


def test_a_feed_is_visited_when_due_and_its_state_is_written_last() -> None:
    room = Newsroom()

    async def scenario() -> None:
        for minutes in (0, 5, 7, 1):
            await room.visit(minutes)

    play(room, scenario)
    assert len(room.asked) == 2
    assert [message.topic.name for message in room.sent] == [
        "pages-to-fetch-v1",
        "feed-state-v1",
        "feed-state-v1",
        "feed-state-v1",
    ]
    first, second = room.states()
    assert (first.last_success_at, first.last_new_at, first.failures) == (START, START, 0)
    assert timedelta(minutes=10) <= (first.next_visit_at or START) - START <= timedelta(minutes=11)
    assert second.last_new_at == START


def test_only_hosts_of_owned_partitions_are_visited() -> None:
    room = Newsroom()

    async def scenario() -> None:
        await room.visit()
        assert room.asked == []
        room.scheduler.ready(PARTITION)
        await room.visit()
        assert len(room.asked) == 1
        await room.scheduler.drop({PARTITION})
        await room.visit(60)

    play(room, scenario, owned=False)
    assert len(room.asked) == 1


def test_a_visit_under_way_ends_when_its_host_goes_to_another_copy() -> None:
    room = Newsroom()

    async def scenario() -> None:
        room.scheduler.tick()
        await asyncio.sleep(0)
        assert room.scheduler.visiting() == {"Báo"}
        await room.scheduler.drop({PARTITION})
        assert room.scheduler.visiting() == set()

    play(room, scenario)
    assert room.sent == []


@pytest.mark.parametrize(
    ("trouble", "reason", "least"),
    [
        (FetchFailed(Failure.TIMEOUT, "30 s"), "timeout", timedelta(minutes=10)),
        (FetchFailed(Failure.RATE_LIMITED, "429", timedelta(hours=3)), "rate_limited", timedelta(hours=3)),
        (OSError("disk"), "files_unreadable", timedelta(minutes=10)),
        (RuntimeError("ours"), "bug", timedelta(minutes=10)),
    ],
)
def test_a_failed_visit_is_counted_and_tried_again_later(
    trouble: Exception, reason: str, least: timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.fetcher.scheduler.log", MagicMock())
    room = Newsroom(trouble=trouble)

    async def scenario() -> None:
        await room.visit()
        await room.visit(1)
        room.trouble = None
        await room.visit(60 * 24)

    play(room, scenario)
    failed, recovered = room.states()
    assert (failed.failures, failed.last_error) == (1, reason)
    assert (failed.next_visit_at or START) - START >= least
    assert (recovered.failures, recovered.last_error) == (0, None)
    assert len(room.asked) == 2


def test_nothing_is_remembered_while_kafka_is_away() -> None:
    room = Newsroom(kafka_away=True)

    async def scenario() -> None:
        await room.visit()
        room.kafka_away = False
        await room.visit()
        await room.visit(1)

    play(room, scenario)
    assert len(room.asked) == 2
    assert [state.failures for state in room.states()] == [0]


def test_an_edited_block_is_visited_at_once_and_a_removed_one_no_more() -> None:
    room = Newsroom()

    async def scenario() -> None:
        await room.visit()
        room.feeds = [FEED.model_copy(update={"language": "vi"})]
        await room.visit()
        assert len(room.asked) == 2
        room.feeds = [FEED.model_copy(update={"enabled": False})]
        await room.visit(60)
        room.feeds = []
        await room.visit(60)

    play(room, scenario)
    assert len(room.asked) == 2


def test_a_hold_of_a_host_survives_a_restart() -> None:
    room = Newsroom()
    held = FeedState(feed="x", url="y", failures=1, last_error="rate_limited", next_visit_at=START + timedelta(hours=2))
    row = feed_row("bao.example", held)

    async def scenario() -> None:
        room.scheduler.load([Record("feed-state-v1", row.partition, 0, row.key, row.value)])
        room.scheduler.ready(PARTITION)
        await room.visit()

    play(room, scenario, owned=False)
    assert room.asked == []
    assert room.manners.held_for("bao.example") == 7200


def test_a_quiet_folder_writes_no_rows(tmp_path: Path) -> None:
    room = Newsroom(feeds=[Feed(name="hộp", path=tmp_path, every=timedelta(seconds=1))])

    async def scenario() -> None:
        for _ in range(4):
            await room.visit(1)

    play(room, scenario)
    assert len(room.states()) == 1
