"""The fetcher: feeds of the web and of folders to articles-raw-v1. Wiring only; the rules are in the modules beside this one."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from services.fetcher.feeds import Feeds, load_feeds
from services.fetcher.ingest import ingest, read_once
from services.fetcher.manners import Manners
from services.fetcher.outbox import STAGE, Outbox
from services.fetcher.ownership import Ownership
from services.fetcher.pages import PageDesk
from services.fetcher.parsing import Parser
from services.fetcher.scheduler import Scheduler
from services.fetcher.state import StateBook
from services.fetcher.web import Web
from shared.kafka_clients import make_producer
from shared.reload import Reloading
from shared.service import Service, service
from shared.settings import Settings

__all__ = ["ingest", "read_once", "run"]

FEEDS_FILE: Final = "feeds.yaml"
TICK_SECONDS: Final = 0.25
CONNECT_AGAIN_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 3.0

log = structlog.get_logger("frontwire.fetcher")


def run(settings: Settings) -> None:
    """Run the fetcher until SIGTERM. Raises `ConfigError` when feeds.yaml is wrong at the start."""
    feeds = follow_feeds(settings.config_dir / FEEDS_FILE)
    with service(STAGE, settings) as running:
        producer = connect(running)
        if producer is not None:
            asyncio.run(_serve(running, feeds, producer))


def follow_feeds(path: Path) -> Reloading[Feeds]:
    """Return feeds.yaml as a value that follows its file: a broken edit is logged and counted, the last good one stays."""
    return Reloading(FEEDS_FILE, lambda: load_feeds(path), lambda: [path])


def connect(running: Service) -> KafkaProducer | None:
    """Return a producer as soon as Kafka answers, or None when the process is asked to stop first."""
    while not running.stopping.is_set():
        try:
            return make_producer(running.settings, f"{STAGE}-{running.settings.worker_id}")
        except KafkaError as error:
            log.warning("waiting_for_kafka", reason=repr(error)[:200])
            running.stopping.wait(CONNECT_AGAIN_SECONDS)
    return None


async def _serve(running: Service, feeds: Reloading[Feeds], producer: KafkaProducer) -> None:
    manners, outbox, parser = Manners(), Outbox(producer), Parser()
    failures: list[BaseException] = []
    async with Web(running.settings.user_agent, manners) as web:

        def delay_of(url: str, allow_private: Sequence[str]) -> float:
            return scheduler.delay_of(url, allow_private)

        desk = PageDesk(web, parser, outbox.publish, delay_of, _now, failures.append)
        scheduler = Scheduler(feeds.get, StateBook(), desk, web, parser, outbox, manners, _now)
        ownership = Ownership(running.settings, scheduler, asyncio.get_running_loop())
        running.health.ready_when("partitions", lambda: None if ownership.assigned else "waiting for partitions")
        running.health.live_when("ownership", lambda: None if ownership.alive() else "the consumer's thread has ended")
        ownership.start()
        try:
            while not running.stopping.is_set() and not failures and ownership.failed is None:
                scheduler.tick()
                await asyncio.sleep(TICK_SECONDS)
        finally:
            await ownership.stop()
            await asyncio.to_thread(producer.close, CLOSE_SECONDS)
            await parser.close()
            outbox.close()
    for failure in (*failures, *([ownership.failed] if ownership.failed else [])):
        raise failure


def _now() -> datetime:
    return datetime.now(UTC)
