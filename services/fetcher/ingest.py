"""Files into the wire at once, without a running fetcher: the work behind `frontwire ingest PATH…`.

What was ingested is remembered in feed-state-v1 as for any feed of files, so the same files a second time publish nothing.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from services.fetcher.backfill import Backfill, StageLag
from services.fetcher.documents import Page, Reading
from services.fetcher.feeds import Feed
from services.fetcher.file_visit import FileVisit, Tally
from services.fetcher.files import HtmlFile
from services.fetcher.outbox import STAGE, Outbox
from services.fetcher.parsing import ParseFailed, Parser
from services.fetcher.remembered import read_states
from services.fetcher.state import HostBook, partition_of_host
from shared import takedowns
from shared.kafka_clients import make_producer
from shared.settings import Settings
from shared.stage import Outgoing
from shared.takedowns import IsTakenDown
from shared.topics import FEED_STATE

DEFAULT_SOURCE: Final = "ingest"
_CLOSE_SECONDS: Final = 10.0


def ingest(
    settings: Settings,
    paths: Sequence[Path],
    *,
    source: str = DEFAULT_SOURCE,
    timezone: str | None = None,
    on_batch: Callable[[Tally], None] = lambda _: None,
    on_wait: Callable[[int | None], None] | None = None,
) -> Tally:
    """Publish the articles of files and folders, filed under `source`; returns the tally when all is acknowledged.

    Articles are marked as backlog. With `on_wait` they make room for live ones: it hears how many articles are on their way when
    the ingestion begins to wait, and None when it goes on. Raises `files.Missing` (OSError) for a path that does not exist,
    `Transient` or a KafkaError when Kafka is away.
    """
    feed = Feed(name=source, paths=tuple(paths), timezone=timezone)
    outbox, lag = Outbox(make_producer(settings, f"{STAGE}-ingest")), StageLag(settings)
    try:
        book = read_states(settings, [partition_of_host(feed.host)]).host(feed.host) or HostBook()
        backfill = on_wait and Backfill(lag.read, _pause, on_wait)
        return asyncio.run(_ingest(feed, book, outbox, takedowns.read(settings).holds, on_batch, backfill))
    finally:
        outbox.close(_CLOSE_SECONDS)
        lag.close()


def read_once(path: Path, *, source: str = DEFAULT_SOURCE) -> list[Outgoing]:
    """Return the messages a file or folder becomes, raw articles and dead letters, without a broker and without memory."""
    from services.fetcher.page_parser import parse_page

    messages: list[Outgoing] = []
    FileVisit(
        feed=Feed(name=source, paths=(path,)),
        book=HostBook(),
        send=messages.extend,
        extract=lambda file: parse_page(file.body, "", None),
        clock=lambda: datetime.now(UTC),
        backlog=False,
        settle_seconds=0,
    ).run()
    return [message for message in messages if message.topic is not FEED_STATE]


def _pause(seconds: float) -> bool:
    time.sleep(seconds)
    return False


async def _ingest(
    feed: Feed,
    book: HostBook,
    outbox: Outbox,
    is_taken_down: IsTakenDown,
    on_batch: Callable[[Tally], None],
    backfill: Backfill | None,
) -> Tally:
    parser = Parser()
    loop = asyncio.get_running_loop()

    def extract(file: HtmlFile) -> Page:
        try:
            return asyncio.run_coroutine_threadsafe(parser.page(file.body, "", None, Reading()), loop).result()
        except ParseFailed:
            return Page(text="")

    visit = FileVisit(
        feed=feed,
        book=book,
        send=outbox.send,
        extract=extract,
        clock=lambda: datetime.now(UTC),
        backlog=True,
        settle_seconds=0,
        on_batch=on_batch,
        is_taken_down=is_taken_down,
    )
    if backfill is not None:
        visit.make_room = backfill.make_room
    try:
        return await asyncio.to_thread(visit.run)
    finally:
        await parser.close()
