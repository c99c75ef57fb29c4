"""The runner on Faust and real Kafka keeps the same promises as the one in memory."""

import pytest

from shared.headers import Headers
from shared.ids import partition_of
from shared.stage import Record
from shared.supervisor import Job
from shared.topics import Topic
from tests.contract.runner_suite import CHECKS, SOURCE, STAGE
from tests.support.wire import Wire, wait_until

pytestmark = pytest.mark.engines


class FaustHarness:
    """The suite's stage in a process of its own, on real Kafka."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.sent = 0

    def put(self, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        partition = partition_of((key or b"").decode("utf-8", "replace"), SOURCE.partitions)
        self.wire.put(SOURCE, key, value, headers, partition)
        self.sent += 1

    def run_until_quiet(self) -> None:
        group = f"frontwire-{STAGE}"
        wait_until(lambda: self.wire.committed(group, SOURCE) >= self.sent, "everything to be committed")

    def read(self, topic: Topic) -> list[Record]:
        return self.wire.read(topic)


def test_the_runner_on_faust_keeps_every_promise(wire: Wire) -> None:
    """All checks of the suite on one harness, as one consumer group sees them."""
    wire.start(Job(STAGE, "tests.support.suite_worker"))
    harness = FaustHarness(wire)
    for check in CHECKS:
        check(harness)
