"""Decides which feed is visited when, runs the visits side by side, and remembers how they ended.

Only hosts of partitions this copy owns are visited. Everything runs on one event loop; a visit of files works in a thread.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import structlog

from services.fetcher.backfill import Backfill
from services.fetcher.documents import Page, Reading
from services.fetcher.feed_visit import FeedVisit, Visited
from services.fetcher.feeds import Feed, Feeds
from services.fetcher.file_visit import FileVisit, Stamp
from services.fetcher.files import HtmlFile
from services.fetcher.gauges import FeedGauges
from services.fetcher.manners import Manners
from services.fetcher.moves import moved_fields, proposed_address
from services.fetcher.outbox import STAGE, Outbox
from services.fetcher.pages import PageDesk
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.schedule import (
    backoff,
    due_at,
    past_skipped,
    period_after_success,
    spread,
    wait_after_success,
)
from services.fetcher.state import HostBook, StateBook, feed_row, partition_of_host
from services.fetcher.terms import terms_of
from services.fetcher.web import Failure, FetchFailed, Web
from shared import metrics
from shared.errors import Transient
from shared.models import FeedState
from shared.stage import Record
from shared.takedowns import IsTakenDown

_KAFKA_RETRY: Final = timedelta(seconds=5)
_EXTRACT_WITHIN_SECONDS: Final = 60.0
_FILES_UNREADABLE: Final = "files_unreadable"
_BUG: Final = "bug"

log = structlog.get_logger("frontwire.fetcher")


@dataclass
class _Visit:
    feed: Feed
    task: asyncio.Task[None]
    stop: threading.Event


@dataclass
class Scheduler:
    """The fetcher's heart; implements `ownership.Owner`. Call `tick` a few times a second.

    `lag` tells how many articles are on their way through the stages: large visits of files make room for live articles by it.
    """

    feeds: Callable[[], Feeds]
    book: StateBook
    desk: PageDesk
    web: Web
    parser: Parser
    outbox: Outbox
    manners: Manners
    clock: Callable[[], datetime]
    is_taken_down: IsTakenDown = lambda article_id: False
    lag: Callable[[], int] = lambda: 0
    gauges: FeedGauges = field(default_factory=FeedGauges)
    _visits: dict[str, _Visit] = field(default_factory=dict)
    _configured: dict[str, Feed] = field(default_factory=dict)
    _not_before: dict[str, datetime] = field(default_factory=dict)
    _stamps: dict[str, dict[Path, Stamp]] = field(default_factory=dict)

    def tick(self) -> None:
        """Start a visit of every feed that is due, owned, not under way, and whose host may be asked."""
        now = self.clock()
        configured = {feed.name: feed for feed in self.feeds().enabled()}
        self._forget(set(self._configured) - set(configured))
        self._stamps = {name: stamps for name, stamps in self._stamps.items() if name in configured}
        for feed in configured.values():
            book = self.book.host(feed.host)
            if book is None or feed.name in self._visits or self.manners.held_for(feed.host):
                continue
            known = self._configured.get(feed.name)
            edited = known is not None and known is not feed and known != feed
            if edited or max(due_at(feed, state_of(book, feed), now), self._not_before.get(feed.name, now)) <= now:
                self._start(feed, book)
            self._configured[feed.name] = feed
            if known is None or edited:
                self.gauges.show(feed, state_of(book, feed) or FeedState(feed=feed.name, url=address_of(feed)))

    def visiting(self) -> set[str]:
        """Return the names of the feeds whose visit is under way."""
        return set(self._visits)

    def load(self, rows: Iterable[Record]) -> None:
        """Take in rows of feed-state-v1."""
        for row in rows:
            self.book.apply(row.partition, row.key, row.value)

    def ready(self, partition: int) -> None:
        """Work on the hosts of a partition; a host that had asked to be left alone still is."""
        now = self.clock()
        self.book.set_ready(partition)
        for host, book in self.book.hosts(partition):
            for state in book.feeds.values():
                if state.last_error == Failure.RATE_LIMITED and state.next_visit_at and state.next_visit_at > now:
                    self.manners.hold(host, (state.next_visit_at - now).total_seconds())

    async def drop(self, partitions: set[int]) -> None:
        """Stop visits and pages of partitions that another copy owns from now on, and forget their state."""
        dropped = [visit for visit in self._visits.values() if partition_of_host(visit.feed.host) in partitions]
        for visit in dropped:
            visit.stop.set()
            visit.task.cancel()
            self._visits.pop(visit.feed.name, None)
        self._forget({name for name, feed in self._configured.items() if partition_of_host(feed.host) in partitions})
        for partition in partitions:
            self.book.drop(partition)
        await self.desk.drop(partitions)
        await asyncio.gather(*(visit.task for visit in dropped), return_exceptions=True)

    def take(self, tasks: Iterable[Record]) -> None:
        """Take in page tasks."""
        self.desk.take(list(tasks))

    def committable(self) -> dict[int, int]:
        """Offsets of finished page tasks."""
        return self.desk.committable()

    def full(self) -> set[int]:
        """Partitions with enough page tasks waiting."""
        return self.desk.full()

    def _start(self, feed: Feed, book: HostBook) -> None:
        stop = threading.Event()
        task = asyncio.create_task(self._visit(feed, book, stop), name=f"visit {feed.name}")
        self._visits[feed.name] = _Visit(feed, task, stop)

    async def _visit(self, feed: Feed, book: HostBook, stop: threading.Event) -> None:
        try:
            await self._visit_once(feed, book, stop)
        except Transient as unwell:
            log.warning("visit_waits", feed=feed.name, reason=str(unwell))
            metrics.RETRIES.labels(STAGE).inc()
            self._not_before[feed.name] = self.clock() + _KAFKA_RETRY
        finally:
            visit = self._visits.get(feed.name)
            if visit and visit.task is asyncio.current_task():
                del self._visits[feed.name]

    async def _visit_once(self, feed: Feed, book: HostBook, stop: threading.Event) -> None:
        before = state_of(book, feed)
        try:
            visited = await (
                self._over_http(feed, book, before) if feed.url else self._over_files(feed, book, before, stop)
            )
        except Transient:
            raise
        except FetchFailed as failed:
            after = self._failed(feed, before, failed.failure.value, failed.detail, failed.wait)
        except OSError as error:
            after = self._failed(feed, before, _FILES_UNREADABLE, str(error), None)
        except Exception:
            log.exception("bug", feed=feed.name)
            after = self._failed(feed, before, _BUG, "see the log", None)
        else:
            after = self._succeeded(feed, before, visited)
        metrics.FEED_VISITS.labels(after.last_error or "ok").inc()
        self.gauges.show(feed, after)
        if feed.url or before is None or worth_a_row(before, after):
            await self.outbox.publish([feed_row(feed.host, after)])
        book.feeds[feed.name] = after

    async def _over_http(self, feed: Feed, book: HostBook, before: FeedState | None) -> Visited:
        visit = FeedVisit(
            feed=feed,
            url=feed.url or "",
            book=book,
            before=before,
            web=self.web,
            parser=self.parser,
            publish=self.outbox.publish,
            clock=self.clock,
            terms=terms_of(feed),
            is_taken_down=self.is_taken_down,
        )
        return await visit.run()

    async def _over_files(self, feed: Feed, book: HostBook, before: FeedState | None, stop: threading.Event) -> Visited:
        loop = asyncio.get_running_loop()

        def extract(file: HtmlFile) -> Page:
            work = asyncio.run_coroutine_threadsafe(self.parser.page(file.body, "", None, Reading()), loop)
            try:
                return work.result(_EXTRACT_WITHIN_SECONDS)
            except ParseFailed:
                return Page(text="")

        def on_wait(on_their_way: int | None) -> None:
            since = None if on_their_way is None else self.clock()
            log.info("backfill_waits" if since else "backfill_goes_on", feed=feed.name, on_their_way=on_their_way)
            state = before or FeedState(feed=feed.name, url=address_of(feed))
            state = state.model_copy(update={"waits_since": since, "next_visit_at": None})
            self.outbox.send([feed_row(feed.host, state)])
            loop.call_soon_threadsafe(self.gauges.show, feed, state)

        visit = FileVisit(
            feed=feed,
            book=book,
            send=self.outbox.send,
            extract=extract,
            clock=self.clock,
            backlog=before is None or before.last_success_at is None,
            stamps=self._stamps.setdefault(feed.name, {}),
            stopped=stop.is_set,
            make_room=Backfill(self.lag, stop.wait, on_wait).make_room,
            is_taken_down=self.is_taken_down,
        )
        tally = await asyncio.to_thread(visit.run)
        if tally.published or tally.refused:
            log.info("files_read", feed=feed.name, published=tally.published, refused=tally.refused, known=tally.known)
        return Visited(new_items=tally.published, items=tally.published + tally.refused + tally.known)

    def _succeeded(self, feed: Feed, before: FeedState | None, visited: Visited) -> FeedState:
        now = self.clock()
        state = before or FeedState(feed=feed.name, url=address_of(feed))
        if state.failures:
            log.info("feed_recovered", feed=feed.name, failures=state.failures)
        self.gauges.late(feed, visited.lateness)
        period = period_after_success(feed, before, visited.share)
        update = {
            **visited.wishes,
            "items": visited.items if visited.items is not None else state.items,
            **moved_fields(before, visited.moved, now),
            "etag": visited.etag,
            "last_modified": visited.last_modified,
            "body_sha256": visited.body_sha256,
            "last_success_at": now,
            "last_new_at": now if visited.new_items else state.last_new_at,
            "last_full_get_at": now if visited.full_get else state.last_full_get_at,
            "period_seconds": period.total_seconds(),
            "waits_since": None,
            "retired_since": None,
            "failures": 0,
            "last_error": None,
            "last_error_detail": None,
        }
        after = FeedState.model_validate(state.model_dump() | update)
        if proposed_address(after) and not proposed_address(before):
            log.warning("feed_moved", feed=feed.name, url=feed.url, to=after.moved_to)
        return after.model_copy(update={"next_visit_at": self._next_visit(feed, after, period, visited)})

    def _next_visit(self, feed: Feed, state: FeedState, period: timedelta, visited: Visited) -> datetime:
        wish = max(visited.fresh_seconds, state.ttl_seconds or 0.0)
        wait = wait_after_success(feed, period, wish, visited.share)
        at = self.clock() + spread(wait, random.random())  # noqa: S311
        return at if feed.every is not None else past_skipped(at, state.skip_hours, state.skip_days)

    def _failed(
        self, feed: Feed, before: FeedState | None, reason: str, detail: str, wait: timedelta | None
    ) -> FeedState:
        state = before or FeedState(feed=feed.name, url=address_of(feed))
        failures = state.failures + 1
        pause = max(wait or timedelta(0), spread(backoff(feed, failures), random.random()))  # noqa: S311
        log.warning(
            "visit_failed", feed=feed.name, reason=reason, detail=detail[:200], failures=failures, again_in=str(pause)
        )
        update = {
            "waits_since": None,
            "retired_since": None,
            "failures": failures,
            "last_error": reason,
            "last_error_detail": detail[:200],
            "next_visit_at": self.clock() + pause,
        }
        return state.model_copy(update=update)

    def _forget(self, gone: set[str]) -> None:
        """Let go of feeds that are no longer configured or owned; what they published stays remembered in the topic."""
        for name in gone:
            del self._configured[name]
            self._not_before.pop(name, None)
            self.gauges.forget(name)


def address_of(feed: Feed) -> str:
    """Return what a feed's state belongs to: its address, or its paths. Another address is another state."""
    return feed.url or " ".join(str(path) for path in feed.all_paths)


def state_of(book: HostBook, feed: Feed) -> FeedState | None:
    """Return the state of a feed, None when it was never visited at its present address."""
    state = book.feeds.get(feed.name)
    return state if state is not None and state.url == address_of(feed) else None


def worth_a_row(before: FeedState, after: FeedState) -> bool:
    """Return whether a visit of files changed what a restart must know; a quiet folder writes nothing."""
    names = ("failures", "last_new_at", "retired_since", "waits_since")
    return any(getattr(before, name) != getattr(after, name) for name in names)
