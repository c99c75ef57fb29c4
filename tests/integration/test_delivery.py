"""Nothing lost, nothing twice; order kept: on the real engines, under kills and restarts."""

import time
from collections import defaultdict

import pytest

from shared.ids import partition_of
from shared.models import UniqueArticle
from shared.stage import article_message
from shared.supervisor import copies
from shared.topics import ARTICLES_RAW, ARTICLES_SKETCHED, ARTICLES_UNIQUE, PIPELINE
from tests.support.articles import raw_article, raw_articles, write_jsonl
from tests.support.wire import JOBS, WORKERS, Wire, wait_until

pytestmark = pytest.mark.engines

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
        write_jsonl(folder / f"part-{step}.jsonl", range(step * batch, (step + 1) * batch))
        time.sleep(2)
        if step < len(victims):
            wire.supervisor.kill(victims[step])
            wire.restart(victims[step])
        elif step == 6:
            wire.stop_engine("kafka")
            wire.start_engine("kafka")
        elif step == 7:
            wire.stop_engine("elasticsearch")
            time.sleep(20)
            wire.start_engine("elasticsearch")
    wait_until(lambda: wire.count() >= articles, f"{articles} documents", 180, every=1)
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
    assert len(wire.indexed()) == pairs
    first_sights: dict[bytes | None, list[int]] = defaultdict(list)
    for record in wire.read(ARTICLES_UNIQUE):
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


def test_the_duplicate_decision_does_not_depend_on_the_number_of_workers(wire: Wire) -> None:
    """The same articles, a third of them copies, through one and through three sketch workers give the same clusters."""
    clusters = {}
    for workers in (1, 3):
        wire.clean()
        jobs = (JOBS["normaliser"], JOBS["extractor"], *copies(JOBS["sketch"], workers), JOBS["decide"])
        wire.start(*jobs)
        originals = list(raw_articles(200, size=900, seed=2))
        repeats = [
            raw_article(1000 + number, seed=2, text=f"{originals[number].text}\n\nẢnh: Reuters")
            for number in range(100)
        ]
        wire.publish(originals)
        wait_until(lambda: len(wire.read(ARTICLES_SKETCHED)) >= 200, "the originals to be sketched", 90)
        wire.publish(repeats)
        wait_until(lambda: len(wire.read(ARTICLES_UNIQUE)) >= 300, "300 decisions", 90)
        wire.supervisor.stop()
        decided = [UniqueArticle.model_validate_json(record.value or b"") for record in wire.read(ARTICLES_UNIQUE)]
        clusters[workers] = {article.article_id: article.cluster_id for article in decided}
        assert sum(bool(article.duplicate_of) for article in decided) == 100
    assert clusters[1] == clusters[3]


def test_a_standby_decider_takes_over(wire: Wire) -> None:
    """Of two deciders one works; when it is killed the other goes on with the same memory: copies are still found."""
    first, second = copies(JOBS["decide"], 2)
    wire.start(JOBS["normaliser"], JOBS["extractor"], JOBS["sketch"], first)
    originals = list(raw_articles(50, seed=3))
    wire.publish(originals)
    wait_until(lambda: len(wire.read(ARTICLES_UNIQUE)) >= 50, "50 decisions", 60)
    wire.start(second)
    wire.supervisor.kill(first.label)
    wire.publish(raw_article(500 + number, seed=3, text=originals[number].text) for number in range(50))
    killed_at = time.monotonic()
    wait_until(lambda: len(wire.read(ARTICLES_UNIQUE)) >= 100, "the standby's decisions", 60)
    assert time.monotonic() - killed_at < 40
    decided = [UniqueArticle.model_validate_json(record.value or b"") for record in wire.read(ARTICLES_UNIQUE)]
    copied = {article.article_id: article.duplicate_of for article in decided if article.duplicate_of}
    expected = {raw_article(500 + n, seed=3).article_id: [raw_article(n, seed=3).article_id] for n in range(50)}
    assert copied == expected


def test_two_copies_share_the_work_and_stop_cleanly(wire: Wire) -> None:
    """Two normalisers divide the partitions; SIGTERM ends each within 10 s with its offsets committed: nothing comes again."""
    one, two = copies(JOBS["normaliser"], 2)
    wire.start(one, two)
    raws = list(raw_articles(600, size=500, seed=4))
    assert {partition_of(raw.article_id, 6) for raw in raws} == set(range(6))
    wire.publish(raws)
    group = "frontwire-normaliser"
    wait_until(lambda: wire.committed(group, ARTICLES_RAW) >= 600, "600 records to be committed", 60)
    shares = [wire.metric(job.label, "frontwire_records_in_total") for job in (one, two)]
    assert sum(shares) == 600
    assert all(share > 0 for share in shares), shares
    started = time.monotonic()
    codes = wire.supervisor.stop()
    assert time.monotonic() - started < 10
    assert set(codes.values()) == {0}
    wire.start(one)
    wire.publish([raw_article(9999, seed=4)])
    wait_until(lambda: wire.metric(one.label, "frontwire_records_in_total") >= 1, "the new record", 60)
    assert wire.metric(one.label, "frontwire_records_in_total") == 1


def test_every_service_stops_within_ten_seconds(wire: Wire) -> None:
    """SIGTERM ends every service with exit code 0 while records flow."""
    wire.start(*JOBS.values())
    wire.publish(raw_articles(300, seed=5))
    time.sleep(1)
    started = time.monotonic()
    codes = wire.supervisor.stop()
    assert time.monotonic() - started < 10
    assert set(codes.values()) == {0}, codes


def test_a_repeated_record_changes_nothing(wire: Wire) -> None:
    """The same raw record three times: one document, one decision, counted as a stale version by the indexer."""
    wire.start(*WORKERS)
    raw = raw_article(1, seed=6)
    wire.publish([raw])
    wire.wait_indexed({raw.article_id})
    before = wire.client.get(index="news-articles-2025.11", id=raw.article_id)
    for _ in range(2):
        message = article_message(ARTICLES_RAW, raw)
        wire.put(ARTICLES_RAW, message.key, message.value, message.headers, message.partition)
    wait_until(lambda: wire.metric("indexer", "frontwire_records_in_total") >= 3, "the repeats to arrive", 60)
    wait_until(lambda: wire.metric("indexer", "frontwire_records_dropped_total") == 2, "stale versions", 20)
    after = wire.client.get(index="news-articles-2025.11", id=raw.article_id)
    assert after["_version"] == before["_version"]
    assert after["_source"] == before["_source"]
    assert wire.count() == 1
