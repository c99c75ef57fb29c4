"""Runs stages in one process without a broker: for `frontwire follow`, for trying rules, and for tests of the wiring.

It passes the same contract tests as the real runners (tests/contract/test_runners.py).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from shared.headers import Headers
from shared.stage import Outgoing, Record, Stage
from shared.topics import Topic


class MemoryBroker:
    """Topics as lists of records; running it moves every record through every stage, in order."""

    def __init__(self, stages: Sequence[Stage[Any]]) -> None:
        self.stages = stages
        self.logs: dict[str, list[Record]] = defaultdict(list)
        self._read: dict[str, int] = defaultdict(int)

    def send(self, message: Outgoing) -> None:
        """Append one message to its topic."""
        log = self.logs[message.topic.name]
        log.append(Record(message.topic.name, message.partition, len(log), message.key, message.value, message.headers))

    def put(self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        """Append a raw value, as a foreign producer would."""
        self.send(Outgoing(topic, 0, key, value, headers))

    def run(self) -> None:
        """Let every stage read its topic to the end, stage after stage."""
        for stage in self.stages:
            log = self.logs[stage.source.name]
            while self._read[stage.name] < len(log):
                for message in stage.process(log[self._read[stage.name]]).outputs:
                    self.send(message)
                self._read[stage.name] += 1
