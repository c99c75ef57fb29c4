"""The runner in memory keeps the promises of tests/contract/runner_suite.py, one by one and all on one broker."""

from collections.abc import Callable

import pytest

from shared.errors import MAX_CONSECUTIVE_BUGS, Transient
from shared.headers import Headers
from shared.memory_runner import MemoryBroker
from shared.stage import Record, TooManyBugs
from shared.topics import Topic
from tests.contract.runner_suite import BUG, CHECKS, SOURCE, Harness, suite_stage
from tests.support.articles import raw_article


class MemoryHarness:
    """The suite's stage on a broker in memory."""

    def __init__(self) -> None:
        self.broker = MemoryBroker([suite_stage()])

    def put(self, key: bytes | None, value: bytes | None, headers: Headers = ()) -> None:
        self.broker.put(SOURCE, key, value, headers)

    def run_until_quiet(self) -> None:
        for _ in range(10):
            try:
                return self.broker.run()
            except Transient:
                continue
        raise AssertionError("unwell for ever")

    def read(self, topic: Topic) -> list[Record]:
        return self.broker.logs[topic.name]


@pytest.fixture
def harness() -> Harness:
    return MemoryHarness()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_a_runner(harness: Harness, check: Callable[[Harness], None]) -> None:
    check(harness)


def test_the_checks_do_not_disturb_each_other(harness: Harness) -> None:
    for check in CHECKS:
        check(harness)


class Forgetful(MemoryHarness):
    """A runner that loses the last record of a topic, to see that the suite notices."""

    def read(self, topic: Topic) -> list[Record]:
        return super().read(topic)[:-1]


class Reversing(MemoryHarness):
    """A runner that turns the order round."""

    def read(self, topic: Topic) -> list[Record]:
        return super().read(topic)[::-1]


class Repeating(MemoryHarness):
    """A runner that writes everything twice."""

    def read(self, topic: Topic) -> list[Record]:
        return super().read(topic) * 2


@pytest.mark.parametrize("harness", [Forgetful(), Reversing(), Repeating()], ids=lambda made: type(made).__name__)
def test_the_suite_refuses_a_runner_that_breaks_its_promises(harness: Harness) -> None:
    broken = 0
    for check in CHECKS:
        try:
            check(harness)
        except (AssertionError, ValueError):
            broken += 1
    assert broken >= 2


def test_a_hundred_bugs_in_a_row_stop_the_runner_before_the_record_is_passed_over(harness: MemoryHarness) -> None:
    for number in range(MAX_CONSECUTIVE_BUGS):
        article = raw_article(number, size=100).model_copy(update={"title": BUG})
        harness.put(article.article_id.encode(), article.to_json())
    for _ in range(2):
        with pytest.raises(TooManyBugs):
            harness.run_until_quiet()
