"""The table of topics: what a name promises, what Kafka is told, who writes and who reads."""

import re
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from shared import contract, topics
from shared.models import Model
from shared.supervisor import SERVICES
from shared.topics import INTERNAL, PIPELINE, Topic, all_topics, by_name, dead_letter_topic
from tests.support.wire import JOBS

ALL = tuple(all_topics())
DAY_MS = 24 * 60 * 60 * 1000


def ids(topic: Topic) -> str:
    return topic.name


def test_names_are_unique() -> None:
    assert max(Counter(topic.name for topic in ALL).values()) == 1


@pytest.mark.parametrize("topic", ALL, ids=ids)
def test_names_hold_hyphens_only(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", topic.name)
    assert len(topic.name) <= 249


@pytest.mark.parametrize("topic", PIPELINE, ids=ids)
def test_a_contract_has_a_version_and_a_model(topic: Topic) -> None:
    assert re.search(r"-v[1-9][0-9]*$", topic.name)
    assert topic.model is not None
    assert contract.schema_of(topic)["$id"] == f"{topic.name}.schema.json"


@pytest.mark.parametrize("topic", PIPELINE, ids=ids)
def test_every_record_model_is_one_of_ours(topic: Topic) -> None:
    members: Any = getattr(topic.model, "__args__", (topic.model,))
    assert all(issubclass(member, Model) for member in members)


@pytest.mark.parametrize("topic", PIPELINE + INTERNAL, ids=ids)
def test_who_writes_and_who_reads_are_services(topic: Topic) -> None:
    names = {job.name for job in SERVICES}
    assert topic.producer in {*names, "operator"}
    assert topic.consumers
    assert set(topic.consumers) <= names
    assert names == set(JOBS)


@pytest.mark.parametrize("job", sorted({job.name for job in SERVICES}))
def test_every_service_has_its_place_in_the_table(job: str) -> None:
    assert any(job in (topic.producer, *topic.consumers) for topic in PIPELINE)


@pytest.mark.parametrize("source", PIPELINE, ids=ids)
def test_a_dead_letter_topic_takes_what_its_source_takes(source: Topic) -> None:
    letters = dead_letter_topic(source)
    assert letters.name == f"{source.name}-dlq"
    assert letters in ALL
    assert letters.max_message_bytes == source.max_message_bytes + topics.DEAD_LETTER_HEADROOM
    assert letters.partitions == 1
    assert letters.config()["retention.ms"] == str(30 * DAY_MS)
    assert letters.config()["cleanup.policy"] == "compact,delete"


@pytest.mark.parametrize("topic", ALL, ids=ids)
def test_text_can_be_taken_down(topic: Topic) -> None:
    """Every topic may hold text: none is without compaction, and a stage that was away meets the null records still."""
    config = topic.config()
    assert "compact" in config["cleanup.policy"]
    assert 0 < int(config["max.compaction.lag.ms"]) <= DAY_MS
    assert int(config["delete.retention.ms"]) >= 14 * DAY_MS
    if topic.name.startswith("articles-") and not topic.name.endswith("-dlq"):
        assert int(config["retention.ms"]) >= 14 * DAY_MS


def test_the_raw_and_the_finished_articles_are_kept_for_a_replay() -> None:
    for topic in (topics.ARTICLES_RAW, topics.ARTICLES_UNIQUE):
        assert topic.retention == timedelta(days=90)


@pytest.mark.parametrize(
    ("retention", "compact", "policy", "milliseconds"),
    [
        (timedelta(days=1), False, "delete", str(DAY_MS)),
        (timedelta(days=1), True, "compact,delete", str(DAY_MS)),
        (None, True, "compact", "-1"),
        (None, False, "delete", "-1"),
    ],
)
def test_config_for_kafka(retention: timedelta | None, compact: bool, policy: str, milliseconds: str) -> None:
    topic = Topic("t-v1", None, "k", 1, "a", ("b",), retention, compact)
    config = topic.config()
    assert config["cleanup.policy"] == policy
    assert config["retention.ms"] == milliseconds
    assert ("max.compaction.lag.ms" in config) is compact


def test_later_topics_take_more_than_the_first() -> None:
    assert topics.MAX_RAW_BYTES < topics.MAX_DERIVED_BYTES
    assert topics.ARTICLES_RAW.max_message_bytes > topics.DEAD_LETTER_HEAD_BYTES


def test_duplicates_are_decided_in_one_order() -> None:
    assert topics.ARTICLES_SKETCHED.partitions == topics.DEDUP_CHANGELOG.partitions == 1


def test_by_name() -> None:
    assert by_name("articles-raw-v1") is topics.ARTICLES_RAW
    assert by_name("articles-raw-v1-dlq") == dead_letter_topic(topics.ARTICLES_RAW)
    with pytest.raises(KeyError):
        by_name("articles_raw_v1")
