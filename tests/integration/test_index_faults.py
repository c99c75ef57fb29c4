"""What may go wrong between Kafka and Elasticsearch: nothing is lost, nothing is twice, nothing is dead-lettered for it.

One indexer, which reaches Elasticsearch through a proxy that can break, for the whole file; each test has ids of its own. The
faults that touch the index, and where each is tried on the real engines (here where no file is named):

not JSON, a field absent, a wrong type  test_bad_input::test_every_stage_refuses_what_it_cannot_read
refused or a bug in the midst of others test_a_document_that_the_index_refuses_stops_nobody
a 40 kB keyword, a date that is none    the same
an article larger than a message        test_bad_input::test_an_article_of_20_mb_is_kept_as_hash_size_and_head
a null and an empty record              test_a_null_record_removes_its_article_and_an_empty_one_is_refused
the year 9999, control characters       test_bad_input::test_damage_is_repaired_or_flagged_and_never_loses_the_article
the same article a hundred times        test_an_older_revision_and_a_hundred_copies_change_nothing
an older revision after a newer one     the same, and test_delivery
killed, also between answer and commit  test_killed_again_and_again_it_loses_nothing; five times: prove/test_index_kills.py
the broker killed, away for 15 s        prove/test_index_kills.py, test_delivery
a second indexer comes and goes         test_a_second_indexer_comes_and_goes
429 for a whole request                 test_an_overloaded_elasticsearch_is_waited_for
429 for one item                        unit/core/test_indexer.py: one node does not give it at will
Elasticsearch away                      test_operations::test_an_indexer_without_elasticsearch_is_not_ready_and_loses_nothing
write block                             test_index::test_a_write_block_is_waited_for
red: a shard without a node             test_an_index_without_a_node_is_waited_for
hanging request, reset connection       test_a_request_that_hangs_…, test_a_connection_that_is_reset_…
dead letters cannot be written          unit/core/test_indexer_poll.py: it ends without a commit
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import pytest
from elasticsearch import ApiError

from services.commands.common import project_folder
from services.indexer import elastic
from services.indexer.article import INDEXED_ARTICLE
from services.indexer.elastic import Delivery, Result
from services.indexer.transform import document
from shared.errors import Reason, Transient
from shared.ids import partition_of
from shared.kafka_clients import make_producer, send
from shared.models import UniqueArticle
from shared.stage import article_message
from shared.supervisor import copies
from shared.topics import ALERTS, ARTICLES_UNIQUE, FEED_STATE
from tests.integration.test_kibana_panels import alert
from tests.support.faults import FaultProxy
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = pytest.mark.engines

EXAMPLE = project_folder() / "schemas/examples/articles-unique-v1/full.json"
FULL = UniqueArticle.model_validate_json(EXAMPLE.read_text(encoding="utf-8"))


def articles(numbers: range, **changes: Any) -> list[UniqueArticle]:
    return [
        FULL.model_copy(
            update={"article_id": f"{n:032x}", "parent_id": f"{n:032x}", "revision": 1, "body": "Tin. " * 400} | changes
        )
        for n in numbers
    ]


def ids(numbers: range) -> set[str]:
    return {f"{number:032x}" for number in numbers}


def publish(wire: Wire, *made: UniqueArticle) -> None:
    with closing(make_producer(wire.settings, "tests")) as producer:
        for each in made:
            send(producer, article_message(ARTICLES_UNIQUE, each))
        producer.flush()


def put(wire: Wire, key: str, value: bytes | None) -> None:
    """Send a value under an article's key, to its partition."""
    wire.put(ARTICLES_UNIQUE, key.encode(), value, partition=partition_of(key, ARTICLES_UNIQUE.partitions))


def letters_of(wire: Wire, numbers: range) -> dict[str, str]:
    """Return the reasons of the dead letters of these articles by id."""
    found = {(letter.key or b"").decode(): letter.reason for letter in wire.letters(ARTICLES_UNIQUE)}
    return {key: found[key] for key in ids(numbers) & found.keys()}


@pytest.fixture(scope="module")
def proxied(own_wire: Wire) -> Iterator[tuple[Wire, FaultProxy]]:
    """A wire whose indexer reaches Elasticsearch through a proxy that can break."""
    wire = own_wire
    proxy = FaultProxy(urlsplit(wire.settings.elasticsearch_url).port or 0)
    wire.supervisor.settings = wire.settings.model_copy(update={"elasticsearch_url": f"http://127.0.0.1:{proxy.port}"})
    wire.start(JOBS["indexer"])
    yield wire, proxy
    wire.supervisor.stop()
    proxy.close()


@pytest.fixture
def wire(proxied: tuple[Wire, FaultProxy]) -> Wire:
    """The same wire, for tests that do not break the connection."""
    return proxied[0]


def test_alerts_feeds_and_dead_letters_are_indexed_too(wire: Wire) -> None:
    made = alert(4)
    newer = made.model_copy(update={"sequence": 2, "reason_vi": "mới"})
    for record in (made, newer, made):
        wire.put(ALERTS, made.alert_id.encode(), record.to_json())
    wire.put(FEED_STATE, "mau.example|Báo Mẫu".encode(), '{"feed":"Báo Mẫu","url":"https://mau.example/rss"}'.encode())
    wire.put(FEED_STATE, "mau.example|Báo Mẫu|item".encode(), b"{}")
    wire.put(ARTICLES_UNIQUE, b"key", b"{not json")

    def counts() -> list[int]:
        try:
            wire.client.indices.refresh(index="news-*")
            return [
                int(wire.client.count(index=alias, ignore_unavailable=True)["count"])
                for alias in ("news-alerts", "news-feeds", "news-dead-letters")
            ]
        except ApiError:
            # An index that is being made answers no search yet.
            return []

    wait_until(lambda: counts() == [1, 1, 1], "an alert, a feed and a dead letter")
    (found,) = wire.client.search(index="news-alerts")["hits"]["hits"]
    assert (found["_id"], found["_source"]["reason_vi"]) == (made.alert_id, "mới")
    (letter,) = wire.client.search(index="news-dead-letters")["hits"]["hits"]
    assert (letter["_source"]["reason"], letter["_source"]["stage"]) == ("broken_json", "indexer")


def test_killed_again_and_again_it_loses_nothing(wire: Wire) -> None:
    """`kill -9` while batches are out, between their answers and the commit too: every document once."""
    for round_ in range(2):
        numbers = range(1000 + round_ * 400, 1400 + round_ * 400)
        before = wire.count()
        publish(wire, *articles(numbers))
        wait_until(lambda before=before: wire.count() > before, "the batch to begin", every=0.02)  # type: ignore[misc]
        wire.supervisor.kill("indexer")
        wire.restart("indexer")
    wire.wait_indexed(ids(range(1000, 1800)))
    assert not letters_of(wire, range(1000, 1800))


def test_a_connection_that_is_reset_in_the_middle_of_a_body_is_repeated(proxied: tuple[Wire, FaultProxy]) -> None:
    wire, proxy = proxied
    proxy.fault = "reset"
    publish(wire, *articles(range(2000, 2300)))
    wait_until(lambda: proxy.broken >= 2, "two requests to break")
    assert not ids(range(2000, 2300)) & wire.indexed().keys()
    proxy.fault = "none"
    wire.wait_indexed(ids(range(2000, 2300)))
    assert not letters_of(wire, range(2000, 2300))


def test_a_request_that_hangs_is_given_up_and_repeated(proxied: tuple[Wire, FaultProxy]) -> None:
    wire, proxy = proxied
    (made,) = (INDEXED_ARTICLE.validate_json(each.to_json()) for each in articles(range(2500, 2501)))
    item = elastic.index_item("news-articles-2025.11", made.article_id, 1, document(made, indexed_at=made.fetched_at))
    with closing(elastic.connect(wire.supervisor.settings)) as client:
        delivery = Delivery(client.options(request_timeout=1), [item])
        proxy.fault = "hang"
        with pytest.raises(Transient, match="cannot be reached"):
            delivery.send()
        proxy.fault = "none"
        assert delivery.send().result(item)[0] is Result.DONE
    assert made.article_id in wire.indexed()


def test_a_document_that_the_index_refuses_stops_nobody(wire: Wire) -> None:
    """Two dates that are none and a keyword of 40 kB, among good ones."""
    bad = {
        3000: FULL.published.model_copy(update={"earliest": "hôm nọ"}),
        3010: FULL.published.model_copy(update={"value": "tuần trước"}),
    }
    made = articles(range(3000, 3020))
    for number, published in bad.items():
        made[number - 3000] = made[number - 3000].model_copy(update={"published": published})
    made[19] = made[19].model_copy(update={"cluster_id": "x" * 40_000})
    publish(wire, *made)
    wire.wait_indexed(ids(range(3000, 3020)) - {f"{number:032x}" for number in (3000, 3010, 3019)})
    wait_until(lambda: len(letters_of(wire, range(3000, 3020))) == 3, "three dead letters")
    assert letters_of(wire, range(3000, 3020)) == {
        f"{3000:032x}": Reason.INDEX_REFUSED,
        f"{3010:032x}": Reason.BUG,
        f"{3019:032x}": Reason.INDEX_REFUSED,
    }


def test_a_null_record_removes_its_article_and_an_empty_one_is_refused(wire: Wire) -> None:
    publish(wire, *articles(range(4000, 4002)))
    wire.wait_indexed(ids(range(4000, 4002)))
    gone, kept = f"{4000:032x}", f"{4001:032x}"
    put(wire, gone, None)
    put(wire, kept, b"")
    wait_until(lambda: gone not in wire.indexed(), "the article to be gone")
    wait_until(lambda: letters_of(wire, range(4000, 4002)), "the dead letter")
    assert letters_of(wire, range(4000, 4002)) == {kept: Reason.BROKEN_JSON}
    assert kept in wire.indexed()


def test_an_older_revision_and_a_hundred_copies_change_nothing(wire: Wire) -> None:
    (newer,) = articles(range(5000, 5001), revision=2, title="Mới")
    older = newer.model_copy(
        update={"revision": 1, "title": "Cũ", "fetched_at": newer.fetched_at - timedelta(milliseconds=1)}
    )
    stale = wire.metric("indexer", "frontwire_records_dropped_total")
    publish(wire, newer, older, *[newer] * 99)
    wait_until(lambda: wire.metric("indexer", "frontwire_records_dropped_total") >= stale + 100, "stale versions")
    found = wire.client.get(index="news-articles-2025.11", id=newer.article_id)
    assert found["_source"]["title"] == "Mới"
    assert wire.indexed()[newer.article_id] == 1


def test_a_second_indexer_comes_and_goes(wire: Wire) -> None:
    """Partitions move to a second copy and back while articles flow: none lost, none twice."""
    second = copies(JOBS["indexer"], 2)[1]
    publish(wire, *articles(range(6000, 6300)))
    wire.start(second)
    numbers = count(6300)

    def has_a_part() -> bool:
        # Until the group has shared its partitions anew, the first takes all that comes.
        number = next(numbers)
        publish(wire, *articles(range(number, number + 1)))
        return wire.metric(second.label, "frontwire_records_in_total") > 0

    wait_until(has_a_part, "the second to have a part")
    wire.supervisor.kill(second.label)
    reached = next(numbers)
    publish(wire, *articles(range(reached, reached + 300)))
    wire.wait_indexed(ids(range(6000, reached + 300)))
    assert not letters_of(wire, range(6000, reached + 300))


def test_an_overloaded_elasticsearch_is_waited_for(wire: Wire) -> None:
    """Its memory for requests is used up: it answers 429 to the whole request."""
    breaker = {"network.breaker.inflight_requests.limit": "20kb"}
    wire.client.cluster.put_settings(transient=breaker)
    try:
        publish(wire, *articles(range(7000, 7100)))
        wait_until(lambda: wire.metric("indexer", "frontwire_index_paused") == 1, "the indexer to pause")
        assert not ids(range(7000, 7100)) & wire.indexed().keys()
    finally:
        wire.client.cluster.put_settings(transient=dict.fromkeys(breaker))
    wire.wait_indexed(ids(range(7000, 7100)))
    assert not letters_of(wire, range(7000, 7100))


def test_an_index_without_a_node_is_waited_for(wire: Wire) -> None:
    """A red index: its shard has no node to live on until the setting is mended."""
    seen = datetime(2026, 4, 5, tzinfo=UTC)
    nowhere = "index.routing.allocation.require._name"
    index = "news-articles-2026.04"
    wire.client.indices.create(index=index, settings={nowhere: "nobody"}, wait_for_active_shards="0")
    assert wire.client.cluster.health(index=index)["status"] == "red"
    publish(wire, *articles(range(8000, 8010), first_seen_at=seen))
    wait_until(lambda: wire.metric("indexer", "frontwire_index_paused") == 1, "the indexer to pause")
    wire.client.indices.put_settings(index=index, settings={nowhere: None})
    wire.wait_indexed(ids(range(8000, 8010)))
    assert not letters_of(wire, range(8000, 8010))


def test_an_index_of_another_mapping_keeps_the_indexer_from_being_ready(wire: Wire) -> None:
    name = "news-articles-2026.01"
    wire.supervisor.stop()
    wire.client.indices.create(index=name, mappings={"properties": {"title": {"type": "long"}}})
    running = wire.supervisor.start_one(JOBS["indexer"])
    wait_until(lambda: "holds as another type: title" in running.log.read_text(), "the indexer to say what is wrong")
    assert wire.metric("indexer", "frontwire_ready") == 0
    wire.client.indices.delete(index=name)
    wire.wait_ready("indexer")
