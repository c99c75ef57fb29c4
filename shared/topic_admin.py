"""Brings the broker to what the topic table says, and reports what differs. Nothing is ever deleted or shrunk."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic
from kafka.errors import TopicAlreadyExistsError

from shared.topics import Topic, all_topics


@dataclass(frozen=True)
class TopicDifference:
    """How one topic of the table stands on the broker."""

    topic: Topic
    missing: bool = False
    partitions: int | None = None
    config: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.missing:
            return f"{self.topic.name}: missing"
        parts = []
        if self.partitions is not None:
            parts.append(f"partitions {self.partitions}, the table says {self.topic.partitions}")
        parts += [f"{key} {found or 'unset'}, the table says {wanted}" for key, (found, wanted) in self.config.items()]
        return f"{self.topic.name}: {'; '.join(parts)}"


def differences(admin: KafkaAdminClient, topics: Iterable[Topic] | None = None) -> list[TopicDifference]:
    """Return every topic whose existence, partitions or settings on the broker differ from the table."""
    wanted = list(topics if topics is not None else all_topics())
    existing = set(admin.list_topics())
    present = [topic for topic in wanted if topic.name in existing]
    partitions = _partitions(admin, present)
    configs = _configs(admin, present)
    found: list[TopicDifference] = []
    for topic in wanted:
        if topic.name not in existing:
            found.append(TopicDifference(topic, missing=True))
            continue
        actual = configs.get(topic.name, {})
        config = {
            key: (actual.get(key, ""), value) for key, value in topic.config().items() if actual.get(key, "") != value
        }
        count = partitions.get(topic.name, topic.partitions)
        if config or count != topic.partitions:
            found.append(TopicDifference(topic, partitions=count if count != topic.partitions else None, config=config))
    return found


def apply(admin: KafkaAdminClient, replication: int = 1, topics: Iterable[Topic] | None = None) -> list[str]:
    """Create missing topics, add missing partitions and set the table's configuration; return what was done, a line each.

    A topic with more partitions than the table is reported and left: partitions cannot be taken away.
    """
    done: list[str] = []
    for difference in differences(admin, topics):
        topic = difference.topic
        if difference.missing:
            _create(admin, topic, replication)
            done.append(f"created {topic.name} ({topic.partitions} partitions)")
            continue
        if difference.partitions is not None and difference.partitions < topic.partitions:
            admin.create_partitions({topic.name: NewPartitions(total_count=topic.partitions)})
            done.append(f"{topic.name}: {difference.partitions} to {topic.partitions} partitions")
        elif difference.partitions is not None:
            done.append(
                f"{topic.name}: has {difference.partitions} partitions, the table says {topic.partitions}: left alone"
            )
        if difference.config:
            wanted = {key: value for key, (_, value) in difference.config.items()}
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name, wanted)])
            done.append(f"{topic.name}: set {', '.join(f'{key}={value}' for key, value in wanted.items())}")
    return done


def _create(admin: KafkaAdminClient, topic: Topic, replication: int) -> None:
    try:
        admin.create_topics([NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config())])
    except TopicAlreadyExistsError:
        # Another process applied the table at the same moment.
        return


def _partitions(admin: KafkaAdminClient, topics: list[Topic]) -> dict[str, int]:
    if not topics:
        return {}
    described = admin.describe_topics([topic.name for topic in topics])
    return {item["name"]: len(item["partitions"]) for item in described}


def _configs(admin: KafkaAdminClient, topics: list[Topic]) -> dict[str, dict[str, str]]:
    if not topics:
        return {}
    described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics])
    return {
        name: {key: str(entry["value"]) for key, entry in entries.items()}
        for name, entries in described["topic"].items()
    }
