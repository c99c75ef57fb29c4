"""One visit of a feed over HTTP: ask for it, compare its items with what was published, send on what is new, remember."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from services.fetcher.documents import Document, Item
from services.fetcher.feeds import Feed
from services.fetcher.outbox import STAGE, article_outcome, count
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.schedule import fresh_seconds, wants_full_get
from services.fetcher.state import HostBook, forgotten_row, partition_of_host, seen_row
from services.fetcher.transform import (
    Seen,
    Verdict,
    article_id_of,
    fingerprint,
    judge,
    page_task,
    raw_article,
    remembered,
    stated_instant,
    without_build_times,
)
from services.fetcher.web import Answer, Failure, FetchFailed, Terms, Web
from shared import metrics
from shared.errors import Drop
from shared.headers import for_article
from shared.links import host_of
from shared.models import FeedState, PageTask
from shared.stage import Outcome, Outgoing
from shared.takedowns import IsTakenDown
from shared.topics import PAGES_TO_FETCH

# An item that has not been in its feed for so long is forgotten.
FORGOTTEN_AFTER: Final = timedelta(days=90)

log = structlog.get_logger("frontwire.fetcher")


@dataclass(frozen=True)
class Visited:
    """What a visit brought: items met (None when it was not read again), items new or changed, what to remember of the document.

    `lateness` holds for each new article the seconds from the time it states to the middle between this visit and the last.
    """

    new_items: int = 0
    items: int | None = None
    full_get: bool = True
    etag: str | None = None
    last_modified: str | None = None
    body_sha256: str | None = None
    moved: str | None = None
    fresh_seconds: float = 0.0
    wishes: Mapping[str, object] = field(default_factory=dict)
    lateness: Sequence[float] = ()

    @property
    def share(self) -> float:
        """How much of the document was new, 0 to 1."""
        return self.new_items / self.items if self.items else 0.0


@dataclass(frozen=True)
class FeedVisit:
    """Everything one visit needs; `before` is the feed's state."""

    feed: Feed
    url: str
    book: HostBook
    before: FeedState | None
    web: Web
    parser: Parser
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]]
    clock: Callable[[], datetime]
    terms: Terms
    is_taken_down: IsTakenDown = lambda article_id: False

    async def run(self) -> Visited:
        """Publish what is new or changed. Raises `FetchFailed`, or `Transient` when Kafka is away."""
        before = self.before
        full = wants_full_get(before, self.clock())
        answer = await self.web.get(self.url, self.terms, {} if full else validators(before))
        digest = hashlib.sha256(answer.body).hexdigest() if answer.status == 200 else None
        if before is not None and digest in (None, before.body_sha256):
            return self._visited(answer, digest, full)
        document = await self._read(answer)
        items = document.items
        if document.sitemaps:
            # An index may stay the same while its sitemaps change: the next visit reads it again.
            answer, digest = Answer(answer.url, answer.status, {}, b"", answer.moved), None
            items = await self._follow(document.sitemaps)
        fresh = await self._publish(without_build_times(items))
        if full:
            await self._forget_old(items)
        return replace(
            self._visited(answer, digest, full),
            new_items=len(fresh),
            items=len(items),
            wishes=document.model_dump(include={"ttl_seconds", "skip_hours", "skip_days"}),
            lateness=self._lateness(fresh),
        )

    async def _read(self, answer: Answer) -> Document:
        try:
            return await self.parser.feed(
                answer.body, answer.url, answer.headers.get("content-type"), self.feed.reading
            )
        except ParseFailed as refusal:
            raise FetchFailed(Failure.UNPARSABLE, str(refusal)) from None

    async def _follow(self, sitemaps: Sequence[str]) -> tuple[Item, ...]:
        """Return the items of an index's sitemaps; one that cannot be had is left out. Raises `FetchFailed` when none can."""
        items: list[Item] = []
        problem: FetchFailed | None = None
        read = 0
        for address in sitemaps:
            try:
                items += (await self._read(await self.web.get(address, self.terms))).items
                read += 1
            except FetchFailed as failed:
                problem = failed
                log.warning("sitemap_left_out", feed=self.feed.name, url=address, reason=str(failed)[:200])
        if problem is not None and not read:
            raise problem
        return tuple(items)

    async def _publish(self, items: Sequence[Item]) -> list[tuple[Item, Seen]]:
        """Send on what is new or changed, remember it, and return it."""
        backlog = self.before is None or self.before.last_success_at is None
        fresh: list[tuple[Item, Seen]] = []
        outcomes: list[Outcome] = []
        sights: dict[str, Seen] = {}
        for item in items:
            if not (item.link or item.guid or item.title):
                continue
            article_id, mark = article_id_of(self.feed, item, self.clock(), self.book.seen), fingerprint(item)
            seen = self.book.seen.get(article_id)
            if self.is_taken_down(article_id):
                metrics.RECORDS_DROPPED.labels(STAGE, Drop.TAKEN_DOWN.value).inc()
                continue
            if article_id in sights or judge(self.feed, mark, seen) is Verdict.KNOWN:
                continue
            sights[article_id] = sight = remembered(self.feed, mark, seen, self.clock())
            if not (backlog and self._too_old(item)):
                fresh.append((item, sight))
                outcomes.append(self._outcome(item, article_id, sight, backlog=backlog))
        await self.publish([message for outcome in outcomes for message in outcome.outputs])
        await self.publish([seen_row(self.feed.host, article_id, sight) for article_id, sight in sights.items()])
        self.book.seen.update(sights)
        if self.feed.full_text == "feed":
            count(outcomes, self.feed.name)
        return fresh

    def _too_old(self, item: Item) -> bool:
        """Return whether an item of the first visit is older than the operator wants; what states no date is not."""
        stated = stated_instant(item.published, self.feed.timezone)
        return stated is not None and self.feed.max_age is not None and self.clock() - stated > self.feed.max_age

    def _outcome(self, item: Item, article_id: str, sight: Seen, *, backlog: bool) -> Outcome:
        now = self.clock()
        page_host = host_of(item.link) if item.link else None
        if self.feed.full_text == "page" and page_host is not None:
            task = page_task(self.feed, item, article_id, sight, now=now, backlog=backlog)
            return Outcome(outputs=(page_message(task, page_host),))
        article = raw_article(self.feed, item, article_id, sight, fetched_at=now, backlog=backlog)
        return article_outcome(article, self.url, now)

    async def _forget_old(self, items: Iterable[Item]) -> None:
        """Forget what this feed published long ago and does not hold any more."""
        now = self.clock()
        old = {
            article_id
            for article_id, seen in self.book.seen.items()
            if seen.feed == self.feed.name and now - seen.first_seen_at > FORGOTTEN_AFTER
        }
        if old:
            old -= {article_id_of(self.feed, item, now, self.book.seen) for item in items}
        await self.publish([forgotten_row(self.feed.host, self.feed.name, article_id) for article_id in old])
        for article_id in old:
            del self.book.seen[article_id]

    def _lateness(self, fresh: Sequence[tuple[Item, Seen]]) -> list[float]:
        last = self.before.last_success_at if self.before else None
        if last is None:
            return []
        middle = last + (self.clock() - last) / 2
        stated = [stated_instant(item.published, self.feed.timezone) for item, sight in fresh if sight.revision == 1]
        return [(middle - moment).total_seconds() for moment in stated if moment is not None]

    def _visited(self, answer: Answer, digest: str | None, full: bool) -> Visited:
        old = self.before if answer.status == 304 else None
        return Visited(
            full_get=full,
            etag=answer.headers.get("etag") or (old.etag if old else None),
            last_modified=answer.headers.get("last-modified") or (old.last_modified if old else None),
            body_sha256=digest or (old.body_sha256 if old else None),
            moved=answer.moved,
            fresh_seconds=fresh_seconds(answer.headers),
        )


def validators(state: FeedState | None) -> Mapping[str, str]:
    """Return the request headers that let a server answer 304."""
    if state is None:
        return {}
    headers = {"If-None-Match": state.etag, "If-Modified-Since": state.last_modified}
    return {name: value for name, value in headers.items() if value}


def page_message(task: PageTask, host: str) -> Outgoing:
    """Return the message that hands a page to the owner of its host."""
    key = f"{host}|{task.article_id}".encode()
    return Outgoing(PAGES_TO_FETCH, partition_of_host(host), key, task.to_json(), for_article(task.trace_id))
