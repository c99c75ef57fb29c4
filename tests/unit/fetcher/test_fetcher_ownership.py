"""The consumer's thread over a consumer that does what it is told; the real one is tested on the real broker."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from services.fetcher import ownership
from services.fetcher.ownership import Ownership
from shared.settings import Settings
from shared.stage import Record

STATE = TopicPartition("feed-state-v1", 3)
PAGES = TopicPartition("pages-to-fetch-v1", 3)


@dataclass
class Consumer:
    """A consumer of one partition of both topics: three rows of state, two page tasks."""

    joins: bool = True
    listener: Any = None
    given: bool = False
    closed: bool = False
    commits: list[dict[TopicPartition, int]] = field(default_factory=list)
    stopped: set[TopicPartition] = field(default_factory=set)
    positions: dict[TopicPartition, int] = field(default_factory=lambda: {STATE: 0, PAGES: 0})

    def subscribe(self, _: list[str], listener: Any) -> None:
        self.listener = listener

    def poll(self, **_: int) -> dict[TopicPartition, list[Any]]:
        if not self.joins:
            return {}
        if not self.given:
            self.given = True
            self.listener.on_partitions_assigned({STATE, PAGES})
        read: dict[TopicPartition, list[Any]] = {}
        for partition, size in ((STATE, 3), (PAGES, 2)):
            if self.positions[partition] < size and partition not in self.stopped:
                read[partition] = [_record(partition, self.positions[partition])]
                self.positions[partition] += 1
        return read

    def assignment(self) -> set[TopicPartition]:
        return {STATE, PAGES} if self.given else set()

    def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        assert partitions == (STATE,)

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 3)

    def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    def highwater(self, _: TopicPartition) -> int:
        return 5

    def paused(self) -> set[TopicPartition]:
        return self.stopped

    def pause(self, partition: TopicPartition) -> None:
        self.stopped.add(partition)

    def resume(self, partition: TopicPartition) -> None:
        self.stopped.discard(partition)

    def commit(self, offsets: dict[TopicPartition, Any], **_: int) -> None:
        self.commits.append({partition: meta.offset for partition, meta in offsets.items()})

    def close(self, **_: Any) -> None:
        self.closed = True
        if self.given:
            self.listener.on_partitions_revoked({STATE, PAGES})


@dataclass
class Owner:
    """What the thread tells, in order."""

    heard: list[str] = field(default_factory=list)
    finished: dict[int, int] = field(default_factory=dict)

    def load(self, rows: Iterable[Record]) -> None:
        self.heard += [f"row {row.offset}" for row in rows]

    def ready(self, partition: int) -> None:
        self.heard.append(f"ready {partition}")

    async def drop(self, partitions: set[int]) -> None:
        self.heard.append(f"drop {sorted(partitions)}")

    def take(self, tasks: Iterable[Record]) -> None:
        for task in tasks:
            self.heard.append(f"task {task.offset}")
            self.finished[task.partition] = task.offset + 1

    def committable(self) -> dict[int, int]:
        return self.finished

    def full(self) -> set[int]:
        return {3} if len(self.finished) > 5 else set()


def _record(partition: TopicPartition, offset: int) -> Any:
    fields = dict.fromkeys(ConsumerRecord._fields)
    return ConsumerRecord(**fields | {"topic": partition.topic, "partition": partition.partition, "offset": offset})


def run(monkeypatch: pytest.MonkeyPatch, consumers: list[Consumer], until: Callable[[Owner], bool]) -> Owner:
    waiting = iter(consumers)
    monkeypatch.setattr(ownership, "make_consumer", lambda *_, **__: next(waiting))
    owner = Owner()

    async def main() -> None:
        thread = Ownership(Settings(), owner, asyncio.get_running_loop())
        thread.start()
        while not until(owner):
            await asyncio.sleep(0.001)
        await thread.stop()
        assert thread.failed is None
        assert not thread.alive()

    asyncio.run(asyncio.wait_for(main(), 10))
    return owner


def test_state_is_read_to_its_end_before_a_host_is_worked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer()
    owner = run(monkeypatch, [consumer], lambda owner: "task 1" in owner.heard and "ready 3" in owner.heard)
    heard = [word for word in owner.heard if not word.startswith("task")]
    assert heard == ["row 0", "row 1", "row 2", "ready 3", "drop [3]"]
    assert STATE in consumer.stopped
    assert consumer.closed


def test_finished_pages_are_committed_before_the_group_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    consumer = Consumer()
    run(monkeypatch, [consumer], lambda owner: "task 1" in owner.heard)
    assert consumer.commits[-1] == {PAGES: 2}
    assert all(STATE not in offsets for offsets in consumer.commits)


def test_a_consumer_that_stays_out_of_the_group_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "REJOIN_AFTER_SECONDS", 0.01)
    stuck, fresh = Consumer(joins=False), Consumer()
    owner = run(monkeypatch, [stuck, fresh], lambda owner: "ready 3" in owner.heard)
    assert stuck.closed
    assert "row 0" in owner.heard
