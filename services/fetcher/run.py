"""The fetcher: feeds of the web and of folders to articles-raw-v1. Wiring only; the rules are in the modules beside this one."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from kafka import KafkaProducer

from services.fetcher.backfill import StageLag
from services.fetcher.feeds import Feeds, load_feeds
from services.fetcher.ingest import ingest, read_once
from services.fetcher.manners import Manners
from services.fetcher.outbox import STAGE, Outbox
from services.fetcher.ownership import Ownership
from services.fetcher.pages import PageDesk
from services.fetcher.parsing import Parser
from services.fetcher.retired import sweep
from services.fetcher.scheduler import Scheduler
from services.fetcher.state import StateBook
from services.fetcher.web import Web
from shared import metrics
from shared.errors import Transient
from shared.kafka_clients import connected, make_producer
from shared.reload import Reloading
from shared.service import Service, service
from shared.settings import Settings
from shared.takedowns import Follower, IsTakenDown
from shared.topics import FEED_STATE

__all__ = ["ingest", "read_once", "run"]

FEEDS_FILE: Final = "feeds.yaml"
TICK_SECONDS: Final = 0.25
CLOSE_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 600.0

log = structlog.get_logger("frontwire.fetcher")


def run(settings: Settings) -> None:
    """Run the fetcher until SIGTERM. Raises `ConfigError` when feeds.yaml is wrong at the start."""
    feeds = follow_feeds(settings.config_dir / FEEDS_FILE)
    with service(STAGE, settings) as running:
        takedowns = Follower(running)
        name = f"{STAGE}-{settings.worker_id}"
        producer = connected(settings, running.stopping, lambda: make_producer(settings, name))
        if producer is not None and takedowns.wait():
            asyncio.run(_serve(running, feeds, producer, takedowns.holds))


def follow_feeds(path: Path) -> Reloading[Feeds]:
    """Return feeds.yaml as a value that follows its file: a broken edit is logged and counted, the last good one stays."""
    return Reloading(FEEDS_FILE, lambda: load_feeds(path), lambda: [path])


async def _serve(
    running: Service, feeds: Reloading[Feeds], producer: KafkaProducer, is_taken_down: IsTakenDown
) -> None:
    manners, outbox, parser = Manners(), Outbox(producer), Parser()
    failures: list[BaseException] = []
    async with Web(running.settings.user_agent, manners, lambda url, private: feeds.get().pace_of(url, private)) as web:
        desk = PageDesk(web, parser, outbox.publish, feeds.get, _now, failures.append, is_taken_down)
        lag = StageLag(running.settings)
        book = StateBook()
        scheduler = Scheduler(feeds.get, book, desk, web, parser, outbox, manners, _now, is_taken_down, lag.read)
        ownership = Ownership(running.settings, scheduler, asyncio.get_running_loop())
        running.health.ready_when("partitions", lambda: None if ownership.assigned else "waiting for partitions")
        running.health.live_when("ownership", lambda: None if ownership.alive() else "the consumer's thread has ended")
        ownership.start()
        sweeping = asyncio.create_task(_sweep_often(feeds, book, outbox), name="sweep")
        try:
            while not running.stopping.is_set() and not failures and ownership.failed is None:
                scheduler.tick()
                _observe_lag(desk, ownership)
                await asyncio.sleep(TICK_SECONDS)
        finally:
            sweeping.cancel()
            await ownership.stop()
            await scheduler.drop(set(range(FEED_STATE.partitions)))
            await asyncio.to_thread(outbox.close, CLOSE_SECONDS)
            await asyncio.to_thread(lag.close)
            await parser.close()
    for failure in (*failures, *([ownership.failed] if ownership.failed else [])):
        raise failure


async def _sweep_often(feeds: Reloading[Feeds], book: StateBook, outbox: Outbox) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        configured = {(feed.host, feed.name) for feed in feeds.get().feeds}
        try:
            await sweep(book, configured, _now(), outbox.publish)
        except Transient as unwell:
            log.warning("sweep_waits", reason=str(unwell))


def _observe_lag(desk: PageDesk, ownership: Ownership) -> None:
    oldest = desk.oldest_ms()
    metrics.LAG_RECORDS.labels(STAGE).set(desk.waiting() + ownership.behind)
    metrics.LAG_SECONDS.labels(STAGE).set(max(0.0, _now().timestamp() - oldest / 1000) if oldest else 0.0)


def _now() -> datetime:
    return datetime.now(UTC)
