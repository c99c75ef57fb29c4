"""What feed-state-v1 says, read from beside the running fetcher: for `frontwire ingest` and `frontwire feeds list`."""

from collections.abc import Sequence
from typing import Final

from kafka import TopicPartition

from services.fetcher.outbox import STAGE
from services.fetcher.state import StateBook
from shared.kafka_clients import make_consumer, record_of
from shared.settings import Settings
from shared.topics import FEED_STATE

_POLL_MS: Final = 500


def read_states(settings: Settings, numbers: Sequence[int]) -> StateBook:
    """Return the state of some partitions of feed-state-v1 as it stands now. Raises a KafkaError when Kafka is away."""
    book = StateBook()
    partitions = [TopicPartition(FEED_STATE.name, number) for number in numbers]
    consumer = make_consumer(settings, None, f"{STAGE}-reader")
    try:
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        while any(consumer.position(partition) < end for partition, end in ends.items()):
            for partition, messages in consumer.poll(timeout_ms=_POLL_MS).items():
                for row in map(record_of, messages):
                    book.apply(partition.partition, row.key, row.value)
    finally:
        consumer.close()
    for number in numbers:
        book.set_ready(number)
    return book
