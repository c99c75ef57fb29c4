"""What a dead letter says of itself, and where it goes back to."""

from datetime import UTC, datetime

import pytest

from shared import dead_letters
from shared.dead_letters import DeadLetter, source_of
from shared.errors import Reason, Rejected
from shared.stage import Record, refuse
from shared.topics import ARTICLES_RAW, INTERNAL, PIPELINE, dead_letter_topic

AT = datetime(2025, 11, 22, 3, 0, tzinfo=UTC)


def letter(value: bytes, partition: int = 4) -> DeadLetter:
    record = Record(ARTICLES_RAW.name, partition, 17, b"k", value, (("traceparent", b"00-a-b-01"),))
    outcome = refuse(record, ARTICLES_RAW, "normaliser", Rejected(Reason.WRONG_TYPE, "revision: một"), AT)
    (made,) = outcome.outputs
    return DeadLetter(Record(made.topic.name, made.partition, 0, made.key, made.value, made.headers))


def test_a_letter_tells_its_story() -> None:
    told = letter(b"{}")
    assert (told.reason, told.stage, told.error) == ("wrong_type", "normaliser", "revision: một")
    assert (told.origin, told.at) == ("articles-raw-v1/4/17", "2025-11-22T03:00:00.000+00:00")
    assert not told.is_cut


def test_a_cut_letter_says_so() -> None:
    assert letter(b"x" * (dead_letter_topic(ARTICLES_RAW).max_message_bytes + 1)).is_cut


def test_a_record_without_our_headers_is_still_shown() -> None:
    strange = DeadLetter(Record("articles-raw-v1-dlq", 0, 0, None, b"?"))
    assert (strange.reason, strange.stage, strange.error, strange.origin, strange.at) == (
        "unknown",
        "unknown",
        "",
        "",
        "",
    )
    assert not strange.is_cut


@pytest.mark.parametrize("topic", PIPELINE, ids=lambda topic: topic.name)
def test_a_topic_is_found_by_its_own_name_and_its_dead_letters(topic: object) -> None:
    name = str(getattr(topic, "name", ""))
    assert source_of(name) is topic
    assert source_of(f"{name}-dlq") is topic


@pytest.mark.parametrize("name", ["", "-dlq", "articles-raw-v1-dlq-dlq", "articles-raw-v9", INTERNAL[0].name])
def test_what_is_no_source_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        source_of(name)


class Producer:
    """Collects what is sent, as kafka-python's producer is called."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, dict[str, object]]] = []

    def send(self, topic: str, **message: object) -> "Producer":
        self.sent.append((topic, message))
        return self

    def get(self, timeout: float) -> None:
        assert timeout > 0


@pytest.mark.parametrize(("origin", "partition"), [(4, 4), (0, 0), (99, ARTICLES_RAW.partitions - 1)])
def test_a_letter_goes_back_as_it_was(origin: int, partition: int) -> None:
    producer = Producer()
    dead_letters._send_back(producer, ARTICLES_RAW, letter(b"{\xff", origin))
    assert producer.sent == [
        (
            "articles-raw-v1",
            {"key": b"k", "value": b"{\xff", "headers": [("traceparent", b"00-a-b-01")], "partition": partition},
        )
    ]
