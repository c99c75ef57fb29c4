"""Bringing a broker to the table: what is asked of it, and what is said of each difference."""

from typing import Any

import pytest
from kafka.errors import TopicAlreadyExistsError

from shared import topic_admin
from shared.topic_admin import TopicDifference
from shared.topics import ARTICLES_RAW, ARTICLES_UNIQUE, Topic

Shape = tuple[int, dict[str, str]]


class Broker:
    """Topics by name as (partitions, settings), spoken to as through kafka-python's admin client."""

    def __init__(self, topics: dict[str, Shape], *, racing: bool = False) -> None:
        self.topics = topics
        self.racing = racing

    def list_topics(self) -> list[str]:
        return list(self.topics)

    def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        return [{"name": name, "partitions": [{}] * self.topics[name][0]} for name in names]

    def describe_configs(self, resources: list[Any]) -> dict[str, Any]:
        return {
            "topic": {
                each.name: {key: {"value": value} for key, value in self.topics[each.name][1].items()}
                for each in resources
            }
        }

    def create_topics(self, topics: list[Any]) -> None:
        if self.racing:
            raise TopicAlreadyExistsError
        for topic in topics:
            assert topic.replication_factor == 3
            self.topics[topic.name] = (topic.num_partitions, dict(topic.topic_configs))

    def create_partitions(self, wanted: dict[str, Any]) -> None:
        for name, partitions in wanted.items():
            self.topics[name] = (partitions.total_count, self.topics[name][1])

    def alter_configs(self, resources: list[Any]) -> None:
        for resource in resources:
            self.topics[resource.name][1].update(resource.configs)


def as_the_table_says(topic: Topic) -> Shape:
    return (topic.partitions, topic.config())


def apply(broker: Any, *topics: Topic) -> list[str]:
    return topic_admin.apply(broker, 3, topics)


def test_an_empty_broker_gets_every_topic_and_then_nothing() -> None:
    broker = Broker({})
    assert [line.split()[0] for line in topic_admin.apply(broker, 3)] == ["created"] * len(broker.topics)
    assert topic_admin.apply(broker, 3) == []
    assert broker.topics[ARTICLES_RAW.name] == as_the_table_says(ARTICLES_RAW)


def test_missing_partitions_are_added_and_settings_mended() -> None:
    broker = Broker({ARTICLES_RAW.name: (2, ARTICLES_RAW.config() | {"retention.ms": "1", "segment.ms": "5"})})
    assert apply(broker, ARTICLES_RAW) == [
        "articles-raw-v1: 2 to 6 partitions",
        f"articles-raw-v1: set retention.ms={ARTICLES_RAW.config()['retention.ms']}",
    ]
    assert broker.topics[ARTICLES_RAW.name] == (6, ARTICLES_RAW.config() | {"segment.ms": "5"})


def test_partitions_are_never_taken_away() -> None:
    broker = Broker({ARTICLES_RAW.name: (9, ARTICLES_RAW.config())})
    assert apply(broker, ARTICLES_RAW) == ["articles-raw-v1: has 9 partitions, the table says 6: left alone"]
    assert broker.topics[ARTICLES_RAW.name][0] == 9


def test_a_topic_that_another_process_just_made_is_no_error() -> None:
    assert apply(Broker({}, racing=True), ARTICLES_RAW) == ["created articles-raw-v1 (6 partitions)"]


def test_strange_topics_are_left_alone() -> None:
    broker = Broker({"someone-elses": (1, {}), ARTICLES_RAW.name: as_the_table_says(ARTICLES_RAW)})
    assert apply(broker, ARTICLES_RAW) == []
    assert "someone-elses" in broker.topics


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (TopicDifference(ARTICLES_RAW, missing=True), "articles-raw-v1: missing"),
        (TopicDifference(ARTICLES_UNIQUE, partitions=2), "articles-unique-v1: partitions 2, the table says 6"),
        (
            TopicDifference(ARTICLES_RAW, partitions=9, config={"a": ("", "1"), "b": ("2", "3")}),
            "articles-raw-v1: partitions 9, the table says 6; a unset, the table says 1; b 2, the table says 3",
        ),
    ],
)
def test_each_difference_is_one_line(difference: TopicDifference, said: str) -> None:
    assert str(difference) == said
