"""What may go wrong between Kafka and Elasticsearch: nothing is lost, nothing is twice, nothing is dead-lettered for it."""

from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from services.commands.common import project_folder
from services.indexer import elastic
from services.indexer.article import IndexedArticle
from services.indexer.elastic import Delivery, Result
from services.indexer.transform import document
from shared.errors import Transient
from shared.kafka_clients import make_producer, send
from shared.models import UniqueArticle
from shared.stage import article_message
from shared.topics import ALERTS, ARTICLES_UNIQUE, FEED_STATE
from tests.integration.test_kibana_panels import alert
from tests.support.faults import FaultProxy
from tests.support.wire import JOBS, Wire, wait_until

pytestmark = pytest.mark.engines

EXAMPLE = project_folder() / "schemas/examples/articles-unique-v1/full.json"
FULL = UniqueArticle.model_validate_json(EXAMPLE.read_text(encoding="utf-8"))


def articles(numbers: range) -> list[UniqueArticle]:
    return [
        FULL.model_copy(
            update={"article_id": f"{n:032x}", "parent_id": f"{n:032x}", "revision": 1, "body": "Tin. " * 400}
        )
        for n in numbers
    ]


def publish(wire: Wire, numbers: range) -> None:
    with closing(make_producer(wire.settings, "tests")) as producer:
        for made in articles(numbers):
            send(producer, article_message(ARTICLES_UNIQUE, made))
        producer.flush()


@pytest.fixture
def proxied(wire: Wire) -> Iterator[tuple[Wire, FaultProxy]]:
    """A wire whose services reach Elasticsearch through a proxy that can break."""
    proxy = FaultProxy(urlsplit(wire.settings.elasticsearch_url).port or 0)
    wire.supervisor.settings = wire.settings.model_copy(update={"elasticsearch_url": f"http://127.0.0.1:{proxy.port}"})
    yield wire, proxy
    wire.supervisor.stop()
    proxy.close()


def test_alerts_feeds_and_dead_letters_are_indexed_too(wire: Wire) -> None:
    wire.start(JOBS["indexer"])
    made = alert(4)
    newer = made.model_copy(update={"sequence": 2, "reason_vi": "mới"})
    for record in (made, newer, made):
        wire.put(ALERTS, made.alert_id.encode(), record.to_json())
    wire.put(FEED_STATE, "mau.example|Báo Mẫu".encode(), '{"feed":"Báo Mẫu","url":"https://mau.example/rss"}'.encode())
    wire.put(FEED_STATE, "mau.example|Báo Mẫu|item".encode(), b"{}")
    wire.put(ARTICLES_UNIQUE, b"key", b"{not json")

    def counts() -> list[int]:
        wire.client.indices.refresh(index="news-*")
        return [
            int(wire.client.count(index=alias, ignore_unavailable=True)["count"])
            for alias in ("news-alerts", "news-feeds", "news-dead-letters")
        ]

    wait_until(lambda: counts() == [1, 1, 1], "an alert, a feed and a dead letter", 60)
    (found,) = wire.client.search(index="news-alerts")["hits"]["hits"]
    assert (found["_id"], found["_source"]["reason_vi"]) == (made.alert_id, "mới")
    (letter,) = wire.client.search(index="news-dead-letters")["hits"]["hits"]
    assert (letter["_source"]["reason"], letter["_source"]["stage"]) == ("broken_json", "indexer")


@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.prove)])
def test_killed_again_and_again_it_loses_nothing(wire: Wire, kills: int) -> None:
    """`kill -9` while batches are out, between their answers and the commit too: every document once."""
    wire.start(JOBS["indexer"])
    for round_ in range(kills):
        publish(wire, range(round_ * 400, round_ * 400 + 400))
        wait_until(lambda round_=round_: wire.count() > round_ * 400, "the batch to begin", 60, every=0.02)  # type: ignore[misc]
        wire.supervisor.kill("indexer")
        wire.restart("indexer")
    wait_until(lambda: wire.count() >= kills * 400, "every article", 120)
    found = wire.indexed()
    assert len(found) == kills * 400
    assert set(found.values()) == {1}
    assert not wire.letters(ARTICLES_UNIQUE)


def test_a_connection_that_is_reset_in_the_middle_of_a_body_is_repeated(proxied: tuple[Wire, FaultProxy]) -> None:
    wire, proxy = proxied
    wire.start(JOBS["indexer"])
    proxy.fault = "reset"
    publish(wire, range(300))
    wait_until(lambda: proxy.broken >= 2, "two requests to break", 60)
    assert wire.count() == 0
    proxy.fault = "none"
    wait_until(lambda: wire.count() == 300, "every article", 60)
    assert set(wire.indexed().values()) == {1}
    assert not wire.letters(ARTICLES_UNIQUE)


def test_a_request_that_hangs_is_given_up_and_repeated(proxied: tuple[Wire, FaultProxy]) -> None:
    wire, proxy = proxied
    made = IndexedArticle.model_validate(FULL.model_dump(by_alias=True))
    item = elastic.index_item("news-articles-2025.11", made.article_id, 1, document(made, indexed_at=made.fetched_at))
    with closing(elastic.connect(wire.supervisor.settings)) as client:
        delivery = Delivery(client.options(request_timeout=1), [item])
        proxy.fault = "hang"
        with pytest.raises(Transient, match="cannot be reached"):
            delivery.send()
        proxy.fault = "none"
        assert delivery.send().result(item)[0] is Result.DONE
    assert wire.count() == 1


def test_an_index_of_another_mapping_keeps_the_indexer_from_being_ready(wire: Wire) -> None:
    name = f"news-articles-{IndexedArticle.model_validate(FULL.model_dump(by_alias=True)).first_seen_at:%Y.%m}"
    wire.client.indices.create(index=name, mappings={"properties": {"title": {"type": "long"}}})
    running = wire.supervisor.start_one(JOBS["indexer"])
    wait_until(
        lambda: "holds as another type: title" in running.log.read_text(), "the indexer to say what is wrong", 60
    )
    assert wire.metric("indexer", "frontwire_ready") == 0
    wire.client.indices.delete(index=name)
    wire.wait_ready("indexer", 60)
