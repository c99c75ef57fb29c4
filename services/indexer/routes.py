"""What each topic becomes in Elasticsearch: a table from topic to the bulk actions of one of its records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from services.indexer import desk, transform
from services.indexer.article import INDEXED_ARTICLE
from services.indexer.elastic import Item, delete_item, index_item
from shared.alerts import Alert, without_text
from shared.errors import Drop
from shared.kibana_links import Kibana
from shared.models import FeedState, index_version
from shared.stage import Record, decode
from shared.takedown_record import Takedown
from shared.topics import ALERTS, ARTICLES_UNIQUE, FEED_STATE, PIPELINE, TAKEDOWNS, Topic, dead_letter_topic

LETTER_TOPICS: Final = tuple(dead_letter_topic(topic) for topic in PIPELINE)
_FEED_KEY_PARTS: Final = 2


@dataclass(frozen=True)
class Work:
    """One record and the bulk actions it became.

    `fetched_at` is that of an indexed article, for the delay to searchable; `dropped` says why another one is not indexed.
    """

    record: Record
    items: tuple[Item, ...] = ()
    fetched_at: datetime | None = None
    dropped: Drop = Drop.TOMBSTONE


@dataclass(frozen=True)
class Context:
    """What the records of one batch have in common.

    When they are indexed, where the removed articles live, where Kibana is, and which articles were taken down.
    """

    now: datetime
    homes: Mapping[str, str]
    kibana: Kibana
    is_taken_down: Callable[[str], bool] = lambda article_id: False


Make = Callable[[Record, Context], Work]


def routes() -> dict[str, tuple[Topic, Make]]:
    """Return every topic that is indexed, by its name, with what its records become."""
    makers: dict[Topic, Make] = {
        ARTICLES_UNIQUE: article_work,
        ALERTS: alert_work,
        FEED_STATE: feed_work,
        TAKEDOWNS: takedown_work,
    }
    makers |= dict.fromkeys(LETTER_TOPICS, letter_work)
    return {topic.name: (topic, make) for topic, make in makers.items()}


def article_work(record: Record, context: Context) -> Work:
    """Index an article, and remove the parts that an earlier revision had; a null record removes the article."""
    key = text_key(record)
    if record.value is None:
        home = context.homes.get(key)
        return Work(record, (delete_item(home, key, _arrival_version(record)),) if home else ())
    if context.is_taken_down(key):
        return Work(record, dropped=Drop.TAKEN_DOWN)
    article = decode(record, INDEXED_ARTICLE)
    index, version = transform.index_name(article), index_version(article)
    items = [index_item(index, article.article_id, version, transform.document(article, indexed_at=context.now))]
    if article.revision > 1 and article.part == 1:
        items += [delete_item(index, stale, version) for stale in transform.stale_ids(article)]
    return Work(record, tuple(items), article.fetched_at)


def alert_work(record: Record, context: Context) -> Work:
    """Index an alert under its own id: a newer record of it replaces the older one."""
    if record.value is None:
        return Work(record)
    alert = without_text(decode(record, Alert), context.is_taken_down)
    document = desk.alert_document(alert, indexed_at=context.now, kibana=context.kibana)
    return Work(record, (index_item(desk.alert_index(alert), alert.alert_id, alert.sequence, document),))


def feed_work(record: Record, context: Context) -> Work:
    """Index the state of a feed; the items that it has published are no documents."""
    key = text_key(record)
    parts = key.split("|")
    if len(parts) != _FEED_KEY_PARTS:
        return Work(record)
    version = _arrival_version(record)
    if record.value is None:
        return Work(record, (delete_item(desk.FEEDS_INDEX, key, version),))
    document = desk.feed_document(parts[0], decode(record, FeedState), updated_at=desk.arrival(record))
    return Work(record, (index_item(desk.FEEDS_INDEX, key, version, document),))


def letter_work(record: Record, context: Context) -> Work:
    """Index a dead letter under its place in its topic."""
    if record.value is None or context.is_taken_down(desk.article_of_letter(record)):
        return Work(record)
    return Work(record, (index_item(desk.letter_index(record), record.origin, 1, desk.letter_document(record)),))


def takedown_work(record: Record, _: Context) -> Work:
    """Index the record of a takedown, for whoever asks later: each takedown of an article is a document of its own."""
    if record.value is None:
        return Work(record)
    document = desk.takedown_document(decode(record, Takedown))
    name = f"{document['article_id']} {document['at']}"
    return Work(record, (index_item(desk.TAKEDOWNS_INDEX, name, _arrival_version(record), document),))


def text_key(record: Record) -> str:
    """Return the key of a record as text."""
    return (record.key or b"").decode("utf-8", "replace")


def _arrival_version(record: Record) -> int:
    """Return a version that grows with the place of a record in its partition."""
    return record.timestamp_ms * 1000 + record.offset % 1000
