"""The indexer: articles-unique-v1 to Elasticsearch, in bulk, once each.

An offset is committed only after Elasticsearch took the document or its dead letter was acknowledged. While Elasticsearch is
away or overloaded the partitions are paused and the group membership is kept: nothing is dropped, nothing is dead-lettered.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

import structlog
from elasticsearch import ApiError, TransportError
from kafka import TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from services.indexer import elastic
from services.indexer.elastic import Item, RequestTooLarge, Result
from services.indexer.transform import ALIAS, document, index_name
from shared import metrics
from shared.errors import Drop, Reason, Rejected, Transient
from shared.ids import MAX_PARTS
from shared.kafka_clients import make_consumer, make_producer, record_of, send, wait_for_broker
from shared.models import UniqueArticle, index_version
from shared.service import Service, service
from shared.settings import Settings
from shared.stage import Guard, Outcome, Outgoing, Record, decode
from shared.topics import ARTICLES_UNIQUE

STAGE: Final = "indexer"
GROUP: Final = "frontwire-indexer"
POLL_MS: Final = 200
# Longer than any rebalance takes, the session of a killed member included.
REJOIN_AFTER_SECONDS: Final = 15.0
MAX_ITEMS: Final = 1000
MAX_REQUEST_BYTES: Final = 5 * 1024 * 1024
MAX_BACKOFF_SECONDS: Final = 15.0
_UNSENT: Final = (Result.RETRY, "")

log = structlog.get_logger("frontwire.indexer")


@dataclass(frozen=True)
class Work:
    """One record and the bulk actions it became; `article` is None for a takedown's null record."""

    record: Record
    items: tuple[Item, ...]
    article: UniqueArticle | None


class Indexer:
    """Owns the consumer, the dead-letter producer and the Elasticsearch client of one process."""

    def __init__(self, running: Service) -> None:
        settings = running.settings
        self.running = running
        self.client = elastic.connect(settings)
        self.consumer = make_consumer(settings, GROUP, STAGE, max_poll_records=MAX_ITEMS)
        self.producer = make_producer(settings, f"{STAGE}-dead-letters")
        self.guard = Guard(STAGE, ARTICLES_UNIQUE)
        self.trouble: str | None = "starting"
        metrics.announce(STAGE)
        running.health.ready_when("elasticsearch", lambda: self.trouble)
        running.health.ready_when(
            "partitions", lambda: None if self.consumer.assignment() else "waiting for partitions"
        )

    def run(self) -> None:
        """Index until the process is asked to stop."""
        self._prepare_templates()
        self.consumer.subscribe([ARTICLES_UNIQUE.name])
        joined_at = time.monotonic()
        try:
            while not self.running.stopping.is_set():
                if self.consumer.assignment():
                    joined_at = time.monotonic()
                elif time.monotonic() - joined_at > REJOIN_AFTER_SECONDS:
                    joined_at = self._join_again()
                records = self._poll()
                if records:
                    self._index(records)
                self._observe_lag(records)
        finally:
            with suppress(KafkaError):
                self.producer.close(timeout=5)
            self.consumer.close(autocommit=False)
            self.client.close()

    def _poll(self) -> list[Record]:
        """Return what came, nothing while the broker is away: a poll in the middle of its restart raises."""
        try:
            polled = self.consumer.poll(timeout_ms=POLL_MS)
        except KafkaError as error:
            log.warning("kafka_unwell", reason=repr(error)[:200])
            self.running.stopping.wait(POLL_MS / 1000)
            return []
        return [record_of(message) for messages in polled.values() for message in messages]

    def _join_again(self) -> float:
        """Leave the group and join it again: a consumer was seen to stay out of it when its topic was made just before."""
        log.warning("joining_again")
        self.consumer.unsubscribe()
        self.consumer.subscribe([ARTICLES_UNIQUE.name])
        return time.monotonic()

    def _prepare_templates(self) -> None:
        """Put the index templates on the cluster before anything is indexed; waits for the cluster as long as it takes."""
        delay = 0.5
        while not self.running.stopping.is_set():
            try:
                for name in elastic.apply_templates(self.client, self.running.settings.elasticsearch_templates):
                    log.info("template_applied", template=name)
            except (ApiError, TransportError) as error:
                self.trouble = f"Elasticsearch: {str(error)[:200]}"
                log.warning("waiting_for_elasticsearch", reason=self.trouble)
                self.running.stopping.wait(delay)
                delay = min(delay * 2, MAX_BACKOFF_SECONDS)
            else:
                self.trouble = None
                return

    def _index(self, records: Sequence[Record]) -> None:
        """Index one poll's records, dead-letter what is refused, then commit. Leaves uncommitted what a stop interrupts."""
        now = datetime.now(UTC)
        homes = self._homes([record for record in records if record.value is None])
        if homes is None:
            return
        letters: list[Outgoing] = []
        works: list[Work] = []
        for record in records:
            made = self.guard.attempt(record, partial(_work, record, now, homes))
            if isinstance(made, Outcome):
                letters += self._refused(made)
            else:
                works.append(made)
        results = self._send_all([item for work in works for item in work.items])
        if results is None:
            return
        for work in works:
            errors = [results[id(item)][1] for item in work.items if results[id(item)][0] is Result.REFUSED]
            if errors:
                letters += self._refused(self.guard.refuse(work.record, Rejected(Reason.INDEX_REFUSED, errors[0])))
            else:
                self._count_done(work, [results[id(item)][0] for item in work.items])
        for delivery in [send(self.producer, letter) for letter in letters]:
            delivery.get(timeout=60)
        metrics.RECORDS_IN.labels(STAGE).inc(len(records))
        self._commit()

    def _refused(self, outcome: Outcome) -> tuple[Outgoing, ...]:
        if outcome.refused:
            metrics.DEAD_LETTERS.labels(STAGE, outcome.refused.value).inc()
        return outcome.outputs

    def _homes(self, tombstones: Sequence[Record]) -> dict[str, str] | None:
        """Return in which index each article of these null records lives, or None when the process is asked to stop first."""
        ids = [(record.key or b"").decode("utf-8", "replace") for record in tombstones]
        delay = 0.5
        while ids:
            try:
                return elastic.locate(self.client, ALIAS, ids)
            except Transient as unwell:
                self.trouble = str(unwell)
            if not self._hold(delay):
                return None
            delay = min(delay * 2, MAX_BACKOFF_SECONDS)
        return {}

    def _send_all(self, items: Sequence[Item]) -> dict[int, tuple[Result, str]] | None:
        """Return the final result of every item by identity, or None when the process is asked to stop first."""
        results: dict[int, tuple[Result, str]] = {}
        max_bytes = MAX_REQUEST_BYTES
        delay = 0.5
        waiting = list(items)
        while waiting:
            problem = None
            try:
                for chunk in elastic.chunks(waiting, MAX_ITEMS, max_bytes):
                    answers = elastic.bulk(self.client, chunk)
                    results |= {id(item): answer for item, answer in zip(chunk, answers, strict=True)}
            except RequestTooLarge:
                if max_bytes == 1:
                    results |= {id(item): (Result.REFUSED, "larger than Elasticsearch takes") for item in waiting[:1]}
                max_bytes = max(1, max_bytes // 4)
            except Transient as unwell:
                problem = str(unwell)
            waiting = [item for item in waiting if results.get(id(item), _UNSENT)[0] is Result.RETRY]
            problem = problem or next((results[id(item)][1] for item in waiting if id(item) in results), None)
            if problem:
                self.trouble = problem
                if not self._hold(delay):
                    return None
                delay = min(delay * 2, MAX_BACKOFF_SECONDS)
        self._resume()
        return results

    def _hold(self, seconds: float) -> bool:
        """Pause the partitions and keep the group membership alive for so long; False when asked to stop."""
        metrics.RETRIES.labels(STAGE).inc()
        metrics.INDEX_PAUSED.labels(STAGE).set(1)
        log.warning("paused", reason=self.trouble, seconds=seconds)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.consumer.pause(*self.consumer.assignment())
            self._put_back(self._poll())
            if self.running.stopping.is_set():
                return False
        self.trouble = None
        return True

    def _put_back(self, records: Sequence[Record]) -> None:
        """Read these records again later: a partition that came in the middle of a pause gives some before it is paused."""
        for record in reversed(records):
            self.consumer.seek(TopicPartition(record.topic, record.partition), record.offset)

    def _resume(self) -> None:
        paused = self.consumer.paused()
        if paused:
            self.consumer.resume(*paused)
            metrics.INDEX_PAUSED.labels(STAGE).set(0)
            log.info("resumed")
        self.trouble = None

    def _commit(self) -> None:
        try:
            self.consumer.commit()
        except CommitFailedError:
            log.warning("commit_lost", reason="the partitions moved to another copy; it will index the records again")
        except KafkaError as error:
            log.warning("commit_failed", reason=repr(error))

    def _count_done(self, work: Work, results: Sequence[Result]) -> None:
        if work.article is None:
            metrics.RECORDS_DROPPED.labels(STAGE, Drop.TOMBSTONE.value).inc()
        elif results[0] is Result.STALE:
            metrics.RECORDS_DROPPED.labels(STAGE, Drop.STALE_VERSION.value).inc()
        else:
            metrics.RECORDS_OUT.labels(STAGE).inc()
            delay = (datetime.now(UTC) - work.article.fetched_at).total_seconds()
            metrics.SEARCHABLE_DELAY_SECONDS.labels(STAGE).observe(max(0.0, delay))

    def _observe_lag(self, records: Sequence[Record]) -> None:
        lag = 0
        for partition in self.consumer.assignment():
            end = self.consumer.highwater(partition)
            with suppress(KafkaError):
                lag += max(0, end - self.consumer.position(partition, timeout_ms=POLL_MS)) if end is not None else 0
        metrics.LAG_RECORDS.labels(STAGE).set(lag)
        oldest_ms = min((record.timestamp_ms for record in records), default=0)
        metrics.LAG_SECONDS.labels(STAGE).set(max(0.0, time.time() - oldest_ms / 1000) if lag and oldest_ms else 0.0)


def _work(record: Record, now: datetime, homes: dict[str, str]) -> Work:
    if record.value is None:
        key = (record.key or b"").decode("utf-8", "replace")
        removal = elastic.delete_item(homes[key], key, record.timestamp_ms * 1000) if key in homes else None
        return Work(record, (removal,) if removal else (), None)
    article = decode(record, UniqueArticle)
    index, version = index_name(article), index_version(article)
    items = [elastic.index_item(index, article.article_id, version, document(article, indexed_at=now))]
    if article.revision > 1 and article.part == 1:
        items += [elastic.delete_item(index, stale, version) for stale in stale_ids(article)]
    return Work(record, tuple(items), article)


def stale_ids(article: UniqueArticle) -> list[str]:
    """Return the ids that an earlier revision with other parts may have left in the index."""
    parent = article.parent_id
    kept = article.parts_total if article.parts_total > 1 else 0
    stale = [f"{parent}#{part}" for part in range(kept + 1, MAX_PARTS + 1)]
    return stale if article.parts_total == 1 else [parent, *stale]


def run(settings: Settings) -> None:
    """Run the indexer until SIGTERM."""
    with service(STAGE, settings) as running:
        if wait_for_broker(settings, running.stopping):
            Indexer(running).run()
