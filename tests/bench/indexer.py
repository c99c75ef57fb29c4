"""The indexer beside the usual way: the same articles from Kafka to Elasticsearch, by kafka-python and `helpers.bulk`."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import psutil
from elasticsearch import helpers

from services.commands.following import records_of, run_through
from services.indexer import templates
from services.indexer.article import INDEXED_ARTICLE, IndexedArticle
from services.indexer.elastic import Delivery, Item, index_item
from services.indexer.run import MAX_IN_FLIGHT
from services.indexer.transform import document, index_name
from shared.ids import article_id_for_text
from shared.kafka_clients import make_consumer, make_producer, read_to_end, send
from shared.models import UniqueArticle, index_version
from shared.stage import article_message, decode
from shared.topics import ARTICLES_RAW, ARTICLES_UNIQUE
from tests.support.articles import raw_articles
from tests.support.wire import JOBS, Wire, delete_indices, wait_until

# So many go through the stages; the rest are these again under other ids.
DISTINCT = 400
CHUNK = 500
# So many documents are made beforehand for the ceiling: they must fit into memory.
PREPARED = 6000
SECONDS = 1200.0


@dataclass(frozen=True)
class Measured:
    """What indexing a number of articles took: seconds on the clock, CPU seconds of the client and of Elasticsearch."""

    articles: int
    seconds: float
    client_cpu: float
    elasticsearch_cpu: float
    resident_mb: float

    def row(self, name: str) -> str:
        """Return the line of the table."""
        return (
            f"| {name} | {self.articles / self.seconds:,.0f} | {self.articles / self.client_cpu:,.0f} | "
            f"{self.articles / (self.client_cpu + self.elasticsearch_cpu):,.0f} | {self.resident_mb:,.0f} |"
        )


def measure_indexer(wire: Wire, articles: int, size: int) -> str:
    """Send the same finished articles through both; return the section of the page."""
    wire.clean()
    templates.apply(wire.client, templates.changes(wire.client, templates.load(wire.settings.elasticsearch_templates)))
    publish_finished(wire, articles, size)
    prepared = prepared_items(wire, min(articles, PREPARED))
    rounds = [(usual_way(wire, articles), our_way(wire, articles), ceiling(wire, prepared)) for _ in range(2)]
    usual, ours, highest = (min(way, key=_clock) for way in zip(*rounds, strict=True))
    return "\n".join([
        f"## The indexer, {articles:,} finished articles from Kafka to Elasticsearch, the better of two rounds each",
        "",
        "| | articles/s on the clock | a second of client CPU | a second of client and Elasticsearch CPU | client, resident MB |",
        "|---|---:|---:|---:|---:|",
        usual.row("kafka-python, the same documents, `helpers.bulk` of 500, commit"),
        ours.row("`frontwire run indexer`"),
        highest.row(f"ceiling: {len(prepared):,} of the documents made beforehand, {MAX_IN_FLIGHT} requests at a time"),
        "",
        f"On the clock {usual.seconds / ours.seconds:.2f} times the usual way; both left exactly {articles:,} documents.",
        "",
    ])  # fmt: skip


def finished(wire: Wire, count: int, size: int) -> Iterator[UniqueArticle]:
    """Yield finished articles: `DISTINCT` that went through every stage, again and again under ids of their own."""
    messages = [article_message(ARTICLES_RAW, raw) for raw in raw_articles(min(count, DISTINCT), size, seed=23)]
    made = records_of(run_through(wire.settings, messages), ARTICLES_UNIQUE)
    for number in range(count):
        article = made[number % len(made)]
        assert isinstance(article, UniqueArticle)
        article_id = article_id_for_text(f"finished {number}")
        yield article.model_copy(update={"article_id": article_id, "parent_id": article_id})


def publish_finished(wire: Wire, count: int, size: int) -> None:
    """Put finished articles on their topic."""
    with closing(make_producer(wire.settings, "bench")) as producer:
        for article in finished(wire, count, size):
            send(producer, article_message(ARTICLES_UNIQUE, article))
        producer.flush()


def usual_way(wire: Wire, articles: int) -> Measured:
    """Read, decode, make the same documents, `helpers.bulk`, commit: in this process."""
    delete_indices(wire.client)
    me, elasticsearch = psutil.Process(), elasticsearch_process(wire)
    with closing(make_consumer(wire.settings, None, "bench", max_poll_records=CHUNK)) as consumer:
        consumer.subscribe([ARTICLES_UNIQUE.name])
        wait_until(lambda: consumer.poll(0) or consumer.assignment(), "partitions", 60, every=0.05)
        consumer.seek_to_beginning()
        begun, mine, theirs, done = time.monotonic(), cpu_of(me), cpu_of(elasticsearch), 0
        while done < articles:
            actions = [
                _action(INDEXED_ARTICLE.validate_json(message.value))
                for messages in consumer.poll(timeout_ms=500).values()
                for message in messages
            ]
            helpers.bulk(wire.client, actions, chunk_size=CHUNK)
            done += len(actions)
        seconds = time.monotonic() - begun
    _check(wire, articles)
    return Measured(articles, seconds, cpu_of(me) - mine, cpu_of(elasticsearch) - theirs, me.memory_info().rss / 1e6)


def our_way(wire: Wire, articles: int) -> Measured:
    """The indexer as a process of its own, from the moment it has its partitions."""
    delete_indices(wire.client)
    wire.forget_groups()
    running = wire.supervisor.start_one(JOBS["indexer"])
    process, elasticsearch = psutil.Process(running.process.pid), elasticsearch_process(wire)
    done = "frontwire_records_out_total"
    wait_until(lambda: wire.metric("indexer", "frontwire_ready") == 1, "the indexer to begin", 60, every=0.02)
    begun, mine, theirs = time.monotonic(), cpu_of(process), cpu_of(elasticsearch)
    already = wire.metric("indexer", done)
    wait_until(lambda: wire.metric("indexer", done) >= articles, "the indexer to finish", SECONDS, every=0.25)
    count = int(articles - already)
    measured = Measured(
        count,
        time.monotonic() - begun,
        cpu_of(process) - mine,
        cpu_of(elasticsearch) - theirs,
        process.memory_info().rss / 1e6,
    )
    wire.supervisor.stop()
    _check(wire, articles)
    return measured


def prepared_items(wire: Wire, count: int) -> list[Item]:
    """Return the bulk actions of the first articles of the topic."""
    items: list[Item] = []
    for record in read_to_end(wire.settings, ARTICLES_UNIQUE, "bench"):
        made = decode(record, INDEXED_ARTICLE)
        row = document(made, indexed_at=datetime.now(UTC))
        items.append(index_item(index_name(made), made.article_id, index_version(made), row))
        if len(items) == count:
            break
    return items


def ceiling(wire: Wire, items: list[Item]) -> Measured:
    """What Elasticsearch takes when nothing else is to be done: the same requests, as many at a time as the indexer has."""
    delete_indices(wire.client)
    me, elasticsearch = psutil.Process(), elasticsearch_process(wire)
    begun, mine, theirs = time.monotonic(), cpu_of(me), cpu_of(elasticsearch)
    with ThreadPoolExecutor(MAX_IN_FLIGHT) as pool:
        batches = [items[start : start + CHUNK] for start in range(0, len(items), CHUNK)]
        list(pool.map(lambda batch: Delivery(wire.client, batch).send(), batches))
    seconds = time.monotonic() - begun
    _check(wire, len(items))
    used = cpu_of(elasticsearch) - theirs
    return Measured(len(items), seconds, cpu_of(me) - mine, used, me.memory_info().rss / 1e6)


def elasticsearch_process(wire: Wire) -> psutil.Process:
    """Return the process that listens on the port of Elasticsearch."""
    port = wire.engines.elasticsearch_port
    pids = [c.pid for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr[1:] == (port,)]
    assert pids
    return psutil.Process(pids[0])


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of a process, in user and system mode."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _action(article: IndexedArticle) -> dict[str, object]:
    return {
        "_op_type": "index", "_index": index_name(article), "_id": article.article_id,
        "version": index_version(article), "version_type": "external",
        "_source": msgspec.to_builtins(document(article, indexed_at=datetime.now(UTC))),
    }  # fmt: skip


def _check(wire: Wire, articles: int) -> None:
    wait_until(lambda: wire.count() == articles, f"exactly {articles} documents", 60)


def _clock(measured: Measured) -> float:
    return measured.seconds / measured.articles
