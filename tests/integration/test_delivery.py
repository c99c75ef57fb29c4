"""Nothing lost, nothing twice; order kept: on the real engines, under kills and restarts. One wire for the whole file."""

import time
from collections import defaultdict

import pytest

from shared.ids import article_id_for_text
from shared.models import UniqueArticle
from shared.stage import article_message
from shared.topics import ARTICLES_RAW, ARTICLES_UNIQUE, PIPELINE
from tests.support.articles import raw_article, write_jsonl
from tests.support.wire import JOBS, WORKERS, Wire, wait_until

pytestmark = pytest.mark.engines


@pytest.fixture
def wire(standing_wire: Wire) -> Wire:
    """One wire for the whole file."""
    return standing_wire


FEEDS = """feeds:
  - name: Generated
    path: {folder}
    kind: jsonl
    language: vi
    timezone: Asia/Ho_Chi_Minh
    every: 2s
"""


def test_nothing_is_lost_and_nothing_is_twice_whatever_is_killed(wire: Wire) -> None:
    """2,000 articles from the fetcher to the index while every service is killed, the broker restarted and the index away."""
    articles = 2000
    folder = wire.settings.config_dir / "incoming"
    folder.mkdir()
    (wire.settings.config_dir / "feeds.yaml").write_text(FEEDS.format(folder=folder), encoding="utf-8")
    wire.start(*JOBS.values())
    batch = articles // 10
    victims = ["fetcher", "normaliser", "extractor", "sketch", "decide", "indexer"]
    for step in range(10):
        write_jsonl(folder / f"part-{step}.jsonl", range(step * batch, (step + 1) * batch), size=600)
        time.sleep(2)
        if step == 0:
            wire.stop_engine("elasticsearch")
            elasticsearch_until = time.monotonic() + 20
        elif step <= len(victims):
            wire.supervisor.kill(victims[step - 1])
            wire.restart(victims[step - 1])
        elif step == len(victims) + 1:
            wire.stop_engine("kafka")
            wire.start_engine("kafka")
            time.sleep(max(0.0, elasticsearch_until - time.monotonic()))
            wire.start_engine("elasticsearch")
    wait_until(lambda: wire.count() >= articles, f"{articles} documents", 300, every=1)
    assert not wire.supervisor.dead(), "a service ended by itself"
    found = wire.indexed()
    assert len(found) == articles
    assert set(found.values()) == {1}
    expected = {record.key for record in wire.read(ARTICLES_RAW)}
    assert {key.encode() for key in found} == expected
    assert not [letter.reason for topic in PIPELINE for letter in wire.letters(topic)]


def test_revisions_stay_in_order_and_an_older_one_never_wins(wire: Wire) -> None:
    """2,000 pairs of revisions through every stage, with kills: first sights in order, the newer one in the index."""
    pairs = 2000
    wire.start(*WORKERS)
    for start in range(0, pairs, 500):
        numbers = range(start, start + 500)
        wire.publish(
            raw_article(number, size=600, seed=1, revision=revision) for revision in (1, 2) for number in numbers
        )
        wire.supervisor.kill(WORKERS[start // 500].label)
        wire.restart(WORKERS[start // 500].label)
    wait_until(lambda: newest_revisions(wire) >= pairs, "every second revision to be indexed", 240, every=2)
    keys = {article_id_for_text(f"generated 1/{number}").encode() for number in range(pairs)}
    assert len({key.encode() for key in wire.indexed()} & keys) == pairs
    first_sights: dict[bytes | None, list[int]] = defaultdict(list)
    for record in wire.read(ARTICLES_UNIQUE):
        if record.key not in keys:
            continue
        revision = UniqueArticle.model_validate_json(record.value or b"").revision
        if revision not in first_sights[record.key]:
            first_sights[record.key].append(revision)
    inverted = [key for key, revisions in first_sights.items() if revisions != sorted(revisions)]
    assert inverted == []
    assert all(revisions == [1, 2] for revisions in first_sights.values())


def newest_revisions(wire: Wire) -> int:
    """Return how many second revisions are searchable."""
    wire.client.indices.refresh(index="news-articles", ignore_unavailable=True)
    return int(
        wire.client.count(index="news-articles", query={"term": {"revision": 2}}, ignore_unavailable=True)["count"]
    )


def test_a_repeated_record_changes_nothing(wire: Wire) -> None:
    """The same raw record three times: one document, one decision, counted as a stale version by the indexer."""
    wire.start(*WORKERS)
    raw = raw_article(1, seed=6)
    wire.publish([raw])
    wire.wait_indexed({raw.article_id})
    before = wire.client.get(index="news-articles-2025.11", id=raw.article_id)
    stale = wire.metric("indexer", "frontwire_records_dropped_total")
    for _ in range(2):
        message = article_message(ARTICLES_RAW, raw)
        wire.put(ARTICLES_RAW, message.key, message.value, message.headers, message.partition)
    wait_until(lambda: wire.metric("indexer", "frontwire_records_dropped_total") >= stale + 2, "stale versions", 60)
    after = wire.client.get(index="news-articles-2025.11", id=raw.article_id)
    assert after["_version"] == before["_version"]
    assert after["_source"] == before["_source"]
    assert wire.indexed()[raw.article_id] == 1
