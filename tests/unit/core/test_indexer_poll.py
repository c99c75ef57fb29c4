"""The indexer and a broker that goes away: in the middle of a poll, of a pause, of a dead letter."""

import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import KafkaConnectionError, KafkaTimeoutError

from services.indexer.elastic import Delivery
from services.indexer.run import Batch, Indexer
from shared.errors import Reason, Rejected
from shared.stage import Record, refuse
from shared.topics import ARTICLES_UNIQUE


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


def test_dead_letters_that_cannot_be_written_end_it_without_a_commit() -> None:
    def unacknowledged(timeout: int) -> None:
        raise KafkaTimeoutError(f"nothing in {timeout} s")

    committed: list[Any] = []
    indexer: Any = object.__new__(Indexer)
    indexer.consumer = SimpleNamespace(commit=committed.append, paused=set)
    indexer.producer = SimpleNamespace(send=lambda *_, **__: SimpleNamespace(get=unacknowledged))
    indexer.running = SimpleNamespace(stopping=threading.Event())
    record = Record(ARTICLES_UNIQUE.name, 0, 7, b"k", b"{")
    letters = refuse(record, ARTICLES_UNIQUE, "indexer", Rejected(Reason.BROKEN_JSON, "x"), datetime.now(UTC)).outputs
    client: Any = None
    delivery, answered = Delivery(client, []), Future[Delivery]()
    answered.set_result(delivery)
    with pytest.raises(KafkaTimeoutError):
        indexer._finish(Batch((record,), (), letters, delivery, answered))
    assert committed == []
