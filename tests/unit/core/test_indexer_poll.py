"""The indexer outlives a broker that goes away in the middle of a poll."""

import threading
from types import SimpleNamespace
from typing import Any

from kafka.errors import KafkaConnectionError

from services.indexer.run import Indexer
from shared.stage import Record


class Consumer:
    """A consumer whose broker is away once."""

    def __init__(self) -> None:
        self.polls = 0

    def poll(self, timeout_ms: int) -> dict[Any, list[Any]]:
        self.polls += 1
        if self.polls == 1:
            raise KafkaConnectionError("socket disconnected")
        message = SimpleNamespace(
            topic="articles-unique-v1", partition=0, offset=7, key=b"k", value=b"v", headers=[], timestamp=1
        )
        return {"partition": [message]}


def test_a_poll_that_raises_is_a_poll_without_records() -> None:
    indexer: Any = object.__new__(Indexer)
    indexer.consumer = Consumer()
    indexer.running = SimpleNamespace(stopping=threading.Event())
    assert indexer._poll() == []
    assert [record.offset for record in indexer._poll()] == [7]


def test_records_that_come_in_the_middle_of_a_pause_are_read_again() -> None:
    sought: list[tuple[str, int, int]] = []
    indexer: Any = object.__new__(Indexer)
    indexer.consumer = SimpleNamespace(seek=lambda place, offset: sought.append((place.topic, place.partition, offset)))
    records = [Record("t", partition, offset, b"k", b"v") for partition, offset in ((0, 5), (0, 6), (1, 9))]
    indexer._put_back(records)
    assert dict.fromkeys(sought) == dict.fromkeys([("t", 1, 9), ("t", 0, 6), ("t", 0, 5)])
    assert [place for place in sought if place[1] == 0][-1] == ("t", 0, 5)
