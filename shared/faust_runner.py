"""Runs stages on faust-streaming, at least once: an offset is acknowledged only after everything made from it is.

The shape was measured (docs/decisions/0003): concurrency 1; every record is guarded (`Stage.process` never raises for a bad
one); sends go out in order and their delivery futures are awaited every `BATCH` records or `FLUSH_SECONDS`, then the records are
acknowledged. Three `kill -9` under load: nothing lost, nothing inverted, 5 % repeated.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import faust
import structlog
from aiokafka.errors import KafkaConnectionError
from aiokafka.helpers import create_ssl_context
from faust import SASLCredentials, SSLCredentials
from faust.exceptions import ConsumerNotStarted

from shared import metrics
from shared.errors import Drop, Transient
from shared.kafka_clients import HEARTBEAT_INTERVAL_MS, SESSION_TIMEOUT_MS, wait_for_broker
from shared.service import Service
from shared.settings import Settings
from shared.stage import Outcome, Processor, Record
from shared.takedowns import Follower, Takedowns
from shared.topics import MAX_DERIVED_BYTES, MEBIBYTE

BATCH: Final = 200
FLUSH_SECONDS: Final = 0.05
MAX_RETRY_SECONDS: Final = 30.0
STOP_SECONDS: Final = 8.0
# Longer than a rebalance with a killed member takes. A join while the broker restarts was seen to end without partitions for ever
# (the assignor ignored a topic that the broker did not show yet); a copy too many waits twice as long after each try.
UNASSIGNED_SECONDS: Final = 30.0
MAX_UNASSIGNED_SECONDS: Final = 1920.0
# A start takes a second or two, tens on a machine that is short of processors.
START_SECONDS: Final = 60.0

log = structlog.get_logger("frontwire.faust")

Rows = MutableMapping[str, str]


@dataclass(frozen=True)
class Stateless:
    """A stage without state."""

    stage: Processor


@dataclass(frozen=True)
class Stateful:
    """A stage with a changelogged table on rocksdict, of as many partitions as its source topic.

    `build` gets the table's rows and returns the stage, and what to call whenever the rows are complete: after a start, or when
    this copy takes over from another. A stage that must see every record in its order is not `screened`: it learns of takedowns
    from the null records alone.
    """

    name: str
    table: str
    partitions: int
    build: Callable[[Rows], tuple[Processor, Callable[[], None]]]
    screened: bool = True


@dataclass
class _Pending:
    events: list[Any] = field(default_factory=list)
    deliveries: list[Awaitable[Any]] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)


def make_app(name: str, settings: Settings) -> faust.App:
    """Return a Faust app with the house's settings; its id is the consumer group `frontwire-<name>`."""
    datadir = (settings.data_dir / "tables" / f"{name}-{settings.worker_id}").absolute()
    datadir.mkdir(parents=True, exist_ok=True)
    return faust.App(
        f"frontwire-{name}",
        broker=[f"kafka://{address}" for address in settings.kafka_bootstrap.split(",")],
        broker_credentials=_credentials(settings),
        datadir=str(datadir),
        store="rocksdb://?driver=rocksdict",
        processing_guarantee="at_least_once",
        broker_session_timeout=SESSION_TIMEOUT_MS / 1000,
        broker_heartbeat_interval=HEARTBEAT_INTERVAL_MS / 1000,
        broker_request_timeout=30.0,
        broker_commit_interval=0.4,
        broker_commit_every=BATCH,
        broker_max_poll_records=500,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=MAX_DERIVED_BYTES + MEBIBYTE,
        producer_acks=-1,
        # aiokafka has lz4 at its slowest level only: zstd takes a third of the time, and less space.
        producer_compression_type="zstd",
        producer_linger=0.02,
        producer_max_batch_size=256 * 1024,
        producer_max_request_size=MAX_DERIVED_BYTES + MEBIBYTE,
        stream_wait_empty=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        table_standby_replicas=1,
        web_enabled=False,
        autodiscover=False,
        worker_redirect_stdouts=False,
    )


def _credentials(settings: Settings) -> SASLCredentials | SSLCredentials | None:
    if settings.kafka_security_protocol == "PLAINTEXT":
        return None
    context = None
    if settings.kafka_security_protocol.endswith("SSL"):
        context = create_ssl_context(cafile=str(settings.kafka_ca_file) if settings.kafka_ca_file else None)
    if settings.kafka_security_protocol == "SSL":
        return SSLCredentials(context)
    password = settings.kafka_password.get_secret_value() if settings.kafka_password else None
    return SASLCredentials(
        username=settings.kafka_username,
        password=password,
        ssl_context=context,
        mechanism=settings.kafka_sasl_mechanism,
    )


class UnassignedError(Exception):
    """A stage got no partitions, neither to work on nor to stand by for: it should join its group again."""


class StageRunner:
    """Drives one stage on one Faust app."""

    def __init__(
        self, worker: Stateless | Stateful, service: Service, takedowns: Takedowns, stop: Callable[[], None]
    ) -> None:
        self.name = worker.stage.name if isinstance(worker, Stateless) else worker.name
        self.app = make_app(self.name, service.settings)
        self.failed: BaseException | None = None
        self._stop = stop
        self._screen = takedowns if isinstance(worker, Stateless) or worker.screened else None
        self._pending = _Pending()
        self._flushing = asyncio.Lock()
        self._seconds = metrics.PROCESSING_SECONDS.labels(self.name)
        self._working_since_ms = 0
        self._draining = False
        self.stage = worker.stage if isinstance(worker, Stateless) else self._with_table(worker)
        # Raw: whatever Faust decoded itself could be lost before it is guarded.
        topic = self.app.topic(
            self.stage.source.name,
            partitions=self.stage.source.partitions,
            key_serializer="raw",
            value_serializer="raw",
        )
        self.app.agent(topic, name=self.name, concurrency=1)(self._work)
        self._register_health(service)

    def _with_table(self, worker: Stateful) -> Processor:
        rows = self.app.Table(
            worker.table, partitions=worker.partitions, key_type=str, value_type=str, options=_ROCKSDB_OPTIONS
        )
        stage, on_complete = worker.build(rows)

        async def complete(*_: Any) -> None:
            on_complete()

        rows.on_recover(complete)
        return stage

    async def run(self, stopping: asyncio.Event, patience: float) -> None:
        """Start the app, work until `stopping` is set or the stage fails, then flush and commit; the caller stops the app.

        `patience` is how many seconds the stage may be without partitions; then it fails with `UnassignedError`.
        """
        if not await self._started(stopping):
            return
        timers = [
            asyncio.create_task(self._flush_on_timer(stopping)),
            asyncio.create_task(self._watch_assignment(stopping, patience)),
        ]
        await stopping.wait()
        for timer in timers:
            timer.cancel()
        self._draining = True
        if self.failed is None:
            await self._flush()
            await self.app.consumer.commit()

    async def _started(self, stopping: asyncio.Event) -> bool:
        """Start the app; False when asked to stop first.

        A client that asked a broker in the middle of its restart knows no broker any more and waits for ever (aiokafka 0.14:
        "Unable to update metadata from []"); on a busy machine Faust asks for its consumer's partitions before a thread has
        made the consumer (faust-streaming 0.15, tables/manager.py: one second is all it waits). Nothing has been read by then,
        so the process begins anew, threads and all.
        """
        starting = asyncio.create_task(self.app.start())
        asked = asyncio.create_task(stopping.wait())
        await asyncio.wait({starting, asked}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        is_early = starting.done() and isinstance(starting.exception(), ConsumerNotStarted)
        if is_early or not (starting.done() or stopping.is_set()):
            reason = str(starting.exception()) if is_early else f"not started for {START_SECONDS:.0f} s"
            log.warning("starting_again", reason=f"{self.name}: {reason}")
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606  (our own command line, as it was given)
        elif starting.done():
            await starting
        else:
            starting.cancel()
        return starting.done() and not is_early

    async def _work(self, stream: Any) -> None:
        async for event in stream.noack().events():
            if self._draining:
                return
            record = record_of(event.message)
            outcome = await self._process(record)
            for message in outcome.outputs:
                delivery = await self.app.producer.send(
                    message.topic.name, message.key, message.value, message.partition, None, list(message.headers)
                )
                self._pending.deliveries.append(delivery)
            self._pending.events.append(event)
            self._pending.outcomes.append(outcome)
            self._working_since_ms = record.timestamp_ms
            if len(self._pending.events) >= BATCH:
                await self._flush()

    async def _process(self, record: Record) -> Outcome:
        delay = 0.5
        while True:
            started = time.perf_counter()
            try:
                outcome = self._outcome(record)
            except Transient as unwell:
                metrics.RETRIES.labels(self.name).inc()
                log.warning("retrying", stage=self.name, origin=record.origin, reason=str(unwell), delay=delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, MAX_RETRY_SECONDS)
                continue
            except Exception as fault:
                self._fail(fault)
                raise
            self._seconds.observe(time.perf_counter() - started)
            return outcome

    def _outcome(self, record: Record) -> Outcome:
        """Return what the stage makes of a record; one of an article that was taken down ends here, its null record passes."""
        if self._screen and record.value is not None and self._screen.covers(record.key):
            return Outcome(dropped=Drop.TAKEN_DOWN)
        return self.stage.process(record)

    async def _flush_on_timer(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await asyncio.sleep(FLUSH_SECONDS)
            await self._flush()

    async def _watch_assignment(self, stopping: asyncio.Event, patience: float) -> None:
        assigned_at = time.monotonic()
        while not stopping.is_set():
            await asyncio.sleep(1.0)
            if self._assigned():
                assigned_at = time.monotonic()
            elif time.monotonic() - assigned_at > patience:
                self._fail(UnassignedError(f"{self.name}: no partitions for {patience:.0f} s"))

    async def _flush(self) -> None:
        """Await every delivery made so far, then acknowledge the records they came from."""
        async with self._flushing:
            if not self._pending.events:
                return
            batch, self._pending = self._pending, _Pending()
            try:
                await asyncio.gather(*batch.deliveries)
            except Exception as undelivered:
                self._fail(undelivered)
                raise
            for event in batch.events:
                event.ack()
            count(self.name, batch.outcomes)

    def _fail(self, fault: BaseException) -> None:
        """Stop the process without acknowledging: the records come again after a restart."""
        log.error("stage_failed", stage=self.name, fault=repr(fault))
        self.failed = fault
        self._stop()

    def _register_health(self, service: Service) -> None:
        metrics.announce(self.name)
        service.health.live_when(self.name, lambda: repr(self.failed) if self.failed else None)
        service.health.ready_when(
            f"{self.name}-partitions", lambda: None if self._assigned() else "waiting for partitions"
        )
        metrics.LAG_RECORDS.labels(self.name).set_function(lambda: float(self._lag()))
        metrics.LAG_SECONDS.labels(self.name).set_function(self._lag_seconds)

    def _assigned(self) -> bool:
        return bool(self.app.started and not self.app.rebalancing and self.app.consumer.assignment())

    def _lag(self) -> int:
        """Return how many records of this copy's partitions are not yet committed."""
        if not self._assigned():
            return 0
        # Faust keeps what the broker said at the assignment only here; its monitor knows only this process's own commits.
        consumer: Any = self.app.consumer
        committed, assigned = consumer._committed_offset, consumer.assignment()
        return sum(
            max(0, end - (committed[partition] or 0))
            for partition, end in self.app.monitor.tp_end_offsets.items()
            if partition.topic == self.stage.source.name and partition in assigned
        )

    def _lag_seconds(self) -> float:
        return max(0.0, time.time() - self._working_since_ms / 1000) if self._working_since_ms and self._lag() else 0.0


_ROCKSDB_OPTIONS: Final[dict[str, Any]] = {"write_buffer_size": 8 * MEBIBYTE, "max_write_buffer_number": 2}


def record_of(message: Any) -> Record:
    """Return a Faust message as a record."""
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple((name, value or b"") for name, value in pairs),
        timestamp_ms=int((message.timestamp or 0) * 1000),
    )


def count(stage: str, outcomes: Sequence[Outcome]) -> None:
    """Add acknowledged records to the stage's metrics."""
    metrics.RECORDS_IN.labels(stage).inc(len(outcomes))
    passed = 0
    for outcome in outcomes:
        if outcome.refused is not None:
            metrics.DEAD_LETTERS.labels(stage, outcome.refused.value).inc()
        elif outcome.dropped is not None:
            metrics.RECORDS_DROPPED.labels(stage, outcome.dropped.value).inc()
        else:
            passed += len(outcome.outputs)
    metrics.RECORDS_OUT.labels(stage).inc(passed)


def run(service: Service, *workers: Stateless | Stateful, takedowns: Follower | None = None) -> None:
    """Run stages in this process until SIGTERM or SIGINT; raises what made a stage fail.

    Each stage is a Faust app of its own: its consumer group scales by itself. None begins before it is known what was taken down.
    """
    patience = UNASSIGNED_SECONDS
    takedowns = takedowns or Follower(service)
    while wait_for_broker(service.settings, service.stopping) and takedowns.wait():
        try:
            asyncio.run(_run(service, takedowns, workers, patience))
        except KafkaConnectionError as error:
            # The broker went away again while the apps were being started.
            log.warning("starting_again", reason=str(error))
        except UnassignedError as error:
            log.warning("starting_again", reason=str(error))
            patience = min(patience * 2, MAX_UNASSIGNED_SECONDS)
        else:
            return


async def _run(
    service: Service, takedowns: Takedowns, workers: Sequence[Stateless | Stateful], patience: float
) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    if service.stopping.is_set():
        return
    runners = [StageRunner(worker, service, takedowns, stopping.set) for worker in workers]
    try:
        await asyncio.gather(*(runner.run(stopping, patience) for runner in runners))
    finally:
        for runner in runners:
            with suppress(TimeoutError):
                await asyncio.wait_for(runner.app.stop(), STOP_SECONDS)
    for runner in runners:
        if runner.failed is not None:
            raise runner.failed
