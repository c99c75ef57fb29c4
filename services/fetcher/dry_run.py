"""Feeds visited once, without Kafka and without memory: the work behind `frontwire fetch` and `frontwire feeds test|verify`.

Scheduler, manners, pages and parsers are those of the service; only what it would send goes to a callback instead.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from services.fetcher.feeds import Feeds
from services.fetcher.manners import Manners
from services.fetcher.pages import PageDesk
from services.fetcher.parsing import Parser
from services.fetcher.scheduler import Scheduler
from services.fetcher.state import StateBook
from services.fetcher.transform import stated_instant
from services.fetcher.web import Web
from shared.models import FeedState, PageTask, RawArticle
from shared.stage import Outgoing, Record
from shared.topics import ARTICLES_RAW, FEED_STATE, PAGES_TO_FETCH

_LOOK_EVERY_SECONDS: Final = 0.02


@dataclass
class Tried:
    """What visiting feeds brought: state and newest date of a new item by feed name, and the number of refusals."""

    states: dict[str, FeedState] = field(default_factory=dict)
    newest: dict[str, datetime] = field(default_factory=dict)
    refused: int = 0


class DryRun:
    """Visits every feed that is switched on; `pages` limits how many article pages are fetched, None fetches all."""

    def __init__(
        self, feeds: Feeds, user_agent: str, on_article: Callable[[RawArticle], None], pages: int | None = None
    ) -> None:
        self._feeds = feeds
        self._user_agent = user_agent
        self._on_article = on_article
        self._pages = pages
        self._offsets: Counter[int] = Counter()
        self._tried = Tried()
        self._failures: list[BaseException] = []
        self._desk: PageDesk | None = None

    async def run(self) -> Tried:
        """Visit the feeds, fetch their pages, and return what came of it."""
        me: Any = self
        parser, manners = Parser(), Manners()
        try:
            async with Web(self._user_agent, manners, self._feeds.pace_of) as web:
                self._desk = PageDesk(web, parser, self.publish, self._get_feeds, _now, self._failures.append)
                scheduler = Scheduler(self._get_feeds, StateBook(), self._desk, web, parser, me, manners, _now)
                for partition in range(FEED_STATE.partitions):
                    scheduler.ready(partition)
                scheduler.tick()
                while (scheduler.visiting() or self._desk.waiting()) and not self._failures:
                    await asyncio.sleep(_LOOK_EVERY_SECONDS)
                await scheduler.drop(set(range(FEED_STATE.partitions)))
        finally:
            await parser.close()
        for failure in self._failures:
            raise failure
        return self._tried

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Take what the service would have sent."""
        self.send(messages)

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Take what the service would have sent; visits of files call this from a thread of their own."""
        for message in messages:
            value = message.value or b""
            if message.topic is ARTICLES_RAW:
                self._article(RawArticle.model_validate_json(value))
            elif message.topic is PAGES_TO_FETCH:
                self._page(message, PageTask.model_validate_json(value))
            elif message.topic is not FEED_STATE:
                self._tried.refused += 1
            elif (message.key or b"").count(b"|") == 1:
                state = FeedState.model_validate_json(value)
                self._tried.states[state.feed] = state

    def _article(self, article: RawArticle) -> None:
        feed = self._feeds.named(article.feed)
        if feed is None or feed.full_text == "feed" or feed.url is None or article.url is None:
            self._announced(article.feed, article.feed_published)
        self._on_article(article)

    def _page(self, message: Outgoing, task: PageTask) -> None:
        self._announced(task.feed, task.feed_published)
        fetched = self._offsets.total()
        if self._desk is not None and (self._pages is None or fetched < self._pages):
            offset = self._offsets[message.partition]
            self._offsets[message.partition] += 1
            record = Record(message.topic.name, message.partition, offset, message.key, message.value, message.headers)
            self._desk.take([record])

    def _announced(self, name: str, published: str | None) -> None:
        feed = self._feeds.named(name)
        stated = stated_instant(published, feed.timezone if feed else None)
        if stated is not None:
            self._tried.newest[name] = max(stated, self._tried.newest.get(name, stated))

    def _get_feeds(self) -> Feeds:
        return self._feeds


def _now() -> datetime:
    return datetime.now(UTC)
