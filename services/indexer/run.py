"""The indexer: finished articles, alerts, feed states and dead letters to Elasticsearch, in bulk, once each.

An offset is committed only after Elasticsearch took the document or its dead letter was acknowledged. Three requests are on their
way at a time; offsets are committed in order. While Elasticsearch is away or overloaded the partitions are paused and the group
membership is kept: nothing is dropped, nothing is dead-lettered.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import structlog
from elasticsearch import ApiError, TransportError
from kafka import TopicPartition
from kafka.errors import CommitFailedError, KafkaError
from kafka.structs import OffsetAndMetadata

from services.indexer import elastic, templates
from services.indexer.elastic import Delivery, Result
from services.indexer.routes import LETTER_TOPICS, Context, Work, routes, text_key
from services.indexer.transform import ALIAS
from shared import metrics
from shared.errors import Drop, Reason, Rejected, Transient
from shared.kafka_clients import (
    REJOIN_AFTER_SECONDS,
    connected,
    make_consumer,
    make_producer,
    observe_lag,
    record_of,
    send,
)
from shared.kibana_links import Kibana
from shared.service import Service, service
from shared.settings import Settings
from shared.stage import Guard, Outcome, Outgoing, Record
from shared.takedowns import Follower, nudges
from shared.topics import ARTICLES_UNIQUE

STAGE: Final = "indexer"
GROUP: Final = "frontwire-indexer"
POLL_MS: Final = 200
# About one request of 5 MB: a batch of several would send them one after another.
MAX_POLL_RECORDS: Final = 250
# As they come, compressed to a quarter: twice as much made the process 255 MB, this 141, at the same speed.
MAX_FETCH_BYTES: Final = 4 * 1024 * 1024
# Elasticsearch works at two and has the third in its queue, whatever the indexer does meanwhile.
MAX_IN_FLIGHT: Final = 3
FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 15.0
# A stop waits so long for the requests that are out; a service has 10 s in all.
LAST_ANSWER_SECONDS: Final = 5.0
CLEAN_UP_EVERY: Final = timedelta(hours=1)

T = TypeVar("T")

log = structlog.get_logger("frontwire.indexer")


@dataclass(frozen=True)
class Batch:
    """One poll's records on their way: what they became, the dead letters so far, and the request that is out."""

    records: tuple[Record, ...]
    works: tuple[Work, ...]
    letters: tuple[Outgoing, ...]
    delivery: Delivery
    first: Future[Delivery]

    @property
    def next_offsets(self) -> dict[TopicPartition, OffsetAndMetadata]:
        """Where each partition goes on after this batch."""
        return {
            TopicPartition(record.topic, record.partition): OffsetAndMetadata(record.offset + 1, "", -1)
            for record in sorted(self.records, key=lambda record: record.offset)
        }


class Indexer:
    """Owns the consumer, the dead-letter producer and the Elasticsearch client of one process."""

    def __init__(self, running: Service) -> None:
        settings = running.settings
        self.running = running
        self.client = elastic.connect(settings)
        self.consumer = make_consumer(
            settings, GROUP, STAGE, max_poll_records=MAX_POLL_RECORDS, fetch_max_bytes=MAX_FETCH_BYTES
        )
        self.producer = make_producer(settings, f"{STAGE}-dead-letters")
        self.templates = templates.load(settings.elasticsearch_templates)
        self.kibana = Kibana(settings.kibana_url, settings.kibana_space)
        self.routes = routes()
        self.guards = {name: Guard(STAGE, topic) for name, (topic, _) in self.routes.items()}
        self.in_flight: deque[Batch] = deque()
        self.clean_up_at = datetime.now(UTC)
        self.trouble: str | None = "starting"
        self.takedowns = Follower(running)
        metrics.announce(STAGE)
        running.health.ready_when("elasticsearch", lambda: self.trouble)
        running.health.ready_when(
            "partitions", lambda: None if self.consumer.assignment() else "waiting for partitions"
        )

    def run(self) -> None:
        """Index until the process is asked to stop."""
        try:
            if self.takedowns.wait() and self._patiently(self._prepare, hold=self._wait) is not None:
                self.consumer.subscribe(sorted(self.routes))
                self._serve()
        finally:
            with suppress(KafkaError):
                self.producer.close(timeout=5)
            self.consumer.close(autocommit=False)
            self.client.close()

    def _serve(self) -> None:
        joined_at = time.monotonic()
        while not self.running.stopping.is_set():
            if self.consumer.assignment():
                joined_at = time.monotonic()
            elif time.monotonic() - joined_at > REJOIN_AFTER_SECONDS:
                joined_at = self._join_again()
            records = self._poll()
            if records:
                self._begin(records)
            while self.in_flight and (not records or len(self.in_flight) >= MAX_IN_FLIGHT):
                if not self._finish(self.in_flight.popleft()):
                    return
            observe_lag(STAGE, self.consumer, self.consumer.assignment(), records)
            self._clean_up()
        while self.in_flight and self._finish(self.in_flight.popleft()):
            pass

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
        self.consumer.subscribe(sorted(self.routes))
        return time.monotonic()

    def _prepare(self) -> bool:
        """Bring the templates to the cluster; True when its indices hold every field of the documents.

        Raises `Transient` until they do, naming what is missing.
        """
        try:
            found = templates.changes(self.client, self.templates)
            templates.apply(self.client, found)
        except (ApiError, TransportError) as error:
            raise Transient(f"Elasticsearch: {str(error)[:200]}") from error
        for change in found:
            log.info("template_applied", kind=change.kind, template=change.name)
        if problems := templates.lacking(self.client, self.templates):
            raise Transient(f"{'; '.join(problems)}: run `frontwire index rebuild`")
        return True

    def _patiently(
        self,
        attempt: Callable[[], T],
        hold: Callable[[float], bool] | None = None,
        first: Future[T] | None = None,
    ) -> T | None:
        """Return what `attempt` returns, tried with growing pauses while it raises `Transient`; None when asked to stop first.

        `first` is an attempt that is under way already; `hold` waits for so many seconds, by default with paused partitions.
        """
        hold = hold or self._hold
        delay = FIRST_BACKOFF_SECONDS
        while True:
            try:
                if first and not self._is_answered(first):
                    return None
                answer = first.result() if first else attempt()
            except Transient as unwell:
                self.trouble = str(unwell)
                log.warning("paused", reason=self.trouble, seconds=delay)
            else:
                self._resume()
                return answer
            if not hold(delay):
                return None
            delay = min(delay * 2, MAX_BACKOFF_SECONDS)
            first = None

    def _begin(self, records: Sequence[Record]) -> None:
        """Make the bulk actions of one poll's records and send them off."""
        gone = [text_key(record) for record in records if record.value is None and record.topic == ARTICLES_UNIQUE.name]
        # What is still on its way into the index would not be found there.
        while gone and self.in_flight:
            if not self._finish(self.in_flight.popleft()):
                return
        homes = self._patiently(lambda: elastic.locate(self.client, ALIAS, gone)) if gone else {}
        if homes is None:
            return
        context = Context(datetime.now(UTC), homes, self.kibana, self.takedowns.holds)
        letters: list[Outgoing] = []
        works: list[Work] = []
        for record in records:
            made = self.guards[record.topic].attempt(record, partial(self.routes[record.topic][1], record, context))
            if isinstance(made, Outcome):
                letters += self._refused(made)
            else:
                works.append(made)
        delivery = Delivery(self.client, [item for work in works for item in work.items])
        batch = Batch(tuple(records), tuple(works), tuple(letters), delivery, _in_background(delivery.send))
        self.in_flight.append(batch)

    def _finish(self, batch: Batch) -> bool:
        """Wait until everything of a batch is taken or dead-lettered, then commit; False when asked to stop first."""
        if self._patiently(batch.delivery.send, first=batch.first) is None:
            return False
        letters = list(batch.letters)
        for work in batch.works:
            answers = [batch.delivery.result(item) for item in work.items]
            errors = [text for result, text in answers if result is Result.REFUSED]
            if errors:
                letters += self._not_indexed(work.record, errors[0])
            elif work.record.topic == ARTICLES_UNIQUE.name:
                _count_done(work, [result for result, _ in answers])
        for delivery in [send(self.producer, letter) for letter in letters]:
            delivery.get(timeout=60)
        metrics.RECORDS_IN.labels(STAGE).inc(sum(record.topic == ARTICLES_UNIQUE.name for record in batch.records))
        self._commit(batch.next_offsets)
        return True

    def _not_indexed(self, record: Record, error: str) -> tuple[Outgoing, ...]:
        """Return the dead letter of a record that the index refuses; a dead letter itself stays where it is."""
        if self.routes[record.topic][0] in LETTER_TOPICS:
            log.error("dead_letter_not_indexed", origin=record.origin, reason=error)
            return ()
        return self._refused(self.guards[record.topic].refuse(record, Rejected(Reason.INDEX_REFUSED, error)))

    def _refused(self, outcome: Outcome) -> tuple[Outgoing, ...]:
        if outcome.refused:
            metrics.DEAD_LETTERS.labels(STAGE, outcome.refused.value).inc()
        return outcome.outputs

    def _is_answered(self, request: Future[T]) -> bool:
        """Wait for a request; False when it is still out some seconds after the process was asked to stop."""
        while not self.running.stopping.is_set():
            if wait([request], POLL_MS / 1000).done:
                return True
        return bool(wait([request], LAST_ANSWER_SECONDS).done)

    def _wait(self, seconds: float) -> bool:
        """Wait so long; False when asked to stop."""
        metrics.RETRIES.labels(STAGE).inc()
        return not self.running.stopping.wait(seconds)

    def _hold(self, seconds: float) -> bool:
        """Pause the partitions and keep the group membership alive for so long; False when asked to stop."""
        metrics.RETRIES.labels(STAGE).inc()
        metrics.INDEX_PAUSED.labels(STAGE).set(1)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.consumer.pause(*self.consumer.assignment())
            self._put_back(self._poll())
            if self.running.stopping.is_set():
                return False
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

    def _commit(self, offsets: dict[TopicPartition, OffsetAndMetadata]) -> None:
        try:
            self.consumer.commit(offsets)
        except CommitFailedError:
            log.warning("commit_lost", reason="the partitions moved to another copy; it will index the records again")
        except KafkaError as error:
            log.warning("commit_failed", reason=repr(error))

    def _clean_up(self) -> None:
        """Remove what is older than it is kept, once an hour, and have Kafka clean away what was taken down."""
        now = datetime.now(UTC)
        if now < self.clean_up_at:
            return
        self.clean_up_at = now + CLEAN_UP_EVERY
        for nudge in nudges() if self.takedowns else ():
            send(self.producer, nudge)
        try:
            for index in templates.remove_old(self.client, self.templates, now):
                log.info("index_removed", index=index)
        except (ApiError, TransportError) as error:
            log.warning("old_indices_not_removed", reason=str(error)[:200])


def _count_done(work: Work, results: Sequence[Result]) -> None:
    if work.fetched_at is None:
        metrics.RECORDS_DROPPED.labels(STAGE, work.dropped.value).inc()
    elif results[0] is Result.STALE:
        metrics.RECORDS_DROPPED.labels(STAGE, Drop.STALE_VERSION.value).inc()
    else:
        metrics.RECORDS_OUT.labels(STAGE).inc()
        metrics.SEARCHABLE_DELAY_SECONDS.labels(STAGE).observe(max(0.0, time.time() - work.fetched_at.timestamp()))


def _in_background(call: Callable[[], T]) -> Future[T]:
    """Start a call in a thread that does not keep the process alive; return its future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="bulk", daemon=True).start()
    return future


def run(settings: Settings) -> None:
    """Run the indexer until SIGTERM."""
    with service(STAGE, settings) as running:
        indexer = connected(settings, running.stopping, lambda: Indexer(running))
        if indexer is not None:
            indexer.run()
