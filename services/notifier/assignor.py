"""How the copies of the notifier share the work: one has all of it, the others stand by."""

from typing import Any, Final

from kafka.coordinator.assignors.abstract import (
    AbstractPartitionAssignor,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
)


class AllToOne(AbstractPartitionAssignor):  # type: ignore[misc]
    """Gives every partition of every topic to one member: the one whose id comes first."""

    name: Final = "all-to-one"
    version: Final = 0

    @classmethod
    def assign(cls, cluster: Any, members: Any) -> dict[str, Any]:
        """Return the assignment of each member, as kafka-python asks for it."""
        chosen = min(member.member_id for member in members)
        topics = sorted({topic for member in members for topic in member.metadata.topics})
        everything = [(topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in topics]
        return {
            member.member_id: ConsumerProtocolAssignment(
                cls.version, everything if member.member_id == chosen else [], b""
            )
            for member in members
        }

    @classmethod
    def metadata(cls, topics: Any) -> Any:
        """Return what a member tells of itself: the topics it reads."""
        return ConsumerProtocolSubscription(cls.version, sorted(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: Any, generation: int) -> None:
        """Nothing is remembered between assignments."""
