"""One visit of a feed over HTTP: ask for it, compare its items with what was published, send on what is new, remember."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.fetcher.feeds import Feed
from services.fetcher.outbox import article_outcome, count
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.schedule import wants_full_get
from services.fetcher.state import HostBook, partition_of_host, seen_row
from services.fetcher.transform import (
    Item,
    Seen,
    Verdict,
    article_id_of,
    fingerprint,
    judge,
    page_task,
    raw_article,
    remembered,
    without_build_times,
)
from services.fetcher.web import Answer, Failure, FetchFailed, Web
from shared.headers import for_article
from shared.links import host_of
from shared.models import FeedState, PageTask
from shared.stage import Outcome, Outgoing
from shared.topics import PAGES_TO_FETCH


@dataclass(frozen=True)
class Visited:
    """What a visit brought: the number of new or changed items, and what to remember of the document."""

    new_items: int
    full_get: bool
    etag: str | None = None
    last_modified: str | None = None
    body_sha256: str | None = None


@dataclass(frozen=True)
class FeedVisit:
    """Everything one visit needs; `before` is the feed's state, `delay` the pause between two requests to its host in seconds."""

    feed: Feed
    url: str
    book: HostBook
    before: FeedState | None
    web: Web
    parser: Parser
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]]
    clock: Callable[[], datetime]
    delay: float

    async def run(self) -> Visited:
        """Publish what is new or changed. Raises `FetchFailed`, or `Transient` when Kafka is away."""
        before = self.before
        full = wants_full_get(before, self.clock())
        answer = await self.web.get(
            self.url,
            delay=self.delay,
            headers={} if full else validators(before),
            allow_private=self.feed.allow_private,
        )
        digest = hashlib.sha256(answer.body).hexdigest() if answer.status == 200 else None
        if digest is None or (before is not None and before.body_sha256 == digest):
            return self._visited(answer, digest, 0, full)
        try:
            items = await self.parser.feed(answer.body, answer.url, answer.headers.get("content-type"))
        except ParseFailed as refusal:
            raise FetchFailed(Failure.UNPARSABLE, str(refusal)) from None
        new_items = await self._publish(items, backlog=before is None or before.last_success_at is None)
        return self._visited(answer, digest, new_items, full)

    async def _publish(self, items: Sequence[Item], *, backlog: bool) -> int:
        outcomes: list[Outcome] = []
        sights: dict[str, Seen] = {}
        for item in without_build_times(items):
            if not (item.link or item.guid or item.title):
                continue
            article_id, mark = article_id_of(self.feed, item), fingerprint(item)
            seen = self.book.seen.get(article_id)
            if article_id in sights or judge(self.feed, mark, seen) is Verdict.KNOWN:
                continue
            sight = remembered(self.feed, mark, seen, self.clock())
            outcomes.append(self._outcome(item, article_id, sight, backlog=backlog))
            sights[article_id] = sight
        await self.publish([message for outcome in outcomes for message in outcome.outputs])
        await self.publish([seen_row(self.feed.host, article_id, sight) for article_id, sight in sights.items()])
        self.book.seen.update(sights)
        if self.feed.full_text == "feed":
            count(outcomes, self.feed.name)
        return len(sights)

    def _outcome(self, item: Item, article_id: str, sight: Seen, *, backlog: bool) -> Outcome:
        now = self.clock()
        page_host = host_of(item.link) if item.link else None
        if self.feed.full_text == "page" and page_host is not None:
            task = page_task(self.feed, item, article_id, sight, now=now, backlog=backlog)
            return Outcome(outputs=(page_message(task, page_host),))
        article = raw_article(self.feed, item, article_id, sight, fetched_at=now, backlog=backlog)
        return article_outcome(article, self.url, now)

    def _visited(self, answer: Answer, digest: str | None, new_items: int, full: bool) -> Visited:
        old = self.before if answer.status == 304 else None
        return Visited(
            new_items=new_items,
            etag=answer.headers.get("etag") or (old.etag if old else None),
            last_modified=answer.headers.get("last-modified") or (old.last_modified if old else None),
            body_sha256=digest or (old.body_sha256 if old else None),
            full_get=full,
        )


def validators(state: FeedState | None) -> Mapping[str, str]:
    """Return the request headers that let a server answer 304."""
    if state is None:
        return {}
    headers = {"If-None-Match": state.etag, "If-Modified-Since": state.last_modified}
    return {name: value for name, value in headers.items() if value}


def page_message(task: PageTask, host: str) -> Outgoing:
    """Return the message that hands a page to the owner of its host."""
    return Outgoing(PAGES_TO_FETCH, partition_of_host(host), host.encode(), task.to_json(), for_article(task.trace_id))
