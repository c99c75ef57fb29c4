"""The one table of topics: name, model, key, partitions, retention, who writes and who reads.

`frontwire topics apply` creates what stands here and reports any difference; broker auto-creation is off. A breaking
change of a model is a new `-v2` topic. Every consumed topic has a dead-letter topic named after it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import UnionType
from typing import Final

from shared import alerts, models, notifications, takedown_record

MEBIBYTE: Final = 1024 * 1024
# A raw text may grow by its edits and mentions on the way: later topics take more than the first.
MAX_RAW_BYTES: Final = 2 * MEBIBYTE
MAX_DERIVED_BYTES: Final = 12 * MEBIBYTE
# A takedown's null record must really remove the text: the cleaner may not wait longer than this.
MAX_COMPACTION_LAG: Final = timedelta(days=1)
# Null records stay for a stage that was away as long as the shortest-lived text does: it would never hear of them else.
NULLS_KEPT: Final = timedelta(days=14)
DEAD_LETTER_HEAD_BYTES: Final = 64 * 1024
# A dead letter is its record plus headers, so its topic takes a little more than the source.
DEAD_LETTER_HEADROOM: Final = 64 * 1024


@dataclass(frozen=True)
class Topic:
    """One Kafka topic; `key` says what the message key is, `retention` None keeps for ever, `compact` the last per key."""

    name: str
    model: type[models.Model] | UnionType | None
    key: str
    partitions: int
    producer: str
    consumers: tuple[str, ...]
    retention: timedelta | None
    compact: bool = False
    max_message_bytes: int = MAX_DERIVED_BYTES

    def config(self) -> dict[str, str]:
        """Return the topic-level settings as Kafka's admin API takes them."""
        policy = "compact,delete" if self.compact and self.retention else "compact" if self.compact else "delete"
        settings = {
            "cleanup.policy": policy,
            "retention.ms": str(int(self.retention.total_seconds() * 1000)) if self.retention else "-1",
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.compact:
            settings["max.compaction.lag.ms"] = str(int(MAX_COMPACTION_LAG.total_seconds() * 1000))
            settings["delete.retention.ms"] = str(int(NULLS_KEPT.total_seconds() * 1000))
        return settings


ARTICLES_RAW: Final = Topic(
    name="articles-raw-v1",
    model=models.RawArticle,
    key="article_id",
    partitions=6,
    producer="fetcher",
    consumers=("normaliser",),
    retention=timedelta(days=90),
    compact=True,
    max_message_bytes=MAX_RAW_BYTES,
)
ARTICLES_NORMALISED: Final = Topic(
    name="articles-normalised-v1",
    model=models.NormalisedArticle,
    key="article_id",
    partitions=6,
    producer="normaliser",
    consumers=("extractor",),
    retention=timedelta(days=14),
    compact=True,
)
ARTICLES_EXTRACTED: Final = Topic(
    name="articles-extracted-v1",
    model=models.ExtractedArticle,
    key="article_id",
    partitions=6,
    producer="extractor",
    consumers=("sketch",),
    retention=timedelta(days=14),
    compact=True,
)
ARTICLES_SKETCHED: Final = Topic(
    name="articles-sketched-v1",
    model=models.SketchedArticle,
    key="article_id",
    partitions=1,
    producer="sketch",
    consumers=("decide",),
    retention=timedelta(days=14),
    compact=True,
)
ARTICLES_UNIQUE: Final = Topic(
    name="articles-unique-v1",
    model=models.UniqueArticle,
    key="article_id",
    partitions=6,
    producer="decide",
    consumers=("alerter", "indexer"),
    retention=timedelta(days=90),
    compact=True,
)
FEED_STATE: Final = Topic(
    name="feed-state-v1",
    model=models.FeedStateRecord,
    key="host|feed or host|feed|item",
    partitions=6,
    producer="fetcher",
    consumers=("fetcher", "alerter", "indexer"),
    retention=None,
    compact=True,
    max_message_bytes=MEBIBYTE,
)
PAGES_TO_FETCH: Final = Topic(
    name="pages-to-fetch-v1",
    model=models.PageTask,
    key="host|article_id, by host",
    partitions=6,
    producer="fetcher",
    consumers=("fetcher",),
    retention=timedelta(days=7),
    compact=True,
    max_message_bytes=MAX_RAW_BYTES,
)
KEYWORD_HITS: Final = Topic(
    name="keyword-hits-v1",
    model=alerts.LogRecord,
    key="article_id or kind, /, unique",
    partitions=1,
    producer="alerter",
    consumers=("alerter",),
    retention=timedelta(days=60),
    compact=True,
    max_message_bytes=MEBIBYTE,
)
ALERTS: Final = Topic(
    name="alerts-v1",
    model=alerts.Alert,
    key="alert_id",
    partitions=6,
    producer="alerter",
    consumers=("indexer", "notifier"),
    retention=None,
    compact=True,
    max_message_bytes=MEBIBYTE,
)
NOTIFICATIONS: Final = Topic(
    name="notifications-v1",
    model=notifications.Notification,
    key="notification_id",
    partitions=1,
    producer="notifier",
    consumers=("notifier",),
    retention=None,
    compact=True,
)
TAKEDOWNS: Final = Topic(
    name="takedowns-v1",
    model=takedown_record.Takedown,
    key="article_id",
    partitions=1,
    producer="operator",
    consumers=("alerter", "decide", "extractor", "fetcher", "indexer", "normaliser", "sketch"),
    retention=None,
    compact=True,
    max_message_bytes=MEBIBYTE,
)
DEDUP_CHANGELOG: Final = Topic(
    name="frontwire-decide-dedup-window-changelog",
    model=None,
    key="article_id",
    partitions=1,
    producer="decide",
    consumers=("decide",),
    retention=None,
    compact=True,
    max_message_bytes=MEBIBYTE,
)
DETECT_CHANGELOG: Final = Topic(
    name="frontwire-detect-alerter-state-changelog",
    model=None,
    key="place/chunk",
    partitions=1,
    producer="alerter",
    consumers=("alerter",),
    retention=None,
    compact=True,
    max_message_bytes=MEBIBYTE,
)

PIPELINE: Final = (
    ARTICLES_RAW,
    ARTICLES_NORMALISED,
    ARTICLES_EXTRACTED,
    ARTICLES_SKETCHED,
    ARTICLES_UNIQUE,
    FEED_STATE,
    PAGES_TO_FETCH,
    KEYWORD_HITS,
    ALERTS,
    NOTIFICATIONS,
    TAKEDOWNS,
)
INTERNAL: Final = (DEDUP_CHANGELOG, DETECT_CHANGELOG)


def dead_letter_topic(source: Topic) -> Topic:
    """Return the dead-letter topic of a topic: its message size plus head-room for headers, one partition, 30 days.

    No two letters share a key: compaction takes none but those of articles that were taken down.
    """
    return Topic(
        name=f"{source.name}-dlq",
        model=None,
        key="origin, stage and time of the refusal",
        partitions=1,
        producer=" ".join(source.consumers),
        consumers=("indexer", "operator"),
        retention=timedelta(days=30),
        compact=True,
        max_message_bytes=source.max_message_bytes + DEAD_LETTER_HEADROOM,
    )


def all_topics() -> Iterator[Topic]:
    """Yield every topic that `frontwire topics apply` creates, dead letters and internal topics included."""
    for topic in PIPELINE:
        yield topic
        yield dead_letter_topic(topic)
    yield from INTERNAL


def by_name(name: str) -> Topic:
    """Return the topic of this name; KeyError when the table has none."""
    for topic in all_topics():
        if topic.name == name:
            return topic
    raise KeyError(name)
