"""The wall clock's part in the log: a tick every minute with the feeds' coverage, and the configuration when it changes."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Final

import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from pydantic import ValidationError

from services.alerter.transform import silent_feeds, snapshot
from shared import headers
from shared.alerts import ConfigSnapshot, Tick
from shared.kafka_clients import make_consumer, make_producer, send, wait_for_broker
from shared.models import SCHEMA_VERSION, FeedState
from shared.reload import Reloading
from shared.settings import Settings
from shared.stage import Outgoing, single_key
from shared.topics import FEED_STATE, KEYWORD_HITS
from shared.watchlist import WatchlistFile

MINUTE: Final = 60
CONFIG_TICKS: Final = 24 * 60
"""The configuration is written again after so many ticks: the log keeps 60 days, and a replay of it needs one."""

log = structlog.get_logger("frontwire.alerter.ticking")


class Ticker:
    """Writes ticks and configurations until `stopping` is set; every copy may, the detector takes each minute once."""

    def __init__(
        self,
        settings: Settings,
        watchlist: Reloading[WatchlistFile],
        stopping: threading.Event,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._settings = settings
        self._watchlist = watchlist
        self._stopping = stopping
        self._clock = clock
        self._feeds: dict[bytes, FeedState] = {}
        self._written = ""
        self._ticks = 0

    def run(self) -> None:
        """Tick until asked to stop; a broker that is away is waited for."""
        while wait_for_broker(self._settings, self._stopping):
            try:
                with (
                    closing(make_producer(self._settings, "frontwire-alerter-ticks")) as producer,
                    closing(make_consumer(self._settings, None, "frontwire-alerter-coverage")) as consumer,
                ):
                    self._tick_on(producer, consumer)
            except KafkaError as error:
                log.warning("ticking_again", reason=repr(error)[:200])

    def _tick_on(self, producer: KafkaProducer, consumer: KafkaConsumer) -> None:
        partitions = [TopicPartition(FEED_STATE.name, number) for number in range(FEED_STATE.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        while True:
            self._configure(producer)
            self._read_feeds(consumer)
            now = self._clock()
            send(producer, _message(self._tick(now.replace(second=0, microsecond=0)))).get(30)
            if self._stopping.wait(MINUTE - now.timestamp() % MINUTE):
                return

    def _tick(self, at: datetime) -> Tick:
        self._ticks += 1
        states = list(self._feeds.values())
        return Tick(at=at, feeds=len(states), silent_feeds=silent_feeds(states, at))

    def _configure(self, producer: KafkaProducer) -> None:
        made = snapshot(self._watchlist.get(), self._clock())
        if made.hash != self._written or self._ticks % CONFIG_TICKS == 0:
            send(producer, _message(made)).get(30)
            self._written = made.hash

    def _read_feeds(self, consumer: KafkaConsumer) -> None:
        while batch := consumer.poll(timeout_ms=500):
            for records in batch.values():
                for record in records:
                    if record.key and record.key.count(b"|") == 1:
                        self._note_feed(record.key, record.value)

    def _note_feed(self, key: bytes, value: bytes | None) -> None:
        self._feeds.pop(key, None)
        if value is not None:
            try:
                self._feeds[key] = FeedState.model_validate_json(value)
            except ValidationError as error:
                log.warning("feed_state_refused", key=key.decode("utf-8", "replace")[:200], errors=error.error_count())


def _message(record: Tick | ConfigSnapshot) -> Outgoing:
    return Outgoing(
        topic=KEYWORD_HITS,
        partition=0,
        key=single_key(record.kind).encode(),
        value=record.to_json(),
        headers=(
            (headers.SCHEMA_VERSION_HEADER, SCHEMA_VERSION.encode()),
            (headers.CONTENT_TYPE, b"application/json"),
        ),
    )
