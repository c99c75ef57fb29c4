import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.fetcher.documents import Document, Item
from services.fetcher.feed_visit import FeedVisit, Visited, validators
from services.fetcher.feeds import Feed
from services.fetcher.parsing import ParseFailed
from services.fetcher.state import HostBook, partition_of_host
from services.fetcher.web import Answer, Failure, FetchFailed, Terms
from shared.ids import article_id_for_link
from shared.models import FeedState, PageTask, RawArticle
from shared.stage import Outgoing
from shared.topics import PAGES_TO_FETCH

START = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)
URL = "https://bao.example/rss"
FEED = Feed(name="Báo", url=URL)
A = Item(link="https://bao.example/a", title="A", text="một")
B = Item(link="https://other.example/b", title="B", text="hai")


@dataclass
class Outlet:
    """A feed whose answer and items are set by hand, the messages it caused, and the memory between visits."""

    items: list[Item] = field(default_factory=list)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"1"
    sent: list[list[Outgoing]] = field(default_factory=list)
    asked: list[Mapping[str, str]] = field(default_factory=list)
    book: HostBook = field(default_factory=HostBook)
    now: datetime = START
    gone: set[str] = field(default_factory=set)

    async def get(self, url: str, terms: Terms, headers: Mapping[str, str]) -> Answer:
        self.asked.append(headers)
        return Answer(url, self.status, self.headers, self.body if self.status == 200 else b"")

    async def feed(self, body: bytes, *_: object) -> Document:
        if body == b"no feed":
            raise ParseFailed("neither RSS nor Atom")
        return Document(items=tuple(self.items))

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        if messages:
            self.sent.append(list(messages))

    def visit(self, feed: Feed = FEED, before: FeedState | None = None) -> Visited:
        me: Any = self
        self.sent.clear()
        return asyncio.run(
            FeedVisit(
                feed, URL, self.book, before, me, me, self.publish, lambda: self.now, Terms(), self.gone.__contains__
            ).run()
        )

    def tasks(self) -> list[PageTask]:
        messages = [message for batch in self.sent for message in batch if message.topic is PAGES_TO_FETCH]
        return [PageTask.model_validate_json(message.value or b"") for message in messages]


def state(**values: object) -> FeedState:
    return FeedState.model_validate(
        {"feed": "Báo", "url": URL, "last_success_at": START, "last_full_get_at": START, **values}
    )


def test_new_items_are_handed_to_the_owner_of_their_page_then_remembered() -> None:
    outlet = Outlet(items=[A, B, A.model_copy(update={"link": "https://bao.example/a?utm_source=rss"})])
    assert outlet.visit().new_items == 2
    handed, rows = outlet.sent
    assert [(message.key, message.partition) for message in handed] == [
        (f"{host}|{task.article_id}".encode(), partition_of_host(host))
        for host, task in zip(("bao.example", "other.example"), outlet.tasks(), strict=True)
    ]
    assert {row.partition for row in rows} == {partition_of_host("bao.example")}
    assert all(task.backlog for task in outlet.tasks())
    assert outlet.visit(before=state()).new_items == 0
    assert outlet.sent == []


def test_only_the_first_fetch_is_backlog() -> None:
    outlet = Outlet(items=[A])
    outlet.visit(before=state(last_success_at=None, failures=3))
    assert [task.backlog for task in outlet.tasks()] == [True]
    outlet.items = [A, B]
    outlet.visit(before=state())
    assert [task.backlog for task in outlet.tasks()] == [False]


def test_an_edited_item_is_a_revision() -> None:
    outlet = Outlet(items=[A])
    outlet.visit()
    outlet.now += timedelta(hours=1)
    outlet.items, outlet.body = [A.model_copy(update={"title": "A, mới"})], b"2"
    assert outlet.visit(before=state()).new_items == 1
    (task,) = outlet.tasks()
    assert (task.revision, task.first_seen_at, task.title) == (2, START, "A, mới")


def test_another_feed_of_the_host_does_not_publish_the_article_again() -> None:
    outlet = Outlet(items=[A])
    outlet.visit()
    assert outlet.visit(feed=FEED.model_copy(update={"name": "Báo, mới nhất"})).new_items == 0


def test_feed_text_and_items_without_a_link_are_articles_at_once() -> None:
    outlet = Outlet(items=[Item(guid="7", title="C", text="<p>ba</p>"), Item(text="nobody knows what this is")])
    assert outlet.visit().new_items == 1
    ((message,), _) = outlet.sent
    assert RawArticle.model_validate_json(message.value or b"").text == "<p>ba</p>"
    outlet = Outlet(items=[A])
    outlet.visit(feed=FEED.model_copy(update={"full_text": "feed"}))
    assert [message.topic.name for message in outlet.sent[0]] == ["articles-raw-v1"]


def test_an_unchanged_document_is_not_parsed() -> None:
    outlet = Outlet(items=[A], headers={"etag": '"1"'})
    first = outlet.visit()
    before = state(etag=first.etag, body_sha256=first.body_sha256)
    outlet.items = [B]
    assert outlet.visit(before=before).new_items == 0
    assert outlet.asked[-1] == {"If-None-Match": '"1"'}
    outlet.status, outlet.headers = 304, {}
    kept = outlet.visit(before=before)
    assert (kept.etag, kept.body_sha256, kept.full_get) == ('"1"', first.body_sha256, False)


def test_once_a_day_no_validators_are_sent_because_some_feeds_lie() -> None:
    outlet = Outlet(items=[A])
    before = state(etag='"1"', last_full_get_at=START - timedelta(days=1))
    assert outlet.visit(before=before).full_get
    assert outlet.asked == [{}]
    assert validators(state(etag='"1"', last_modified="x")) == {"If-None-Match": '"1"', "If-Modified-Since": "x"}


def test_a_document_that_is_no_feed_is_a_failed_visit() -> None:
    with pytest.raises(FetchFailed) as caught:
        Outlet(body=b"no feed").visit()
    assert caught.value.failure is Failure.UNPARSABLE


def test_an_item_that_was_taken_down_is_neither_published_nor_remembered_until_that_is_lifted() -> None:
    outlet = Outlet(items=[A, B], gone={article_id_for_link("https://bao.example/a")})
    assert outlet.visit().new_items == 1
    assert [task.url for task in outlet.tasks()] == [B.link]
    outlet.gone.clear()
    assert outlet.visit(before=state()).new_items == 1
    assert [task.url for task in outlet.tasks()] == [A.link]
