"""kafka-python clients with the house's settings: acknowledged by all, compressed, never auto-committed.

Figures behind the settings: linger 20 ms and 256 KiB batches send 16,000 messages/s where the defaults send 6,000; the default
session timeout of 45 s stalls a restart, and the default reconnect backoff of 30 s doubles the gap after a broker restart.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from shared import metrics
from shared.settings import Settings
from shared.stage import Outgoing, Record
from shared.topics import MAX_DERIVED_BYTES, Topic

T = TypeVar("T")

log = structlog.get_logger("frontwire.kafka")

SESSION_TIMEOUT_MS: Final = 6_000
HEARTBEAT_INTERVAL_MS: Final = 2_000
# Longer than any rebalance takes, a killed member's session included. kafka-python 3.0.12 was seen to stay out of its group for
# ever when the topics were made moments before it joined.
REJOIN_AFTER_SECONDS: Final = 15.0
_QUIET_SECONDS: Final = 15.0
_POSITION_MS: Final = 200
# A client that finds no broker says so after 3 s instead of 30: whoever waits for Kafka must still stop within 10 s.
_CONNECT: Final = {"reconnect_backoff_ms": 100, "reconnect_backoff_max_ms": 1_000, "bootstrap_timeout_ms": 3_000}


def connection(settings: Settings) -> dict[str, Any]:
    """Return the connection settings that all clients share."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.split(","),
        "security_protocol": settings.kafka_security_protocol,
        **_CONNECT,
    }
    if settings.kafka_ca_file:
        options["ssl_cafile"] = str(settings.kafka_ca_file)
    if settings.kafka_security_protocol.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_username
        options["sasl_plain_password"] = settings.kafka_password and settings.kafka_password.get_secret_value()
    return options


def make_producer(settings: Settings, client_id: str) -> KafkaProducer:
    """Return an idempotent producer: acks=all, lz4, batches; a failed delivery shows in the future of the send."""
    return KafkaProducer(
        **connection(settings),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=20,
        batch_size=256 * 1024,
        max_request_size=MAX_DERIVED_BYTES + 1024 * 1024,
        delivery_timeout_ms=120_000,
    )


def make_consumer(settings: Settings, group: str | None, client_id: str, **options: Any) -> KafkaConsumer:
    """Return a consumer that starts at the earliest record and commits only when told."""
    return KafkaConsumer(
        **connection(settings)
        | {
            "group_id": group,
            "client_id": client_id,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": HEARTBEAT_INTERVAL_MS,
            "max_poll_records": 500,
            "max_partition_fetch_bytes": MAX_DERIVED_BYTES + 1024 * 1024,
        }
        | options,
    )


def make_admin(settings: Settings, **options: Any) -> KafkaAdminClient:
    """Return an admin client."""
    return KafkaAdminClient(**connection(settings) | {"client_id": "frontwire-admin"} | options)


def wait_for_broker(settings: Settings, stopping: threading.Event) -> bool:
    """Wait until a broker answers; returns False when asked to stop first."""
    while not stopping.is_set():
        try:
            make_admin(settings).close()
        except KafkaError as error:
            log.warning("waiting_for_kafka", reason=repr(error)[:200])
            stopping.wait(1.0)
        else:
            return True
    return False


def connected(settings: Settings, stopping: threading.Event, make: Callable[[], T]) -> T | None:
    """Make a client as soon as a broker answers, anew when it goes away meanwhile; None when asked to stop first."""
    while wait_for_broker(settings, stopping):
        try:
            return make()
        except KafkaError as error:
            log.warning("waiting_for_kafka", reason=repr(error)[:200])
    return None


def send(producer: KafkaProducer, message: Outgoing) -> Any:
    """Hand one message to the producer and return its delivery future: await it before committing what it came from."""
    return producer.send(
        message.topic.name,
        key=message.key,
        value=message.value,
        headers=list(message.headers),
        partition=message.partition,
    )


def partitions_of(topic: Topic) -> list[TopicPartition]:
    """Return every partition of a topic, in order."""
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


def read_to_end(settings: Settings, topic: Topic, client_id: str) -> Iterator[Record]:
    """Yield what a topic holds when the reading begins, each partition in its order; stops early when nothing comes for 15 s."""
    consumer = make_consumer(settings, None, client_id)
    try:
        partitions = partitions_of(topic)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        yield from until_end(consumer, partitions)
    finally:
        consumer.close(autocommit=False)


def until_end(consumer: KafkaConsumer, partitions: Sequence[TopicPartition]) -> Iterator[Record]:
    """Yield what a consumer's partitions hold now from its position on; stops early when nothing comes for 15 s."""
    ends = consumer.end_offsets(partitions)
    until = time.monotonic() + _QUIET_SECONDS
    while any(consumer.position(each) < ends[each] for each in partitions) and time.monotonic() < until:
        for messages in consumer.poll(timeout_ms=500).values():
            until = time.monotonic() + _QUIET_SECONDS
            yield from (record_of(message) for message in messages)


def observe_lag(
    stage: str, consumer: KafkaConsumer, partitions: Iterable[TopicPartition], records: Sequence[Record]
) -> None:
    """Set a stage's lag: the records that its partitions still hold, and the age in seconds of the oldest one in hand."""
    lag = 0
    for partition in partitions:
        end = consumer.highwater(partition)
        with suppress(KafkaError):
            lag += max(0, end - consumer.position(partition, timeout_ms=_POSITION_MS)) if end is not None else 0
    metrics.LAG_RECORDS.labels(stage).set(lag)
    oldest_ms = min((record.timestamp_ms for record in records), default=0)
    metrics.LAG_SECONDS.labels(stage).set(max(0.0, time.time() - oldest_ms / 1000) if lag and oldest_ms else 0.0)


def record_of(message: Any) -> Record:
    """Return a consumed kafka-python message as a record."""
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple((name, value or b"") for name, value in message.headers or ()),
        timestamp_ms=message.timestamp or 0,
    )
