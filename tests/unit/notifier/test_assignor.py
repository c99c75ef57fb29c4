"""How the copies of the notifier share the work."""

from types import SimpleNamespace
from typing import Any

from services.notifier.assignor import AllToOne

TOPICS = {"alerts-v1": {0, 1, 2}, "notifications-v1": {0}}
CLUSTER = SimpleNamespace(partitions_for_topic=TOPICS.get)


def member(name: str, *topics: str) -> Any:
    return SimpleNamespace(member_id=name, metadata=SimpleNamespace(topics=topics))


def test_one_copy_has_everything_and_the_others_nothing() -> None:
    members = [member(name, *TOPICS) for name in ("notifier-b", "notifier-a", "notifier-c")]
    given = AllToOne.assign(CLUSTER, members)
    parts = {name: {(part.topic, part.partition) for part in each.partitions()} for name, each in given.items()}
    assert parts["notifier-a"] == {("alerts-v1", 0), ("alerts-v1", 1), ("alerts-v1", 2), ("notifications-v1", 0)}
    assert parts["notifier-b"] == parts["notifier-c"] == set()


def test_a_topic_that_does_not_exist_yet_has_no_partitions() -> None:
    given = AllToOne.assign(CLUSTER, [member("only", "absent-v1", "notifications-v1")])
    assert [(part.topic, part.partition) for part in given["only"].partitions()] == [("notifications-v1", 0)]


def test_what_a_member_tells_of_itself() -> None:
    assert list(AllToOne.metadata({"b", "a"}).topics) == ["a", "b"]
