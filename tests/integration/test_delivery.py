"""Nothing lost, nothing twice; order kept: on the real engines, under kills and restarts."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Set
from functools import partial

import orjson
import pytest

from shared.ids import article_id_for_link
from shared.stage import article_message
from shared.topics import ARTICLES_RAW, ARTICLES_UNIQUE, PIPELINE, Topic
from tests.support.articles import link_of, raw_article, write_jsonl
from tests.support.wire import JOBS, WORKERS, Wire, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.minutes]


@pytest.fixture
def wire(standing_wire: Wire) -> Wire:
    """One wire for the whole file."""
    return standing_wire


FEEDS = """feeds:
  - name: {feed}
    path: {folder}
    kind: jsonl
    language: vi
    timezone: Asia/Ho_Chi_Minh
    every: 2s
"""
FEED = "Delivered"
SEED = 1
ARTICLES = 2000
PARTS = 5


def test_nothing_is_lost_nothing_is_twice_and_order_is_kept_whatever_is_killed(wire: Wire) -> None:
    """2,000 articles, then a new version of each, from the fetcher to the index, under kills and without engines for a while.

    At the end the index holds each article once, in its newest version, and every stage saw the versions in their order.
    """
    folder = wire.settings.config_dir / "generated"
    folder.mkdir()
    (wire.settings.config_dir / "feeds.yaml").write_text(FEEDS.format(feed=FEED, folder=folder), encoding="utf-8")
    wire.start(*JOBS.values())
    faults = disturbances(wire)
    expected = {article_id_for_link(link_of(number, SEED)) for number in range(ARTICLES)}
    keys = {article_id.encode() for article_id in expected}
    for revision in (1, 2):
        for part, start in enumerate(range(0, ARTICLES, ARTICLES // PARTS)):
            numbers = range(start, start + ARTICLES // PARTS)
            write_jsonl(folder / f"part-{part}.jsonl", numbers, size=600, seed=SEED, revision=revision)
            time.sleep(2)
            next(faults)()
        # The first version of a file must be read before there is a second.
        wait_until(lambda: revisions_of(wire, ARTICLES_RAW, keys).keys() >= expected, "every article", 900, every=2)
    wait_until(lambda: newest_revisions(wire) >= ARTICLES, "every second version to be indexed", 900, every=1)
    assert not wire.supervisor.dead(), "a service ended by itself"
    found = wire.indexed()
    assert {article_id: found[article_id] for article_id in expected} == dict.fromkeys(expected, 1)
    for topic in (ARTICLES_RAW, ARTICLES_UNIQUE):
        seen = revisions_of(wire, topic, keys)
        assert {first_sights(seen[article_id]) for article_id in expected} == {(1, 2)}
    assert not [letter.reason for topic in PIPELINE for letter in wire.letters(topic) if letter.key in keys]


def disturbances(wire: Wire) -> Iterator[Callable[[], None]]:
    """Yield what happens after each batch of files: every stage is killed, both engines go away, Elasticsearch for 20 s."""
    away: list[float] = []

    def kill(label: str) -> None:
        wire.supervisor.kill(label)
        wire.restart(label)

    def stop_elasticsearch() -> None:
        wire.stop_engine("elasticsearch")
        away.append(time.monotonic())

    def restart_engines() -> None:
        wire.stop_engine("kafka")
        wire.start_engine("kafka")
        time.sleep(max(0.0, away[0] + 20 - time.monotonic()))
        wire.start_engine("elasticsearch")

    yield from (partial(kill, label) for label in ("fetcher", "normaliser", "extractor", "sketch", "decide"))
    yield stop_elasticsearch
    yield from (partial(kill, label) for label in ("indexer", "fetcher"))
    yield restart_engines
    yield partial(kill, "decide")


def revisions_of(wire: Wire, topic: Topic, keys: Set[bytes]) -> dict[str, list[int]]:
    """Return the revisions of each article in the order in which a topic holds them, repeated ones included."""
    found: dict[str, list[int]] = defaultdict(list)
    for record in wire.read(topic):
        if record.key in keys:
            article = orjson.loads(record.value or b"")
            found[article["article_id"]].append(article["revision"])
    return found


def first_sights(revisions: list[int]) -> tuple[int, ...]:
    """Return each revision once, in the order of its first sight."""
    return tuple(dict.fromkeys(revisions))


SECOND_VERSIONS = {"bool": {"filter": [{"term": {"feed": FEED}}, {"term": {"revision": 2}}]}}


def newest_revisions(wire: Wire) -> int:
    """Return how many second versions are searchable."""
    wire.client.indices.refresh(index="news-articles", ignore_unavailable=True)
    return int(wire.client.count(index="news-articles", query=SECOND_VERSIONS, ignore_unavailable=True)["count"])


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
    wait_until(lambda: wire.metric("indexer", "frontwire_records_dropped_total") >= stale + 2, "stale versions")
    after = wire.client.get(index="news-articles-2025.11", id=raw.article_id)
    assert after["_version"] == before["_version"]
    assert after["_source"] == before["_source"]
    assert wire.indexed()[raw.article_id] == 1
