"""Where the text of one article stands, and how it is taken from there: the work behind `frontwire takedown`.

Articles leave the topics of the stages by null records that pass through the stages in their order. What is keyed otherwise (page
tasks, hits, dead letters) is looked for by its key and gets null records of its own; alerts keep their numbers and lose title and
link.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

from elasticsearch import Elasticsearch
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from pydantic import ValidationError

from services.indexer import desk, elastic
from services.indexer.transform import ALIAS
from shared.alerts import Alert, AlertState, without_text
from shared.dead_letters import DeadLetter
from shared.errors import Transient
from shared.ids import article_of_key, family_of, partition_of, root_id
from shared.kafka_clients import make_consumer, partitions_of, record_of, send, until_end
from shared.notifications import Notification
from shared.settings import Settings
from shared.stage import Outgoing, Record, alert_message, null_message
from shared.topics import (
    ALERTS,
    ARTICLES_EXTRACTED,
    ARTICLES_NORMALISED,
    ARTICLES_RAW,
    ARTICLES_SKETCHED,
    ARTICLES_UNIQUE,
    KEYWORD_HITS,
    NOTIFICATIONS,
    PAGES_TO_FETCH,
    PIPELINE,
    Topic,
    by_name,
    dead_letter_topic,
)

ARTICLE_TOPICS: Final = (
    ARTICLES_RAW,
    ARTICLES_NORMALISED,
    ARTICLES_EXTRACTED,
    ARTICLES_SKETCHED,
    ARTICLES_UNIQUE,
)
LETTER_TOPICS: Final = tuple(dead_letter_topic(topic) for topic in PIPELINE)
# Where the null records end, and the group and stage that must have read them before what is left is looked for.
ENDS: Final = (
    (ARTICLES_UNIQUE, "frontwire-indexer", "indexer"),
    (KEYWORD_HITS, "frontwire-detect", "alerter"),
)
_LOOK_SECONDS: Final = 0.3


@dataclass
class Text:
    """The text of one article (its parts included) on one wire.

    `removed` counts by topic or index what was taken away, `waiting` says what is not done yet.
    """

    settings: Settings
    article_id: str
    producer: KafkaProducer
    consumer: KafkaConsumer
    client: Elasticsearch
    removed: Counter[str] = field(default_factory=Counter)
    waiting: list[str] = field(default_factory=list)

    def remove(self, seconds: float) -> None:
        """Take the article out of topics, alerts and index; the stages have so many seconds to pass the null records on.

        Raises `Transient` or a KafkaError when an engine does not answer. Done twice, it removes what is left.
        """
        indexed = elastic.locate(self.client, ALIAS, family_of(self.article_id))
        places = [self._place(topic) for topic in (*ARTICLE_TOPICS, KEYWORD_HITS)]
        before = self.consumer.end_offsets(places)
        self.send([null_message(ARTICLES_RAW, self.article_id)])
        self._wait_until_passed(before, time.monotonic() + seconds)
        self.send([null_of(record) for record in self._written_since(before)])
        found = self.standing_in(PAGES_TO_FETCH) + self.standing_in(KEYWORD_HITS) + self.letters()
        self.send([null_of(record) for record in found])
        self.removed.update(record.topic for record in found)
        self._rewrite_alerts()
        self._remove_documents(set(indexed), found)

    def standing(self) -> Counter[str]:
        """Return how many records and documents with text of the article can still be read, by topic or index."""
        records = [record for topic in ARTICLE_TOPICS for record in self._last(self._read([self._place(topic)]))]
        for topic in (PAGES_TO_FETCH, KEYWORD_HITS):
            records += self.standing_in(topic)
        found = Counter(record.topic for record in records + self.letters())
        found[ALERTS.name] = len(self._alerts())
        found[NOTIFICATIONS.name] = sum(
            any(self._has_text(alert) for alert in notification.alerts)
            for notification in self._models(NOTIFICATIONS, Notification.model_validate_json)
        )
        found[ALIAS] = len(self._documents(ALIAS))
        found[desk.DEAD_LETTERS] = len(self._documents(desk.DEAD_LETTERS))
        return +found

    def standing_in(self, topic: Topic) -> list[Record]:
        """Return the last record of each key of the article in a topic that is not keyed by articles alone."""
        return self._last(self._read(partitions_of(topic)))

    def letters(self) -> list[Record]:
        """Return the article's dead letters: of its records, and of keyless ones that hold its id."""

        def is_ours(letter: Record) -> bool:
            key = DeadLetter(letter).key
            return article_of_key(key) == self.article_id or (
                key is None and self.article_id.encode() in (letter.value or b"")
            )

        return [letter for topic in LETTER_TOPICS for letter in _last(self._read(partitions_of(topic)), is_ours)]

    def _place(self, topic: Topic) -> TopicPartition:
        return TopicPartition(topic.name, partition_of(self.article_id, topic.partitions))

    def _read(
        self, places: Sequence[TopicPartition], starts: dict[TopicPartition, int] | None = None
    ) -> Iterator[Record]:
        """Yield what stands in some partitions now. Raises `Transient` when they cannot be read to their end."""
        self.consumer.assign(places)
        self.consumer.seek_to_beginning(*places)
        for place, start in (starts or {}).items():
            if place in places:
                self.consumer.seek(place, start)
        ends = self.consumer.end_offsets(places)
        yield from until_end(self.consumer, places)
        if any(self.consumer.position(place) < end for place, end in ends.items()):
            raise Transient(f"{places[0].topic} could not be read to its end")

    def _last(self, records: Iterable[Record]) -> list[Record]:
        return _last(records, lambda record: article_of_key(record.key) == self.article_id)

    def send(self, messages: Sequence[Outgoing]) -> None:
        """Send messages and wait until all are acknowledged."""
        for delivery in [send(self.producer, message) for message in messages]:
            delivery.get(timeout=60)

    def _wait_until_passed(self, before: dict[TopicPartition, int], until: float) -> None:
        """Wait until the null record of the last part has come to the end of its way, and was read there."""
        for topic, group, stage in ENDS:
            place = self._place(topic)
            offset = self._passed(place, before[place], until)
            if offset is None:
                self.waiting.append(f"the null records have not reached {topic.name}")
            elif not self._was_read(group, place, offset, until):
                self.waiting.append(f"the {stage} has not read the null records")

    def _passed(self, place: TopicPartition, start: int, until: float) -> int | None:
        """Return the offset of the last part's null record, None when it does not come in time."""
        last = family_of(self.article_id)[-1].encode()
        self.consumer.assign([place])
        self.consumer.seek(place, start)
        while time.monotonic() < until:
            for messages in self.consumer.poll(timeout_ms=int(_LOOK_SECONDS * 1000)).values():
                for record in map(record_of, messages):
                    if record.key == last and record.value is None:
                        return record.offset
        return None

    def _was_read(self, group: str, place: TopicPartition, offset: int, until: float) -> bool:
        with closing(make_consumer(self.settings, group, "takedown")) as consumer:
            while (consumer.committed(place) or 0) <= offset:
                if time.monotonic() > until:
                    return False
                time.sleep(_LOOK_SECONDS)
        return True

    def _written_since(self, before: dict[TopicPartition, int]) -> list[Record]:
        """Return what a stage wrote behind the null records, because it had not heard of the takedown yet."""
        places = [self._place(topic) for topic in ARTICLE_TOPICS]
        return [record for place in places for record in self._last(self._read([place], before))]

    def _rewrite_alerts(self) -> None:
        """Write the alerts that the alerter does not know any more without title and link of the article.

        What is open it writes itself, unless it has lost its state: then it has read the null records and written nothing.
        """
        is_behind = bool(self.waiting)
        for alert in self._alerts():
            if is_behind and alert.state is not AlertState.RESOLVED:
                self.waiting.append(f"the alerter has not written alert {alert.alert_id} anew")
                continue
            bare = without_text(alert, self._is_part)
            self.send([alert_message(bare.model_copy(update={"sequence": bare.sequence + 1}))])
            self.removed[ALERTS.name] += 1

    def _alerts(self) -> list[Alert]:
        """Return the alerts whose latest record shows title or link of the article."""
        return [alert for alert in self._models(ALERTS, Alert.model_validate_json) if self._has_text(alert)]

    def _models(self, topic: Topic, parse: Callable[[bytes], Any]) -> Iterator[Any]:
        """Yield the latest record of every key of a compacted topic; what cannot be read is left out, as by its stage."""
        for record in _last(self._read(partitions_of(topic)), lambda record: True):
            try:
                yield parse(record.value or b"")
            except ValidationError:
                continue

    def _is_part(self, article_id: str) -> bool:
        return root_id(article_id) == self.article_id

    def _has_text(self, alert: Alert) -> bool:
        return without_text(alert, self._is_part) is not alert

    def _remove_documents(self, indexed: set[str], letters: Sequence[Record]) -> None:
        """Remove the documents that are left; `indexed` are the articles that stood there at the beginning."""
        articles = self._documents(ALIAS)
        others = self._documents(desk.DEAD_LETTERS, [letter.origin for letter in letters])
        items = [
            elastic.delete_item(index, name, version + 1) for name, (index, version) in (articles | others).items()
        ]
        elastic.Delivery(self.client, items).send()
        self.removed[ALIAS] += len(indexed | articles.keys())
        self.removed[desk.DEAD_LETTERS] += len(others)

    def _documents(self, alias: str, ids: Sequence[str] = ()) -> dict[str, tuple[str, int]]:
        """Return index and version of the article's documents behind an alias, and of those with the given ids."""
        about = {"terms": {"article_id": family_of(self.article_id)}}
        self.client.indices.refresh(index=alias, ignore_unavailable=True)
        found = self.client.search(
            index=alias,
            query={"bool": {"should": [about, {"ids": {"values": list(ids)}}]}},
            source=False,
            version=True,
            size=10_000,
            ignore_unavailable=True,
        )
        return {hit["_id"]: (hit["_index"], hit["_version"]) for hit in found["hits"]["hits"]}


def _last(records: Iterable[Record], chosen: Callable[[Record], bool]) -> list[Record]:
    """Return of the chosen records the last of each key, as compaction will leave them: none where that is a null record."""
    last: dict[bytes | None, Record] = {}
    for record in records:
        if record.value is None:
            last.pop(record.key, None)
        elif chosen(record):
            last[record.key] = record
    return list(last.values())


def null_of(record: Record) -> Outgoing:
    """Return the null record that takes a record out of its topic."""
    return Outgoing(by_name(record.topic), record.partition, record.key, None, ())
