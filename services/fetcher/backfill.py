"""How a backfill makes room for news: it goes on portion by portion, while few articles are on their way through the stages.

A stage reads its topic in order: what a backfill has published stands in front of the next live article. So a file's first
portion goes out at once, and each further one when the one before it has nearly arrived. A live article waits for one or two
portions, never for the whole archive.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from shared.errors import Transient
from shared.kafka_clients import make_admin, partitions_of
from shared.settings import Settings
from shared.topics import (
    ARTICLES_EXTRACTED,
    ARTICLES_NORMALISED,
    ARTICLES_RAW,
    ARTICLES_SKETCHED,
    ARTICLES_UNIQUE,
)

PAUSE_FROM: Final = 500
GO_ON_BELOW: Final = 300
LOOK_EVERY_SECONDS: Final = 0.5
# A stop must not wait for a broker that is away.
_ANSWER_WITHIN_MS: Final = 3_000
# The way of an article until it is searchable: each topic, and the consumer group that reads it.
WAY: Final = {
    ARTICLES_RAW: "frontwire-normaliser",
    ARTICLES_NORMALISED: "frontwire-extractor",
    ARTICLES_EXTRACTED: "frontwire-sketch",
    ARTICLES_SKETCHED: "frontwire-decide",
    ARTICLES_UNIQUE: "frontwire-indexer",
}


def must_wait(on_their_way: int, *, waiting: bool) -> bool:
    """Return whether a backfill has to wait while so many articles are on their way; one that waits goes on at fewer still."""
    return on_their_way >= (GO_ON_BELOW if waiting else PAUSE_FROM)


@dataclass(frozen=True)
class Backfill:
    """A backfill's place behind live articles.

    `lag` tells how many articles are on their way, `pause` waits so many seconds and returns whether to stop altogether,
    `on_wait` hears of the number when the backfill begins to wait, and of None when it goes on.
    """

    lag: Callable[[], int]
    pause: Callable[[float], bool]
    on_wait: Callable[[int | None], None] = lambda on_their_way: None

    def make_room(self) -> bool:
        """Wait until there is room for a portion; False when asked to stop first. Raises `Transient` when Kafka is away."""
        on_their_way = self.lag()
        if not must_wait(on_their_way, waiting=False):
            return True
        self.on_wait(on_their_way)
        while must_wait(on_their_way, waiting=True):
            if self.pause(LOOK_EVERY_SECONDS):
                return False
            on_their_way = self.lag()
        self.on_wait(None)
        return True


class StageLag:
    """How far the stages between the fetcher and Elasticsearch are behind. Any thread may ask; `close` it in the end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._admin: KafkaAdminClient | None = None
        self._lock = Lock()

    def read(self) -> int:
        """Return how many records wait in front of these stages; a stage that has never worked here is not waited for.

        Raises `Transient` when Kafka does not tell.
        """
        with self._lock:
            try:
                if self._admin is None:
                    self._admin = make_admin(self._settings, request_timeout_ms=_ANSWER_WITHIN_MS)
                return _waiting(self._admin)
            except KafkaError as error:
                self._close()
                raise Transient(f"Kafka does not tell how far the stages are: {error!r}") from error

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        admin, self._admin = self._admin, None
        if admin is not None:
            with suppress(KafkaError):
                admin.close()


def _waiting(admin: KafkaAdminClient) -> int:
    partitions = {group: partitions_of(topic) for topic, group in WAY.items()}
    committed = {
        partition: mark.offset
        for marks in admin.list_group_offsets(partitions).values()
        for partition, mark in marks.items()
        if mark.offset >= 0
    }
    ends = admin.list_partition_offsets(dict.fromkeys(committed, OffsetSpec.LATEST)) if committed else {}
    return sum(max(0, ends[partition].offset - offset) for partition, offset in committed.items())
