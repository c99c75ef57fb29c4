"""Article pages: the queue of a host's pages, worked off one by one by the owner of the host.

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

from services.fetcher.outbox import STAGE, article_outcome, count
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.transform import Page, raw_from_page
from services.fetcher.web import PASSING, Failure, FetchFailed, Web
from shared import metrics
from shared.errors import Reason, Rejected, Transient
from shared.links import host_of
from shared.models import PageTask
from shared.stage import Guard, Outcome, Outgoing, Record, decode
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
class PageDesk:
    """Works off the page tasks of the partitions this copy owns. Everything runs on one event loop."""

    web: Web
    parser: Parser
    publish: Callable[[Sequence[Outgoing]], Awaitable[None]]
    delay_of: Callable[[str, Sequence[str]], float]
    clock: Callable[[], datetime]
    on_bug: Callable[[BaseException], None]
    _windows: dict[int, OffsetWindow] = field(default_factory=dict)
    _queues: dict[str, deque[Record]] = field(default_factory=dict)
    _workers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _guard: Guard = field(default_factory=lambda: Guard(STAGE, PAGES_TO_FETCH))

    def take(self, records: Sequence[Record]) -> None:
        """Queue tasks behind the others of their host (the record's key)."""
        for record in records:
            host = (record.key or b"").decode("utf-8", "replace")
            self._windows.setdefault(record.partition, OffsetWindow()).add(record.offset, len(record.value or b""))
            self._queues.setdefault(host, deque()).append(record)
            if host not in self._workers:
                self._workers[host] = asyncio.create_task(self._work(host), name=f"pages {host}")

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
        return min((queue[0].timestamp_ms for queue in self._queues.values() if queue), default=None)

    async def drop(self, partitions: set[int]) -> None:
        """Stop work on partitions that belong to another copy from now on."""
        hosts = [host for host, queue in self._queues.items() if queue and queue[0].partition in partitions]
        workers = [self._workers.pop(host) for host in hosts if host in self._workers]
        for host in hosts:
            del self._queues[host]
        for partition in partitions:
            self._windows.pop(partition, None)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, host: str) -> None:
        queue = self._queues[host]
        try:
            while queue:
                await self._process(queue[0])
                record = queue.popleft()
                if record.partition in self._windows:
                    self._windows[record.partition].done(record.offset)
        except Exception as bug:  # TooManyBugs: the service must stop, not this queue alone
            self.on_bug(bug)
        if self._queues.get(host) is queue:
            del self._queues[host], self._workers[host]

    async def _process(self, record: Record) -> None:
        metrics.RECORDS_IN.labels(STAGE).inc()
        outcome, feed = await self._guarded(record)
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
                    break
                await asyncio.sleep(wait)
            else:
                return page, "" if page.text else "the page holds no article"
        return None, problem

    async def _fetch(self, task: PageTask) -> Page:
        allowed = tuple(task.allow_private)
        answer = await self.web.get(task.url, delay=self.delay_of(task.url, allowed), allow_private=allowed)
        try:
            return await self.parser.page(answer.body, answer.url, answer.headers.get("content-type"))
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
