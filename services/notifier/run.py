"""The notifier: alerts-v1 to the channels of channels.yaml, on the wall clock. Wiring only; the rules are beside this module.

One copy works, any other stands by: grouping and limits need all alerts in one place. An alert's offset is committed after the
notification it belongs to is written to notifications-v1; from there it is sent, retried and remembered.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.errors import CommitFailedError, KafkaError

from services.notifier.agenda import Rules
from services.notifier.assignor import AllToOne
from services.notifier.book import Book
from services.notifier.channels import CHANNELS_FILE, AnyChannel, Channels, load_channels
from services.notifier.desk import Desk
from services.notifier.message import Message
from services.notifier.senders import deliver
from services.notifier.transform import Outcome as Sent
from shared import metrics, yaml_config
from shared.alerts import Alert
from shared.errors import Transient
from shared.kafka_clients import (
    REJOIN_AFTER_SECONDS,
    connected,
    make_consumer,
    make_producer,
    observe_lag,
    record_of,
    send,
)
from shared.reload import Reloading
from shared.service import Service, service
from shared.settings import Settings
from shared.stage import Guard, Outgoing, Record, decode
from shared.topics import ALERTS, NOTIFICATIONS
from shared.watchlist import WATCHLIST, WatchlistFile

STAGE: Final = "notifier"
GROUP: Final = "frontwire-notifier"
POLL_MS: Final = 200
TICK_SECONDS: Final = 0.5
SAVE_SECONDS: Final = 10.0
STOP_SECONDS: Final = 5.0
_STATE: Final = TopicPartition(NOTIFICATIONS.name, 0)
_ALERT_PARTITIONS: Final = tuple(TopicPartition(ALERTS.name, number) for number in range(ALERTS.partitions))

log = structlog.get_logger("frontwire.notifier")


class Notifier:
    """Owns the consumer and the producer of one process; the desk exists while this copy is the one that works."""

    def __init__(self, running: Service, config: Reloading[Channels], watchlist: Reloading[Rules]) -> None:
        settings = running.settings
        self.running = running
        self._config = config
        self._watchlist = watchlist
        self._consumer = make_consumer(
            settings, GROUP, f"{STAGE}-{settings.worker_id}", partition_assignment_strategy=[AllToOne]
        )
        self._producer = make_producer(settings, STAGE)
        self._guard = Guard(STAGE, ALERTS)
        self._member = False
        self._book: Book | None = None
        self._desk: Desk | None = None
        self._tick_at = 0.0
        self._to_commit = False
        self._letters: list[Outgoing] = []
        metrics.announce(STAGE)
        running.health.ready_when("partitions", lambda: None if self._desk else "waiting for partitions")

    def run(self) -> None:
        """Notify until the process is asked to stop."""
        self._join()
        joined_at = time.monotonic()
        try:
            while not self.running.stopping.is_set():
                if self._member:
                    joined_at = time.monotonic()
                elif time.monotonic() - joined_at > REJOIN_AFTER_SECONDS:
                    log.warning("joining_again")
                    self._consumer.unsubscribe()
                    self._join()
                    joined_at = time.monotonic()
                self._turn()
            self._finish()
        finally:
            with suppress(KafkaError):
                self._producer.close(timeout=5)
            self._consumer.close(autocommit=False)

    def _join(self) -> None:
        self._consumer.subscribe([ALERTS.name, NOTIFICATIONS.name], listener=_Listener(self))

    def _turn(self) -> None:
        try:
            polled = self._consumer.poll(timeout_ms=POLL_MS)
            records = [record_of(message) for messages in polled.values() for message in messages]
            self._read(records)
        except KafkaError as error:
            log.warning("kafka_unwell", reason=repr(error)[:200])
            self.running.stopping.wait(POLL_MS / 1000)
        if self._desk is not None and (self._to_commit or time.monotonic() >= self._tick_at):
            self._tick_at = time.monotonic() + TICK_SECONDS
            self._tick(self._desk)

    def _read(self, records: Sequence[Record]) -> None:
        """Read the rows to their end first, then alerts."""
        if self._desk is None:
            if self._book is not None:
                for record in records:
                    if record.topic == NOTIFICATIONS.name:
                        self._book.load(record.key, record.value)
                self._open_when_loaded(self._book)
            return
        alerts = [record for record in records if record.topic == ALERTS.name]
        for record in alerts:
            self._letters += self._take(record, self._desk)
        metrics.RECORDS_IN.labels(STAGE).inc(len(alerts))
        self._to_commit = self._to_commit or bool(alerts)
        observe_lag(STAGE, self._consumer, _ALERT_PARTITIONS, alerts)

    def _take(self, record: Record, desk: Desk) -> tuple[Outgoing, ...]:
        if record.value is None:
            return ()
        made = self._guard.attempt(record, lambda: decode(record, Alert))
        if isinstance(made, Alert):
            desk.take(made, _now())
            return ()
        if made.refused:
            metrics.DEAD_LETTERS.labels(STAGE, made.refused.value).inc()
        return made.outputs

    def _open_when_loaded(self, book: Book) -> None:
        end = self._consumer.end_offsets([_STATE])[_STATE]
        if self._consumer.position(_STATE) < end:
            return
        self._desk = Desk(book, self._config.get, self._watchlist.get, self._send_all, _launch, _now())
        # From now on this copy is the only one that writes rows.
        self._consumer.pause(_STATE)
        self._consumer.resume(*_ALERT_PARTITIONS)
        log.info("on_duty", notifications=len(book.all()))

    def _tick(self, desk: Desk) -> None:
        try:
            self._send_all(self._letters)
            self._letters.clear()
            desk.tick(_now())
        except Transient as unwell:
            metrics.RETRIES.labels(STAGE).inc()
            log.warning("rows_not_kept", reason=str(unwell))
            return
        if self._to_commit:
            self._commit()

    def _commit(self) -> None:
        try:
            self._consumer.commit()
            self._to_commit = False
        except CommitFailedError:
            log.warning("commit_lost", reason="another copy works now; it will read the alerts again")
        except KafkaError as error:
            log.warning("commit_failed", reason=repr(error))

    def _send_all(self, messages: Sequence[Outgoing]) -> None:
        """Send records and wait until all are acknowledged. Raises `Transient` when one was not."""
        try:
            for delivery in [send(self._producer, message) for message in messages]:
                delivery.get(timeout=SAVE_SECONDS)
        except KafkaError as error:
            raise Transient(f"Kafka did not acknowledge: {error!r}") from error
        metrics.RECORDS_OUT.labels(STAGE).inc(len(messages))

    def _finish(self) -> None:
        """Wait a little for messages that are being sent, and remember what became of them."""
        until = time.monotonic() + STOP_SECONDS
        while self._desk is not None and self._desk.in_flight() and time.monotonic() < until:
            time.sleep(0.05)
            self._desk.land(_now())
        if self._desk is not None:
            with suppress(Transient):
                self._desk.keep()
                self._commit()

    def given(self, partitions: Iterable[TopicPartition]) -> None:
        """The group has been divided: this copy works when the rows are its own."""
        self._member = True
        self._desk = None
        self._to_commit = False
        self._letters.clear()
        mine = _STATE in set(partitions)
        self._book = Book() if mine else None
        if mine:
            # A copy that keeps its partitions over a rebalance keeps its pauses, too.
            self._consumer.resume(_STATE)
            self._consumer.pause(*_ALERT_PARTITIONS)
            self._consumer.seek_to_beginning(_STATE)
        log.info("assigned", on_duty=mine)

    def revoked(self) -> None:
        """The group is being divided anew: whoever gets the rows sends from now on."""
        self._member = False
        self._desk = self._book = None


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._notifier.revoked()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._notifier.given(assigned)


def _launch(channel: AnyChannel, message: Message, landed: Callable[[Sent], None]) -> None:
    """Send a message in a thread of its own: a channel that hangs holds up nobody, not even the end of the process."""
    thread = threading.Thread(
        target=lambda: landed(deliver(channel, message)), name=f"send-{channel.name}", daemon=True
    )
    thread.start()


def _now() -> datetime:
    return datetime.now(UTC)


def run(settings: Settings) -> None:
    """Run the notifier until SIGTERM. Raises `ConfigError` when channels.yaml or watchlist.yaml is wrong at the start."""
    channels_path, watchlist_path = settings.config_dir / CHANNELS_FILE, settings.config_dir / WATCHLIST
    channels = Reloading(CHANNELS_FILE, lambda: load_channels(channels_path), lambda: [channels_path])
    rules = Reloading(WATCHLIST, lambda: _rules(watchlist_path), lambda: [watchlist_path])
    with service(STAGE, settings) as running:
        notifier = connected(settings, running.stopping, lambda: Notifier(running, channels, rules))
        if notifier is not None:
            notifier.run()


def _rules(path: Path) -> Rules:
    watchlist = yaml_config.load(path, WatchlistFile)
    return Rules({keyword.name: keyword.alert for keyword in watchlist.keywords}, watchlist.new_terms)
