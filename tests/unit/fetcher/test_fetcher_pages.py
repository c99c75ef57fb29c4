import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import MagicMock

import pytest

from services.fetcher import pages
from services.fetcher.documents import Page
from services.fetcher.feeds import Feeds, HostManners
from services.fetcher.pages import OffsetWindow, PageDesk
from services.fetcher.parsing import ParseFailed
from services.fetcher.web import Answer, Failure, FetchFailed
from shared import stage
from shared.errors import Transient
from shared.headers import DLQ_REASON, value_of
from shared.models import PageTask, RawArticle, Source
from shared.stage import Outgoing, Record, TooManyBugs

NOW = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)


@dataclass
class Newsroom:
    """A web, a parser and a broker of a few words; `script` says what each request of an address gives, the last for ever."""

    script: dict[str, list[Exception | bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    sent: list[Outgoing] = field(default_factory=list)
    bugs: list[BaseException] = field(default_factory=list)
    kafka_away: int = 0
    gate: asyncio.Event | None = None
    feeds: Feeds = field(default_factory=Feeds)

    async def get(self, url: str, *_: object) -> Answer:
        self.asked.append(url)
        if self.gate:
            await self.gate.wait()
        steps = self.script.get(url, [b"the page"])
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return Answer(url, 200, {}, step)

    async def page(self, body: bytes, *_: object) -> Page:
        if body == b"unparsable":
            raise ParseFailed("no parser likes it")
        return Page(text=body.decode())

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if self.kafka_away:
            self.kafka_away -= 1
            raise Transient("away")
        self.sent += messages

    def desk(self) -> PageDesk:
        room: Any = self
        return PageDesk(room, room, self.publish, lambda: self.feeds, lambda: NOW, self.bugs.append)

    def articles(self) -> list[RawArticle]:
        return [RawArticle.model_validate_json(m.value or b"") for m in self.sent if m.topic.name == "articles-raw-v1"]

    def reasons(self) -> list[str | None]:
        return [value_of(m.headers, DLQ_REASON) for m in self.sent if m.topic.name == "pages-to-fetch-v1-dlq"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "FIRST_RETRY_SECONDS", 0.0)
    monkeypatch.setattr(pages, "_KAFKA_RETRY_SECONDS", 0.0)


def task(offset: int, link: str, partition: int = 0, text: str | None = "feed text", **fields: object) -> Record:
    value = PageTask(
        article_id=f"{offset:032x}", feed="a", source=Source(name="A"), url=link, feed_text=text, first_seen_at=NOW,
        trace_id="1" * 32,
    ).model_copy(update=fields)  # fmt: skip
    return Record("pages-to-fetch-v1", partition, offset, link.split("/")[2].encode(), value.to_json())


async def finish(desk: PageDesk) -> None:
    for _ in range(1000):
        if not desk.waiting():
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{desk.waiting()} tasks are left")


def run(room: Newsroom, *records: Record) -> PageDesk:
    async def main() -> PageDesk:
        desk = room.desk()
        desk.take(records)
        await finish(desk)
        return desk

    return asyncio.run(main())


def test_pages_become_articles_in_the_order_of_their_host() -> None:
    room = Newsroom()
    desk = run(room, task(5, "https://x.example/1"), task(6, "https://x.example/2"), task(7, "https://y.example/1"))
    assert [url for url in room.asked if "x.example" in url] == ["https://x.example/1", "https://x.example/2"]
    assert sorted(article.url or "" for article in room.articles()) == sorted(room.asked)
    assert desk.committable() == {0: 8}


@pytest.mark.parametrize(
    "trouble",
    [
        [FetchFailed(Failure.HTTP_CLIENT_ERROR, "HTTP 404")],
        [FetchFailed(Failure.BLOCKED_ADDRESS, "10.0.0.1")],
        [FetchFailed(Failure.TIMEOUT, "30 s")],
        [FetchFailed(Failure.RATE_LIMITED, "HTTP 429", timedelta(hours=1))],
        [b"unparsable"],
        [b""],
    ],
)
def test_the_feed_text_goes_out_when_the_page_cannot_be_had(trouble: list[Exception | bytes]) -> None:
    room = Newsroom(script={"https://x.example/1": trouble})
    run(room, task(0, "https://x.example/1"))
    assert [article.text for article in room.articles()] == ["feed text"]


def test_passing_trouble_is_tried_again_and_lasting_trouble_is_not() -> None:
    passing = FetchFailed(Failure.HTTP_SERVER_ERROR, "HTTP 500")
    room = Newsroom(script={"https://x.example/1": [passing, passing, b"at last"]})
    run(room, task(0, "https://x.example/1"))
    assert [article.text for article in room.articles()] == ["at last"]
    room = Newsroom(script={"https://x.example/1": [FetchFailed(Failure.HTTP_CLIENT_ERROR, "HTTP 404"), b"never"]})
    run(room, task(0, "https://x.example/1"))
    assert room.asked == ["https://x.example/1"]


def test_a_task_without_any_text_is_a_dead_letter_and_its_neighbours_pass() -> None:
    room = Newsroom(
        script={
            "https://x.example/1": [FetchFailed(Failure.HTTP_CLIENT_ERROR, "HTTP 404")],
            "https://x.example/2": [b""],
        }
    )
    broken = Record("pages-to-fetch-v1", 0, 3, b"x.example", b"{")
    nowhere = task(4, "https://x.example/4", url="mailto:me")
    run(
        room,
        task(1, "https://x.example/1", text=None),
        task(2, "https://x.example/2", text=" "),
        broken,
        nowhere,
        task(5, "https://x.example/5"),
    )
    assert room.reasons() == ["unreadable", "empty_body", "broken_json", "wrong_type"]
    assert [article.text for article in room.articles()] == ["the page"]


def test_an_article_is_published_again_until_kafka_takes_it() -> None:
    room = Newsroom(kafka_away=3)
    desk = run(room, task(0, "https://x.example/1"))
    assert len(room.articles()) == 1
    assert desk.committable() == {0: 1}


def test_a_bug_is_a_dead_letter_and_many_in_a_row_stop_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MAX_CONSECUTIVE_BUGS", 3)
    monkeypatch.setattr(stage, "log", MagicMock())
    script: dict[str, list[Exception | bytes]] = {
        f"https://x.example/{n}": [RuntimeError("ours")] for n in (0, 1, 3, 4, 5)
    }
    room = Newsroom(script=script)

    async def main() -> PageDesk:
        desk = room.desk()
        desk.take([task(n, f"https://x.example/{n}") for n in range(8)])
        while not room.bugs:
            await asyncio.sleep(0)
        return desk

    desk = asyncio.run(asyncio.wait_for(main(), 10))
    assert room.reasons() == ["bug"] * 4
    assert len(room.articles()) == 1
    assert [type(bug) for bug in room.bugs] == [TooManyBugs]
    assert desk.committable() == {0: 5}


def test_partitions_that_went_to_another_copy_are_let_go() -> None:
    room = Newsroom()

    async def main() -> None:
        room.gate = asyncio.Event()
        desk = room.desk()
        desk.take(
            [task(0, "https://x.example/1", 0), task(1, "https://x.example/2", 0), task(0, "https://y.example/1", 1)]
        )
        await asyncio.sleep(0)
        assert (desk.waiting(), desk.oldest_ms()) == (3, 0)
        await desk.drop({0})
        assert desk.committable() == {1: 0}
        room.gate.set()
        await finish(desk)
        assert desk.committable() == {1: 1}
        desk.take([task(1, "https://x.example/2", 0)])
        await finish(desk)
        assert desk.committable() == {0: 2, 1: 1}

    asyncio.run(main())
    assert [article.url for article in room.articles()] == ["https://y.example/1", "https://x.example/2"]


def test_a_host_is_asked_for_as_many_pages_at_a_time_as_the_operator_says() -> None:
    room = Newsroom(feeds=Feeds(hosts={"x.example": HostManners(parallel=2)}))

    async def main() -> None:
        room.gate = asyncio.Event()
        desk = room.desk()
        desk.take([task(n, f"https://{host}.example/{n}") for n, host in enumerate("xxxyy")])
        for _ in range(5):
            await asyncio.sleep(0)
        assert [url[8] for url in room.asked] == ["x", "x", "y"]
        room.gate.set()
        await finish(desk)
        assert desk.committable() == {0: 5}

    asyncio.run(main())


def test_a_window_commits_up_to_the_first_unfinished_offset() -> None:
    window = OffsetWindow()
    committable = [window.committable]
    for offset in (10, 11, 15):
        window.add(offset, 100)
    for offset in (11, 10, 15):
        window.done(offset)
        committable.append(window.committable)
    assert committable == [None, 10, 15, 16]


def test_a_window_is_full_by_number_or_size() -> None:
    small, large = OffsetWindow(), OffsetWindow()
    for offset in range(pages.MAX_WAITING_RECORDS - 1):
        small.add(offset, 1)
    large.add(0, pages.MAX_WAITING_BYTES - 1)
    assert [small.full, large.full] == [False, False]
    small.add(pages.MAX_WAITING_RECORDS, 1)
    large.add(1, 1)
    assert [small.full, large.full] == [True, True]


def test_a_page_that_was_taken_down_is_not_asked_for_and_a_null_record_is_passed_over() -> None:
    room = Newsroom()
    gone: set[str] = {f"{6:032x}"}
    link = "https://x.example/1"

    def keyed(record: Record) -> Record:
        return replace(record, key=f"x.example|{record.offset:032x}".encode())

    null = replace(keyed(task(5, link)), value=None)
    kept = keyed(task(7, "https://x.example/2"))
    desk = replace(room.desk(), is_taken_down=gone.__contains__)

    async def main() -> None:
        desk.take([null, keyed(task(6, link)), kept])
        await finish(desk)

    asyncio.run(main())
    assert room.asked == ["https://x.example/2"]
    assert [article.article_id for article in room.articles()] == [f"{7:032x}"]
    assert desk.committable() == {0: 8}
    assert room.reasons() == []


def test_what_is_taken_down_while_its_page_is_fetched_is_not_published() -> None:
    room = Newsroom()
    gone: set[str] = set()
    desk = replace(room.desk(), is_taken_down=gone.__contains__)

    async def main() -> None:
        room.gate = asyncio.Event()
        desk.take([replace(task(5, "https://x.example/1"), key=f"x.example|{5:032x}".encode())])
        await asyncio.sleep(0)
        gone.add(f"{5:032x}")
        room.gate.set()
        await finish(desk)

    asyncio.run(main())
    assert room.sent == []
    assert desk.committable() == {0: 6}
