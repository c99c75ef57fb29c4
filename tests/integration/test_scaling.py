"""Several copies of a service: they share the work, take over from each other, and stop cleanly."""

import time

import pytest

from shared.ids import article_id_for_text, partition_of
from shared.models import ExtractedArticle, UniqueArticle
from shared.supervisor import copies
from shared.topics import ARTICLES_NORMALISED, ARTICLES_RAW, ARTICLES_SKETCHED, ARTICLES_UNIQUE
from tests.support.articles import raw_article, raw_articles
from tests.support.duplicates import (
    COPY_EVERY,
    answers_in,
    answers_in_memory,
    extracted_articles,
    publish_extracted,
    send_all,
    sketched_messages,
)
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = [pytest.mark.engines, pytest.mark.minutes]


def test_the_duplicate_decision_does_not_depend_on_the_number_of_workers(wire: Wire) -> None:
    """The same articles, a third of them copies, give the same through one and three sketch workers and in memory."""
    articles = list(extracted_articles(range(300), seed=2))
    copied, originals = articles[COPY_EVERY - 1 :: COPY_EVERY], [a for n, a in enumerate(articles, 1) if n % COPY_EVERY]
    clusters = {}
    for workers in (1, 3):
        wire.clean()
        wire.start(*copies(JOBS["sketch"], workers), JOBS["decide"])
        # Only the order within each half is left to the workers: which article is the original is not.
        publish_extracted(wire, originals)
        wait_until(lambda: len(wire.keys(ARTICLES_SKETCHED)) == 200, "the originals to be sketched")
        publish_extracted(wire, copied)
        wait_until(lambda: len(wire.keys(ARTICLES_UNIQUE)) == 300, "300 decisions")
        wire.supervisor.stop()
        assert answers_in(wire.read(ARTICLES_UNIQUE)) == answers_in_memory(wire.read(ARTICLES_SKETCHED))
        decided = [UniqueArticle.model_validate_json(record.value or b"") for record in wire.read(ARTICLES_UNIQUE)]
        clusters[workers] = {article.article_id: article.cluster_id for article in decided}
        assert len({article.article_id for article in decided if article.duplicate_of}) == 100
    assert clusters[1] == clusters[3]


def test_a_standby_decider_takes_over(wire: Wire) -> None:
    """Of two deciders one works; when it is killed the other goes on with the same memory: copies are still found."""
    first, second = copies(JOBS["decide"], 2)
    wire.start(first)
    originals = list(extracted_articles(range(0, 150, COPY_EVERY), seed=3))
    send_all(wire, sketched_messages(originals))
    wait_until(lambda: len(wire.keys(ARTICLES_UNIQUE)) == 50, "50 decisions")
    wire.start(second)
    wire.supervisor.kill(first.label)
    expected = {article_id_for_text(article.article_id): [article.article_id] for article in originals}
    send_all(wire, sketched_messages(again(article) for article in originals))
    wait_until(lambda: len(wire.keys(ARTICLES_UNIQUE)) == 100, "the standby's decisions", 40)
    decided = [UniqueArticle.model_validate_json(record.value or b"") for record in wire.read(ARTICLES_UNIQUE)]
    assert {article.article_id: article.duplicate_of for article in decided if article.duplicate_of} == expected


def again(article: ExtractedArticle) -> ExtractedArticle:
    """Return another article with the same text."""
    article_id = article_id_for_text(article.article_id)
    return article.model_copy(update={"article_id": article_id, "parent_id": article_id})


def test_two_copies_share_the_work_and_stop_cleanly(wire: Wire) -> None:
    """Two normalisers divide the partitions; SIGTERM ends each within 10 s with its offsets committed: nothing comes again."""
    one, two = copies(JOBS["normaliser"], 2)
    wire.start(one, two)
    raws = list(raw_articles(600, size=500, seed=4))
    assert {partition_of(raw.article_id, 6) for raw in raws} == set(range(6))
    wire.publish(raws)
    group = "frontwire-normaliser"
    wait_until(lambda: wire.committed(group, ARTICLES_RAW) >= 600, "600 records to be committed")
    assert wire.keys(ARTICLES_NORMALISED) == {raw.article_id.encode() for raw in raws}
    shares = [wire.metric(job.label, "frontwire_records_in_total") for job in (one, two)]
    # A rebalance that ends late may give some records to both.
    assert sum(shares) >= 600
    assert all(share > 0 for share in shares), shares
    started = time.monotonic()
    codes = wire.supervisor.stop()
    assert time.monotonic() - started < 10
    assert set(codes.values()) == {0}
    wire.start(one)
    wire.publish([raw_article(9999, seed=4)])
    wait_until(lambda: wire.metric(one.label, "frontwire_records_in_total") >= 1, "the new record")
    assert wire.metric(one.label, "frontwire_records_in_total") == 1
