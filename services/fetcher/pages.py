"""Article pages: the queue of a host's pages, worked off by the owner of the host, as many at a time as the host takes.

An offset may be committed when the task's raw article, or its dead letter, is acknowledged, and so are all before it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

import structlog

from services.fetcher.documents import Page, Reading
from services.fetcher.feeds import Feeds
from services.fetcher.outbox import STAGE, article_outcome, count
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.terms import terms_of
from services.fetcher.transform import raw_from_page
from services.fetcher.web import PASSING, Failure, FetchFailed, Terms, Web
from shared import metrics
from shared.errors import Drop, Reason, Rejected, Transient
from shared.ids import article_of_key
from shared.links import host_of
from shared.models import PageTask
from shared.stage import Guard, Outcome, Outgoing, Record, decode
from shared.takedowns import IsTakenDown
from shared.topics import PAGES_TO_FETCH

ATTEMPTS: Final = 3
FIRST_RETRY_SECONDS: Final = 2.0
# News does not wait longer for a host: the feed's own text goes out instead.
LONGEST_WAIT_SECONDS: Final = 60.0
MAX_WAITING_RECORDS: Final = 1000
MAX_WAITING_BYTES: Final = 8 * 1024 * 1024
_KAFKA_RETRY_SECONDS: Final = 2.0

log = structlog.get_logger("frontwire.fetcher.pages")


@dataclass
class OffsetWindow:
    """The offsets of one partition that are being worked on, out of order, and how far it may be committed."""

    waiting: dict[int, int] = field(default_factory=dict)
    next_offset: int | None = None

    def add(self, offset: int, size: int) -> None:
        """Take in an offset that is to be worked on; offsets come in growing order."""
        self.waiting[offset] = size
        self.next_offset = offset + 1

    def done(self, offset: int) -> None:
        """Say that an offset is finished."""
        self.waiting.pop(offset, None)

    @property
    def committable(self) -> int | None:
        """The offset to commit: the first unfinished one, or the one after the last."""
        return next(iter(self.waiting), self.next_offset)

    @property
    def full(self) -> bool:
        """Whether no more should be taken in for now."""
        return len(self.waiting) >= MAX_WAITING_RECORDS or sum(self.waiting.values()) >= MAX_WAITING_BYTES


@dataclass
class _Host:
    """The tasks of one host: those that wait, those under way, and who works on them."""

    partition: int
    waiting: deque[Record] = field(default_factory=deque)
    under_way: set[Record] = field(default_factory=set)
    workers: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass
class PageDesk:
    """Works off the page tasks of the partitions this copy owns. Everything runs on one event loop."""

    web: Web
    parser: Parser
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]]
    feeds: Callable[[], Feeds]
    clock: Callable[[], datetime]
    on_bug: Callable[[BaseException], None]
    is_taken_down: IsTakenDown = lambda article_id: False
    _windows: dict[int, OffsetWindow] = field(default_factory=dict)
    _hosts: dict[str, _Host] = field(default_factory=dict)
    _guard: Guard = field(default_factory=lambda: Guard(STAGE, PAGES_TO_FETCH))

    def take(self, records: Sequence[Record]) -> None:
        """Queue tasks behind the others of their host (which begins the record's key); none for what was taken down."""
        for record in records:
            name = (record.key or b"").partition(b"|")[0].decode("utf-8", "replace")
            window = self._windows.setdefault(record.partition, OffsetWindow())
            window.add(record.offset, len(record.value or b""))
            if dropped := self._dropped(record):
                metrics.RECORDS_DROPPED.labels(STAGE, dropped.value).inc()
                window.done(record.offset)
                continue
            host = self._hosts.setdefault(name, _Host(record.partition))
            host.waiting.append(record)
            if len(host.workers) < self.feeds().parallel_of(name):
                host.workers.add(asyncio.create_task(self._work(name, host), name=f"pages {name}"))

    def _dropped(self, record: Record) -> Drop | None:
        if record.value is None:
            return Drop.TOMBSTONE
        return Drop.TAKEN_DOWN if self.is_taken_down(article_of_key(record.key) or "") else None

    def committable(self) -> dict[int, int]:
        """Return the offset to commit by partition."""
        return {
            partition: window.committable
            for partition, window in self._windows.items()
            if window.committable is not None
        }

    def full(self) -> set[int]:
        """Return the partitions from which nothing more should be read for now."""
        return {partition for partition, window in self._windows.items() if window.full}

    def waiting(self) -> int:
        """Return the number of tasks not finished."""
        return sum(len(window.waiting) for window in self._windows.values())

    def oldest_ms(self) -> int | None:
        """Return the Kafka time of the oldest task not finished in ms, None when none waits."""
        open_tasks = (record for host in self._hosts.values() for record in (*host.under_way, *list(host.waiting)[:1]))
        return min((record.timestamp_ms for record in open_tasks), default=None)

    async def drop(self, partitions: set[int]) -> None:
        """Stop work on partitions that belong to another copy from now on."""
        dropped = [host for host in self._hosts.values() if host.partition in partitions]
        self._hosts = {name: host for name, host in self._hosts.items() if host.partition not in partitions}
        for partition in partitions:
            self._windows.pop(partition, None)
        workers = [worker for host in dropped for worker in host.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, name: str, host: _Host) -> None:
        try:
            while host.waiting:
                record = host.waiting.popleft()
                host.under_way.add(record)
                await self._process(record)
                host.under_way.discard(record)
                if record.partition in self._windows:
                    self._windows[record.partition].done(record.offset)
        except Exception as bug:  # TooManyBugs: the service must stop, not this queue alone
            self.on_bug(bug)
        host.workers -= {worker for worker in host.workers if worker is asyncio.current_task()}
        if not host.workers and self._hosts.get(name) is host:
            del self._hosts[name]

    async def _process(self, record: Record) -> None:
        metrics.RECORDS_IN.labels(STAGE).inc()
        outcome, feed = await self._guarded(record)
        if dropped := self._dropped(record):  # while its page was being fetched
            metrics.RECORDS_DROPPED.labels(STAGE, dropped.value).inc()
            return
        while True:
            try:
                await self.publish(outcome.outputs)
                break
            except Transient as unwell:
                metrics.RETRIES.labels(STAGE).inc()
                log.warning("page_waits", reason=str(unwell), origin=record.origin)
                await asyncio.sleep(_KAFKA_RETRY_SECONDS)
        count([outcome], feed)

    async def _guarded(self, record: Record) -> tuple[Outcome, str]:
        """Return what becomes of a task and its feed; the guard judges what was made or raised. Raises `TooManyBugs`."""
        feed = ""
        try:
            task = _task(record)
            feed = task.feed
            made = partial(_given, await self._article(record, task))
        except Exception as problem:
            made = partial(_raise, problem)
        return self._guard.attempt(record, made), feed

    async def _article(self, record: Record, task: PageTask) -> Outcome:
        page, problem = await self._page(task)
        if not (page and page.text):
            if not (task.feed_text or "").strip():
                reason = Reason.EMPTY_BODY if page else Reason.UNREADABLE
                return self._guard.refuse(record, Rejected(reason, f"{problem}, and the feed has no text"))
            log.info("feed_text_instead", article=task.article_id, trace=task.trace_id, url=task.url, reason=problem)
        now = self.clock()
        article = raw_from_page(task, page, now)
        log.debug("article", article=article.article_id, trace=article.trace_id, feed=article.feed, url=article.url)
        return article_outcome(article, task.url, now)

    async def _page(self, task: PageTask) -> tuple[Page | None, str]:
        """Return the page, None when it cannot be had after a few attempts, and what is wrong."""
        problem = ""
        for attempt in range(ATTEMPTS):
            try:
                page = await self._fetch(task)
            except FetchFailed as failed:
                problem = str(failed)
                wait = failed.wait.total_seconds() if failed.wait else FIRST_RETRY_SECONDS * 3**attempt
                if failed.failure not in PASSING or wait > LONGEST_WAIT_SECONDS or attempt + 1 == ATTEMPTS:
                    metrics.PAGES.labels(failed.failure.value).inc()
                    break
                await asyncio.sleep(wait)
            else:
                metrics.PAGES.labels("ok" if page.text else "no_article").inc()
                return page, "" if page.text else "the page holds no article"
        return None, problem

    async def _fetch(self, task: PageTask) -> Page:
        feed = self.feeds().named(task.feed)
        terms = terms_of(feed) if feed else Terms(tuple(task.allow_private))
        answer = await self.web.get(task.url, terms)
        try:
            return await self.parser.page(
                answer.body, answer.url, answer.headers.get("content-type"), feed.reading if feed else Reading()
            )
        except ParseFailed as refusal:
            raise FetchFailed(Failure.UNPARSABLE, str(refusal)) from None


def _given(outcome: Outcome) -> Outcome:
    return outcome


def _raise(problem: Exception) -> Outcome:
    raise problem


def _task(record: Record) -> PageTask:
    task = decode(record, PageTask)
    if host_of(task.url) is None:
        raise Rejected(Reason.WRONG_TYPE, f"url: {task.url[:100]!r} is no http(s) link")
    return task
