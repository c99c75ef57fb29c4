"""What leaves the fetcher: raw articles, refusals, and the one way to send them that waits for the acknowledgement."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import structlog
from kafka.errors import KafkaError, KafkaTimeoutError

from shared import headers as record_headers
from shared import metrics
from shared.errors import Reason, Rejected, Transient
from shared.kafka_clients import send
from shared.models import RawArticle
from shared.stage import Outcome, Outgoing, Record, article_message, message_size, refuse
from shared.topics import ARTICLES_RAW

STAGE: Final = "fetcher"
_SENDERS: Final = 8
_LOOK_EVERY_SECONDS: Final = 0.5

log = structlog.get_logger("frontwire.fetcher.outbox")


@dataclass(frozen=True)
class Refusal:
    """A file, or a line of one, that holds no article. `head` is its beginning, `size` and `sha256` speak of all of it."""

    origin: str
    line: int
    reason: Reason
    detail: str
    head: bytes
    size: int
    sha256: str


class Outbox:
    """Sends batches through one producer; a batch is done when every message of it is acknowledged."""

    def __init__(self, producer: Any) -> None:
        self._producer = producer
        self._closing = threading.Event()
        self._senders = ThreadPoolExecutor(_SENDERS, thread_name_prefix="outbox")

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages in order and wait until all are acknowledged. Raises `Transient` when one was not."""
        try:
            deliveries = [send(self._producer, message) for message in messages]
            for delivery in deliveries:
                self._wait(delivery)
        except KafkaError as error:
            raise Transient(f"Kafka did not acknowledge: {error!r}") from error

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Do as `send` without holding up the event loop."""
        if messages:
            await asyncio.get_running_loop().run_in_executor(self._senders, self.send, messages)

    def close(self, seconds: float) -> None:
        """Let what is under way finish for so many seconds, then give up on it: nothing claims that it was sent."""
        try:
            self._producer.close(timeout=seconds)
        except KafkaError as error:
            log.warning("messages_left", reason=repr(error)[:200])
        self._closing.set()
        self._senders.shutdown(wait=True, cancel_futures=True)

    def _wait(self, delivery: Any) -> None:
        """Wait for one acknowledgement; the producer itself gives up after its delivery timeout."""
        while True:
            try:
                delivery.get(timeout=_LOOK_EVERY_SECONDS)
            except KafkaTimeoutError:
                if delivery.is_done or self._closing.is_set():
                    raise
            else:
                return


def article_outcome(article: RawArticle, origin: str, now: datetime) -> Outcome:
    """Return the message that carries a raw article, or its dead letter when the topic does not take its size."""
    message = article_message(ARTICLES_RAW, article)
    size = message_size(message)
    if size <= ARTICLES_RAW.max_message_bytes:
        return Outcome(outputs=(message,))
    record = Record(origin, 0, 0, message.key, message.value, message.headers)
    detail = f"{size} bytes, {ARTICLES_RAW.name} takes {ARTICLES_RAW.max_message_bytes}"
    return refuse(record, ARTICLES_RAW, STAGE, Rejected(Reason.TOO_LARGE, detail), now)


def refusal_outcome(refusal: Refusal, now: datetime) -> Outcome:
    """Return the dead letter of a file or line; its headers carry size and hash of the whole when only a part is kept."""
    record = Record(refusal.origin, 0, refusal.line, None, refusal.head)
    outcome = refuse(record, ARTICLES_RAW, STAGE, Rejected(refusal.reason, refusal.detail), now)
    if refusal.size == len(refusal.head):
        return outcome
    measured = (
        (record_headers.DLQ_SIZE, str(refusal.size).encode()),
        (record_headers.DLQ_SHA256, refusal.sha256.encode()),
    )
    letters = tuple(replace(letter, headers=letter.headers + measured) for letter in outcome.outputs)
    return replace(outcome, outputs=letters)


def count(outcomes: Sequence[Outcome], feed: str) -> None:
    """Count acknowledged outcomes: articles by feed, refusals by reason."""
    for outcome in outcomes:
        if outcome.refused:
            metrics.DEAD_LETTERS.labels(STAGE, outcome.refused.value).inc()
    published = sum(1 for outcome in outcomes if not outcome.refused)
    metrics.RECORDS_OUT.labels(STAGE).inc(published)
    metrics.FEED_ARTICLES.labels(feed).inc(published)
