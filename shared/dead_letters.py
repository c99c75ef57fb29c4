"""Dead letters: read them, and send them back to where they came from after a fix; never those of what was taken down."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from kafka import KafkaProducer, TopicPartition

from shared import headers, takedowns
from shared.errors import Reason
from shared.kafka_clients import make_consumer, make_producer, read_to_end, until_end
from shared.settings import Settings
from shared.stage import Record
from shared.takedowns import Takedowns
from shared.topics import PIPELINE, Topic, by_name, dead_letter_topic

REPLAY_GROUP: Final = "frontwire-dlq-replay"


@dataclass(frozen=True)
class DeadLetter:
    """A refused record with what its headers say; its own key is that of a letter, unlike any other."""

    record: Record

    @property
    def key(self) -> bytes | None:
        """The key of the refused record."""
        return headers.bytes_of(self.record.headers, headers.DLQ_KEY)

    @property
    def reason(self) -> str:
        """Why it was refused."""
        return headers.value_of(self.record.headers, headers.DLQ_REASON) or "unknown"

    @property
    def stage(self) -> str:
        """The stage that refused it."""
        return headers.value_of(self.record.headers, headers.DLQ_STAGE) or "unknown"

    @property
    def error(self) -> str:
        """What was wrong, at most 200 characters."""
        return headers.value_of(self.record.headers, headers.DLQ_ERROR) or ""

    @property
    def origin(self) -> str:
        """Topic/partition/offset of the refused record."""
        return headers.value_of(self.record.headers, headers.DLQ_ORIGIN) or ""

    @property
    def at(self) -> str:
        """When it was refused (ISO 8601, UTC)."""
        return headers.value_of(self.record.headers, headers.DLQ_AT) or ""

    @property
    def is_cut(self) -> bool:
        """Whether only the first bytes of the value were kept: such a letter cannot be replayed."""
        return headers.value_of(self.record.headers, headers.DLQ_SHA256) is not None


@dataclass(frozen=True)
class Replayed:
    """What a replay did: letters sent back, and letters left because they were cut or of another reason."""

    sent: int
    skipped: int


def source_of(name: str) -> Topic:
    """Return the source topic for its own name or its dead-letter topic's; KeyError when there is none."""
    topic = by_name(name.removesuffix("-dlq"))
    if topic not in PIPELINE:
        raise KeyError(name)
    return topic


def read_all(settings: Settings) -> Iterator[tuple[Topic, DeadLetter]]:
    """Yield every dead letter with its source topic."""
    taken = takedowns.read(settings)
    for source in PIPELINE:
        for letter in read(settings, source, taken):
            yield source, letter


def read(settings: Settings, source: Topic, taken: Takedowns | None = None) -> Iterator[DeadLetter]:
    """Return the dead letters of one topic, oldest first, as far as they go when the reading begins."""
    records = read_to_end(settings, dead_letter_topic(source), "dlq-read")
    return _standing(records, taken or takedowns.read(settings))


def _standing(records: Iterable[Record], taken: Takedowns) -> Iterator[DeadLetter]:
    """Yield letters without those of articles that were taken down: until compaction they stand beside their null records."""
    for letter in map(DeadLetter, records):
        if letter.record.value is not None and not taken.covers(letter.key):
            yield letter


def replay(settings: Settings, source: Topic, *, reason: Reason | None = None, again: bool = False) -> Replayed:
    """Send dead letters back to their topic, key, value and headers as they were.

    `again` starts from the oldest letter instead of after the last replayed one: the position is the committed offset of a
    consumer group, kept after the broker acknowledged what was sent. `reason` chooses; letters of other reasons are not passed
    over for good, so the position then stays when there are any.
    """
    consumer = make_consumer(settings, REPLAY_GROUP, "dlq-replay")
    producer = make_producer(settings, "dlq-replay")
    partition = TopicPartition(dead_letter_topic(source).name, 0)
    sent = skipped = others = 0
    try:
        consumer.assign([partition])
        if again or consumer.committed(partition) is None:
            consumer.seek_to_beginning(partition)
        for letter in _standing(until_end(consumer, [partition]), takedowns.read(settings)):
            if reason is not None and letter.reason != reason:
                others += 1
                continue
            if letter.is_cut:
                skipped += 1
                continue
            _send_back(producer, source, letter)
            sent += 1
        if not others:
            consumer.commit()
    finally:
        consumer.close(autocommit=False)
        producer.close()
    return Replayed(sent, skipped + others)


def _send_back(producer: KafkaProducer, source: Topic, letter: DeadLetter) -> None:
    origin_partition = letter.origin.split("/")[1:2]
    partition = int(origin_partition[0]) if origin_partition and origin_partition[0].isdigit() else 0
    producer.send(
        source.name,
        key=letter.key,
        value=letter.record.value,
        headers=list(headers.without_dead_letter(letter.record.headers)),
        partition=min(partition, source.partitions - 1),
    ).get(timeout=60)
