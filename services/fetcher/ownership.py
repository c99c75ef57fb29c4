"""Which hosts belong to this copy: one consumer group over feed-state-v1 and pages-to-fetch-v1.

Both topics have the same number of partitions and both are keyed by host; the range assignor gives equal partition numbers of
both to one member. So the copy that visits a host's feeds also fetches its pages, and manners hold across copies.
"""

import asyncio
import threading
import time
from collections.abc import Iterable
from typing import Any, Final, Protocol

import structlog
from kafka import ConsumerRebalanceListener, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import CommitFailedError, KafkaError

from services.fetcher.outbox import STAGE
from shared.kafka_clients import REJOIN_AFTER_SECONDS, make_consumer, record_of
from shared.settings import Settings
from shared.stage import Record
from shared.topics import FEED_STATE, PAGES_TO_FETCH

GROUP: Final = "frontwire-fetcher"
POLL_MS: Final = 200
COMMIT_EVERY_SECONDS: Final = 0.5
# The revoke callback holds up heartbeats: it may wait for the event loop this long, far below the session timeout.
_DROP_WITHIN_SECONDS: Final = 2.0
_KAFKA_RETRY_SECONDS: Final = 1.0
_COMMIT_WITHIN_MS: Final = 2_000
_STOP_WITHIN_SECONDS: Final = 5.0

log = structlog.get_logger("frontwire.fetcher.ownership")


class Owner(Protocol):
    """What ownership is for. Called on the event loop."""

    def load(self, rows: Iterable[Record]) -> None:
        """Take in rows of feed-state-v1 of partitions that are not ready yet."""

    def ready(self, partition: int) -> None:
        """All rows of a partition have been read: work on its hosts."""

    async def drop(self, partitions: set[int]) -> None:
        """Stop work on these partitions and forget them."""

    def take(self, tasks: Iterable[Record]) -> None:
        """Take in records of pages-to-fetch-v1."""

    def committable(self) -> dict[int, int]:
        """Offsets of pages-to-fetch-v1 that may be committed, by partition."""

    def full(self) -> set[int]:
        """Partitions of pages-to-fetch-v1 to read no further for now."""


class Ownership:
    """The consumer's thread. `start` it from the event loop that owns `owner`; `stop` commits and leaves the group.

    `assigned` says whether this copy has a place in the group, `behind` how many page tasks were not read yet, `failed` what
    ended the thread.
    """

    def __init__(self, settings: Settings, owner: Owner, loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._stopping = threading.Event()
        self._targets: dict[int, int | None] = {}
        self._committed: dict[int, int] = {}
        self._commit_at = 0.0
        self._member_at = 0.0
        self.assigned = False
        self.behind = 0
        self.failed: BaseException | None = None
        self._settings = settings
        self._consumer: Any = None
        self._thread = threading.Thread(target=self._run, name="ownership", daemon=True)

    def start(self) -> None:
        """Join the group."""
        self._thread.start()

    async def stop(self) -> None:
        """Commit what is finished, leave the group, end the thread."""
        self._stopping.set()
        await asyncio.to_thread(self._thread.join, _STOP_WITHIN_SECONDS)

    def alive(self) -> bool:
        """Return whether the thread still runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    if self._consumer is None:
                        self._consumer = self._join()
                    self._turn()
                    self._watch_membership()
                except KafkaError as error:
                    log.warning("kafka_unwell", reason=repr(error)[:200])
                    self._stopping.wait(_KAFKA_RETRY_SECONDS)
            if self._consumer is not None:
                self._close()
        except Exception as bug:
            log.exception("ownership_failed")
            self.failed = bug

    def _join(self) -> Any:
        consumer = make_consumer(
            self._settings,
            GROUP,
            f"{STAGE}-{self._settings.worker_id}",
            partition_assignment_strategy=[RangePartitionAssignor],
            max_partition_fetch_bytes=1024 * 1024,
            fetch_max_bytes=8 * 1024 * 1024,
        )
        consumer.subscribe([FEED_STATE.name, PAGES_TO_FETCH.name], listener=_Listener(self))
        self._member_at = time.monotonic()
        return consumer

    def _watch_membership(self) -> None:
        """Join anew with a fresh consumer when this one has had no place in the group for too long."""
        now = time.monotonic()
        if self.assigned:
            self._member_at = now
        elif now - self._member_at > REJOIN_AFTER_SECONDS:
            log.warning("joining_anew", seconds=round(now - self._member_at))
            consumer, self._consumer = self._consumer, None
            consumer.close(autocommit=False, timeout_ms=_COMMIT_WITHIN_MS)

    def _turn(self) -> None:
        polled: dict[TopicPartition, list[Any]] = self._consumer.poll(timeout_ms=POLL_MS, max_records=500)
        self._find_targets()
        rows: list[Record] = []
        tasks: list[Record] = []
        for messages in polled.values():
            for message in messages:
                (rows if message.topic == FEED_STATE.name else tasks).append(record_of(message))
        self._pace(self._on_loop(self._hand_over(rows, tasks, self._finished_loading())))
        self._commit(force=False)
        self.behind = self._unread()

    def _unread(self) -> int:
        """Return the number of page tasks that were not read yet."""
        pages = [partition for partition in self._consumer.assignment() if partition.topic == PAGES_TO_FETCH.name]
        ends = {partition: self._consumer.highwater(partition) for partition in pages}
        return sum(
            max(0, end - self._consumer.position(partition)) for partition, end in ends.items() if end is not None
        )

    async def _hand_over(self, rows: list[Record], tasks: list[Record], loaded: list[int]) -> set[int]:
        """Give the owner what was read; return what to read no further. Rows count only until their partition is ready."""
        self._owner.load(row for row in rows if row.partition in self._targets)
        for partition in loaded:
            if self._targets.pop(partition, None) is not None:
                self._owner.ready(partition)
        self._owner.take(tasks)
        return self._owner.full()

    def _find_targets(self) -> None:
        """Ask where newly assigned partitions of feed-state-v1 end: read so far, a partition is known."""
        unknown = [partition for partition, end in list(self._targets.items()) if end is None]
        if unknown:
            ends = self._consumer.end_offsets([TopicPartition(FEED_STATE.name, partition) for partition in unknown])
            for partition in unknown:
                if partition in self._targets:
                    self._targets[partition] = ends[TopicPartition(FEED_STATE.name, partition)]

    def _finished_loading(self) -> list[int]:
        return [
            partition
            for partition, end in list(self._targets.items())
            if end is not None and self._consumer.position(TopicPartition(FEED_STATE.name, partition)) >= end
        ]

    def _pace(self, full: set[int]) -> None:
        """Read no further where enough waits; a loaded partition of feed-state-v1 is known, its only writer is this copy."""
        for partition in self._consumer.assignment():
            known = partition.topic == FEED_STATE.name and partition.partition not in self._targets
            wait = known or (partition.topic == PAGES_TO_FETCH.name and partition.partition in full)
            paused = partition in self._consumer.paused()
            if wait and not paused:
                self._consumer.pause(partition)
            elif paused and not wait:
                self._consumer.resume(partition)

    def _commit(self, *, force: bool) -> None:
        now = time.monotonic()
        if now < self._commit_at and not force:
            return
        self._commit_at = now + COMMIT_EVERY_SECONDS
        mine = {partition.partition for partition in self._consumer.assignment()}
        changed = {
            partition: offset
            for partition, offset in self._on_loop(self._committable()).items()
            if partition in mine and self._committed.get(partition) != offset
        }
        if not changed:
            return
        offsets = {
            TopicPartition(PAGES_TO_FETCH.name, partition): OffsetAndMetadata(offset, "", -1)
            for partition, offset in changed.items()
        }
        try:
            self._consumer.commit(offsets, timeout_ms=_COMMIT_WITHIN_MS)
            self._committed.update(changed)
        except CommitFailedError:
            log.warning("commit_lost", reason="the partitions moved to another copy; it will fetch the pages again")

    async def _committable(self) -> dict[int, int]:
        return self._owner.committable()

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30.0)

    def _close(self) -> None:
        try:
            self._commit(force=True)
            self._consumer.close(autocommit=False, timeout_ms=_COMMIT_WITHIN_MS)
        except KafkaError as error:  # what is not committed is done again
            log.warning("left_without_goodbye", reason=repr(error)[:200])
        self.assigned = False

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        """The group is being divided anew: stop work on what may go to another copy."""
        numbers = {partition.partition for partition in partitions}
        self.assigned = False
        self._targets.clear()
        for number in numbers:
            self._committed.pop(number, None)
        try:
            asyncio.run_coroutine_threadsafe(self._owner.drop(numbers), self._loop).result(_DROP_WITHIN_SECONDS)
        except TimeoutError:
            log.warning("drop_slow", partitions=sorted(numbers))

    def given(self, partitions: Iterable[TopicPartition]) -> None:
        """The group has been divided: read the state of what belongs to this copy from its beginning."""
        states = [partition for partition in partitions if partition.topic == FEED_STATE.name]
        if states:
            self._consumer.seek_to_beginning(*states)
        self._targets = {partition.partition: None for partition in states}
        self.assigned = True
        log.info("assigned", partitions=sorted(self._targets))


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        self._ownership.revoked(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._ownership.given(assigned)
