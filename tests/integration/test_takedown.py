"""An article is taken down on the real engines: gone everywhere, for good, out of every log segment; its neighbours stay."""

import base64
import json
import zlib
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from services.commands.common import project_folder
from services.commands.demo_report import read_metrics
from services.indexer import desk
from shared import local_engines, takedowns, topic_admin
from shared.alerts import Alert, AlertState
from shared.ids import partition_of, trace_id_for
from shared.kafka_clients import make_admin
from shared.models import PageTask, RawArticle
from shared.topics import (
    ALERTS,
    ARTICLES_RAW,
    ARTICLES_UNIQUE,
    DETECT_CHANGELOG,
    KEYWORD_HITS,
    NOTIFICATIONS,
    PAGES_TO_FETCH,
    Topic,
    all_topics,
)
from tests.support import articles
from tests.support.alerting import article, put_quiet_days
from tests.support.wire import JOBS, Wire, frontwire, wait_empty, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.minutes]

STAGES = tuple(JOBS[name] for name in ("normaliser", "extractor", "sketch", "decide", "indexer", "alerter", "notifier"))
EXAMPLES = project_folder() / "schemas/examples"
WORD = "Zwolqvist"
"""Stands in title and body of every article that is taken down here, and nowhere else."""
NEIGHBOUR = "Quyrhölm"
NOW = datetime.now(UTC)
# What a day does on a busy wire, in seconds: segments are closed and cleaned, and old files deleted, at once.
HASTE = {
    "compression.type": "uncompressed",
    "delete.retention.ms": "600000",
    "file.delete.delay.ms": "0",
    "max.compaction.lag.ms": "1000",
    "min.cleanable.dirty.ratio": "0.0",
    "segment.ms": "1000",
}


def text_of(word: str) -> str:
    """Return a file of two glued articles on a watched place, both naming the word."""
    return "./.\n".join([
        f"Bến phà {word} ở Kupyansk đóng cửa\nBến phà {word} ở Kupyansk đóng cửa ba ngày để sửa cầu, ban quản lý cho biết",
        f"Hội chợ {word} mở muộn\nHội chợ {word} năm nay mở muộn hai tuần vì mưa kéo dài, trưởng ban tổ chức Ola Lund xác nhận",
    ]) + "./."  # fmt: skip


OURS = article(text_of(WORD), "Báo 1", NOW)
ANOTHER = article(text_of(NEIGHBOUR), "Báo 2", NOW)
OTHERS = [
    article(f"Tin số {number} tại Kupyansk\n\n{articles.text_of(number, seed=71)}", f"Báo {number % 4}", NOW)
    for number in range(8)
]


@pytest.fixture(scope="module")
def wire(own_wire: Wire) -> Wire:
    """Every stage, with an article that stands everywhere where text can stand."""
    wire = own_wire
    configure(wire)
    put_quiet_days(wire, NOW)
    wire.start(*STAGES)
    # The other outlet's text is a copy of ours: of all stories on Kupyansk ours is the one told most often.
    for raw in (OURS, ANOTHER):
        wire.publish([raw])
        wait_until(partial(hits_of, wire, raw), "its hit")
    wire.put(ARTICLES_RAW, OURS.article_id.encode(), OURS.to_json()[:-1], partition=place(ARTICLES_RAW, OURS))
    wire.put(ARTICLES_RAW, ANOTHER.article_id.encode(), ANOTHER.to_json()[:-1], partition=place(ARTICLES_RAW, ANOTHER))
    for raw in (OURS, ANOTHER):
        wire.put(PAGES_TO_FETCH, f"wire.example|{raw.article_id}".encode(), page_task(raw).to_json(), partition=1)
        resolved = resolved_alert(raw)
        wire.put(ALERTS, resolved.alert_id.encode(), resolved.to_json(), partition=partition_of(resolved.alert_id, 6))
    wire.publish(OTHERS)
    wait_until(lambda: WORD in open_alert(wire), "an open alert on our story")
    wire.wait_indexed({f"{OURS.article_id}#1", f"{OURS.article_id}#2", f"{ANOTHER.article_id}#1"})
    wait_until(lambda: count(wire, desk.DEAD_LETTERS, WORD), "our dead letter to be indexed")
    wait_until(lambda: count(wire, desk.ALERTS, WORD) == 2, "our alerts to be indexed")
    wait_until(lambda: any(WORD.encode() in (r.value or b"") for r in wire.read(NOTIFICATIONS)), "our notification")
    return wire


def configure(wire: Wire) -> None:
    """Let a day on a busy wire pass in seconds."""
    topics = [ConfigResource(ConfigResourceType.TOPIC, topic.name, dict(HASTE)) for topic in all_topics()]
    with closing(make_admin(wire.settings)) as admin:
        wait_until(lambda: not topic_admin.differences(admin), "the topics to be there")
        answers = admin.alter_configs(topics, raise_on_unknown=False)
    assert set(answers["topic"].values()) == {"OK"}, answers


def page_task(raw: RawArticle) -> PageTask:
    return PageTask.model_validate(
        raw.model_dump(include={"article_id", "feed", "source", "url", "first_seen_at", "trace_id"})
        | {"feed_text": raw.text}
    )


def resolved_alert(raw: RawArticle) -> Alert:
    """Return an alert that is long over, with an article among its evidence."""
    example = json.loads((EXAMPLES / "alerts-v1/full.json").read_text(encoding="utf-8"))
    example["stories"][0] |= {"article_id": f"{raw.article_id}#1", "title": raw.text[:40], "url": raw.url}
    return Alert.model_validate(example | {"alert_id": trace_id_for(raw.article_id, 7), "state": "resolved"})


def place(topic: Topic, raw: RawArticle) -> int:
    return partition_of(raw.article_id, topic.partitions)


def hits_of(wire: Wire, raw: RawArticle) -> list[Any]:
    keys = [(record.key or b"").decode() for record in wire.read(KEYWORD_HITS) if record.value is not None]
    return [key for key in keys if key.startswith(raw.article_id)]


def open_alert(wire: Wire) -> str:
    """Return the latest record of the open alert on Kupyansk, as text."""
    latest = {record.key: record.value for record in wire.read(ALERTS)}
    alerts = [Alert.model_validate_json(value) for value in latest.values() if value]
    return "".join(alert.model_dump_json() for alert in alerts if alert.state is AlertState.OPEN)


def count(wire: Wire, alias: str, word: str) -> int:
    """Return how many documents behind an alias hold a word anywhere in their source."""
    wire.client.indices.refresh(index=alias, ignore_unavailable=True)
    hits = wire.client.search(index=alias, size=1000, ignore_unavailable=True)["hits"]["hits"]
    return sum(word in json.dumps(hit["_source"], ensure_ascii=False) for hit in hits)


def topics_holding(wire: Wire, word: str) -> set[str]:
    """Return the topics of which a log file on the broker's disk holds a word."""
    found = set()
    (kafka,) = (status for status in local_engines.status(wire.engines) if status.name == "kafka")
    for file in (kafka.data / "data").glob("*/*.log*"):
        if word.encode() in file.read_bytes():
            found.add(file.parent.name.rpartition("-")[0])
    return found


def checkpoints_holding(wire: Wire, word: str) -> list[str]:
    """Return which rows of the alerter's checkpoint, that the topic still holds in any version, have a word in them."""
    found = []
    for record in wire.read(DETECT_CHANGELOG):
        key, value = (record.key or b"").decode(), (record.value or b"").decode()
        if "head" in key:
            found += [key] if word in value else []
        elif value:
            text = base64.b64decode(json.loads(value) if value.startswith('"') else value)
            found += [key] if word in zlib.decompress(text).decode() else []
    return found


ALL = {
    "articles-raw-v1", "articles-raw-v1-dlq", "articles-normalised-v1", "articles-extracted-v1", "articles-sketched-v1",
    "articles-unique-v1", "pages-to-fetch-v1", "keyword-hits-v1", "alerts-v1", "notifications-v1",
}  # fmt: skip


def test_what_is_taken_down_is_gone_and_leaves_no_segment_and_its_neighbours_stay(wire: Wire) -> None:
    assert topics_holding(wire, WORD) == topics_holding(wire, NEIGHBOUR) | {"notifications-v1"} == ALL
    listed = frontwire(wire, "takedown", "check", OURS.article_id, "--json")
    assert json.loads(listed.stdout).keys() >= ALL
    done = frontwire(
        wire, "takedown", f"{OURS.article_id}#2", "--reason", "Toà soạn rút bài", "--author", "linh", "--json"
    )
    assert done.returncode == 0, done.stderr
    # Hits and letters may be written twice: delivery is at least once.
    removed = json.loads(done.stdout)["removed"]
    assert removed.keys() == {
        "alerts-v1", "articles-raw-v1-dlq", "keyword-hits-v1", "news-articles", "news-dead-letters", "pages-to-fetch-v1",
    }  # fmt: skip
    assert (removed["news-articles"], removed["alerts-v1"], removed["pages-to-fetch-v1"]) == (2, 1, 1)
    wait_until(lambda: count(wire, desk.ALERTS, WORD) == 0, "the alerts' documents without it")
    assert [count(wire, alias, WORD) for alias in ("news-articles", desk.DEAD_LETTERS, desk.TAKEDOWNS)] == [0, 0, 0]
    letters_left = len(wire.letters(ARTICLES_RAW))
    assert [count(wire, alias, NEIGHBOUR) for alias in ("news-articles", desk.DEAD_LETTERS, desk.ALERTS)] == [
        2,
        letters_left,
        1,
    ]
    assert open_alert(wire)
    assert WORD not in open_alert(wire)
    clean = partial(frontwire, wire, "takedown", "check", OURS.article_id)
    wait_until(lambda: clean().returncode == 0, "the notification without it")
    wait_empty(lambda: holding_after_a_nudge(wire), "every segment to be cleaned", every=2)
    assert checkpoints_holding(wire, "Tin số")
    wait_empty(lambda: checkpoints_holding(wire, WORD), "the alerter's changelog to be cleaned")
    assert topics_holding(wire, NEIGHBOUR) == ALL - {"notifications-v1"}
    (audit,) = wire.client.search(index=desk.TAKEDOWNS)["hits"]["hits"]
    assert audit["_source"]["reason"] == "Toà soạn rút bài"
    assert (audit["_source"]["author"], audit["_source"]["records"], audit["_source"]["active"]) == (
        "linh",
        sum(removed.values()),
        True,
    )


def holding_after_a_nudge(wire: Wire) -> set[str]:
    """Write to every partition, as the indexer does once an hour; return the topics that still hold our word."""
    for message in takedowns.nudges():
        wire.put(message.topic, message.key, None, partition=message.partition)
    return topics_holding(wire, WORD)


def dropped(wire: Wire, label: str) -> int:
    """Return how many records a process has dropped because of a takedown."""
    counted = read_metrics(wire.supervisor.running[label].metrics_url).get("frontwire_records_dropped_total", [])
    return int(sum(value for labels, value in counted if labels["reason"] == "taken_down"))


def test_what_is_taken_down_does_not_come_back_until_that_is_lifted(wire: Wire, tmp_path: Path) -> None:
    """Not from a file, a dead letter, a raw or finished record, a late alert, or an index that is rebuilt."""
    done = frontwire(wire, "takedown", OURS.article_id, "--reason", "again", "--author", "minh", "--json")
    assert (done.returncode, json.loads(done.stdout)["author"]) == (0, "linh")
    file = tmp_path / "ours.txt"
    file.write_text(OURS.text, encoding="utf-8")
    assert frontwire(wire, "ingest", str(file), "--source", "other").stdout.strip().endswith("taken down 1")
    letters = len(wire.letters(ARTICLES_RAW))
    replayed = frontwire(wire, "dlq", "replay", ARTICLES_RAW.name)
    assert replayed.stdout.strip() == f"sent back {letters}, left 0"
    before = {label: dropped(wire, label) for label in ("normaliser", "indexer", "alerter")}
    wire.publish([OURS])
    finished = json.loads((EXAMPLES / "articles-unique-v1/full.json").read_text(encoding="utf-8"))
    finished |= {"article_id": f"{OURS.article_id}#1", "parent_id": OURS.article_id, "title": WORD}
    home = place(ARTICLES_UNIQUE, OURS)
    wire.put(ARTICLES_UNIQUE, f"{OURS.article_id}#1".encode(), json.dumps(finished).encode(), partition=home)
    late = resolved_alert(OURS).model_copy(update={"sequence": 99})
    wire.put(ALERTS, late.alert_id.encode(), late.to_json(), partition=partition_of(late.alert_id, 6))
    for label, count_before in before.items():
        wait_until(partial(has_dropped_more, wire, label, count_before), f"the {label} to drop it")
    wait_until(lambda: is_indexed(wire, late), "the alert to be indexed")
    assert [count(wire, alias, WORD) for alias in ("news-articles", desk.DEAD_LETTERS, desk.ALERTS)] == [0, 0, 0]

    # As a snapshot would bring it back.
    month = f"news-articles-{NOW:%Y.%m}"
    restored = wire.client.get(index=month, id=f"{ANOTHER.article_id}#1")["_source"]
    restored |= {"article_id": f"{OURS.article_id}#1", "parent_id": OURS.article_id, "title": WORD}
    wire.client.index(index=month, id=f"{OURS.article_id}#1", document=restored)
    assert frontwire(wire, "index", "rebuild").returncode == 0
    assert [count(wire, "news-articles", word) for word in (WORD, NEIGHBOUR)] == [0, 2]
    assert wire.client.count(index=desk.TAKEDOWNS)["count"] == 1

    assert (
        frontwire(wire, "takedown", "lift", OURS.article_id, "--reason", "đăng lại", "--author", "linh").returncode == 0
    )
    listed = json.loads(frontwire(wire, "takedown", "list", "--json").stdout)
    assert [each["lifted"]["reason"] for each in listed] == ["đăng lại"]
    assert frontwire(wire, "ingest", str(file), "--source", "other").stdout.startswith("published 1")
    wait_until(lambda: comes_in(wire), "the article to come in again", every=1)


def has_dropped_more(wire: Wire, label: str, before: int) -> bool:
    """Return whether a process has dropped more than before."""
    return dropped(wire, label) > before


def comes_in(wire: Wire) -> bool:
    """Publish our article, as fetched now, and return whether it is indexed: a stage may hear of the end a moment later."""
    wire.publish([OURS.model_copy(update={"fetched_at": datetime.now(UTC)})])
    return {f"{OURS.article_id}#1", f"{OURS.article_id}#2"} <= set(wire.indexed())


def is_indexed(wire: Wire, alert: Alert) -> bool:
    """Return whether this very record of an alert is the one in the index."""
    wire.client.indices.refresh(index=desk.ALERTS)
    hits = wire.client.search(index=desk.ALERTS, query={"ids": {"values": [alert.alert_id]}})["hits"]["hits"]
    return [hit["_source"]["sequence"] for hit in hits] == [alert.sequence]
