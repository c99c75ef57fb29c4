"""Which articles were taken down: the one reader of takedowns-v1, and the predicate that every stage asks.

A stage begins when the topic has been read to its end. From then on the null records that pass through the topics do the work in
their order; the predicate keeps out what comes again: from its feed, from a file, by a replay, by a rebuild.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Final

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from pydantic import ValidationError

from shared.ids import article_of_key, root_id
from shared.kafka_clients import make_consumer, read_to_end, record_of
from shared.service import Service
from shared.settings import Settings
from shared.stage import Outgoing, Record
from shared.takedown_record import Takedown
from shared.topics import FEED_STATE, PIPELINE, TAKEDOWNS, dead_letter_topic

POLL_MS: Final = 500
RETRY_SECONDS: Final = 1.0
NUDGE: Final = b"nudge"
_PARTITION: Final = TopicPartition(TAKEDOWNS.name, 0)

log = structlog.get_logger("frontwire.takedowns")

IsTakenDown = Callable[[str], bool]
"""Tells by the id of an article, or of a part of one, whether it was taken down."""


class Takedowns:
    """The articles that are taken down. One thread applies records, any may ask."""

    def __init__(self) -> None:
        self._articles: set[str] = set()

    def apply(self, record: Record) -> None:
        """Take in a record of takedowns-v1. What cannot be read counts as a takedown: rather one article too few."""
        article_id = article_of_key(record.key)
        if article_id is None:
            log.error("takedown_without_article", origin=record.origin)
            return
        lifted = record.value is None
        with suppress(ValidationError):
            lifted = lifted or Takedown.model_validate_json(record.value or b"").lifted is not None
        if lifted:
            self._articles.discard(article_id)
        else:
            self._articles.add(article_id)

    def holds(self, article_id: str) -> bool:
        """Return whether an article, or the one that a part belongs to, is taken down."""
        return root_id(article_id) in self._articles

    def __bool__(self) -> bool:
        return bool(self._articles)

    def covers(self, key: bytes | None) -> bool:
        """Return whether a record with this key is about an article that is taken down."""
        article_id = article_of_key(key) if self else None
        return article_id is not None and self.holds(article_id)


class Follower(Takedowns):
    """Follows takedowns-v1 in a thread of its own for as long as the process runs."""

    def __init__(self, running: Service) -> None:
        super().__init__()
        self._running = running
        self._read = threading.Event()
        running.health.ready_when("takedowns", lambda: None if self._read.is_set() else f"reading {TAKEDOWNS.name}")
        threading.Thread(target=self._follow, name="takedowns", daemon=True).start()

    def wait(self) -> bool:
        """Wait until the topic has been read to its end; False when the process is asked to stop first."""
        while not self._running.stopping.is_set():
            if self._read.wait(POLL_MS / 1000):
                return True
        return False

    def _follow(self) -> None:
        while not self._running.stopping.is_set():
            try:
                with closing(make_consumer(self._running.settings, None, "takedowns")) as consumer:
                    self._follow_on(consumer)
            except KafkaError as error:
                log.warning("takedowns_wait", reason=repr(error)[:200])
                self._running.stopping.wait(RETRY_SECONDS)

    def _follow_on(self, consumer: KafkaConsumer) -> None:
        consumer.assign([_PARTITION])
        consumer.seek_to_beginning(_PARTITION)
        end = consumer.end_offsets([_PARTITION])[_PARTITION]
        while not self._running.stopping.is_set():
            if consumer.position(_PARTITION) >= end:
                self._read.set()
            for messages in consumer.poll(timeout_ms=POLL_MS).values():
                for message in messages:
                    self.apply(record_of(message))


def nudges() -> Iterator[Outgoing]:
    """Yield a null record for every partition where text may stand.

    Kafka cleans no segment before it is closed, and closes none before something is written: where nothing comes, a text that was
    taken down would stay until its topic's retention ends.
    """
    for source in PIPELINE:
        for topic in (source, dead_letter_topic(source)):
            if topic not in (FEED_STATE, TAKEDOWNS):
                yield from (Outgoing(topic, number, NUDGE, None, ()) for number in range(topic.partitions))


def read(settings: Settings) -> Takedowns:
    """Return what is taken down now, for a command. Raises a KafkaError when Kafka is away."""
    found = Takedowns()
    for record in read_to_end(settings, TAKEDOWNS, "takedowns-read"):
        found.apply(record)
    return found


def records(settings: Settings) -> dict[str, Takedown]:
    """Return the latest record of every takedown by article id, lifted ones included; one that cannot be read is left out."""
    latest: dict[str, Takedown] = {}
    for record in read_to_end(settings, TAKEDOWNS, "takedowns-read"):
        with suppress(ValidationError):
            found = Takedown.model_validate_json(record.value or b"")
            latest[found.article_id] = found
    return latest
