"""Articles a second through each stage and through all of them, beside the client library's ceiling; memory of each process."""

import time
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

import psutil
from kafka import TopicPartition

from shared.kafka_clients import make_consumer, make_producer
from shared.supervisor import Job, Running
from shared.topics import (
    ARTICLES_EXTRACTED,
    ARTICLES_NORMALISED,
    ARTICLES_RAW,
    ARTICLES_SKETCHED,
    Topic,
)
from tests.support.articles import write_jsonl
from tests.support.duplicates import copied_articles
from tests.support.wire import JOBS, WORKERS, Wire, wait_until

LINKS: tuple[tuple[str, Topic], ...] = (
    ("normaliser", ARTICLES_RAW),
    ("extractor", ARTICLES_NORMALISED),
    ("sketch", ARTICLES_EXTRACTED),
    ("decide", ARTICLES_SKETCHED),
)
SECONDS = 900.0
CEILING = "kafka-python: read, send, await"


class Row(NamedTuple):
    """What one stage did: rates in articles a second, on the clock and of its own processor time; memory in MB."""

    name: str
    rate: float
    processor_rate: float
    memory: float
    ceiling: float
    what: str = CEILING


def measure_stages(wire: Wire, articles: int, size: int) -> str:
    """Run each stage alone over a full topic; return the section of the page."""
    rows = []
    wire.clean()
    wire.publish(copied_articles(articles, size, seed=20))
    rows.append(_measure_fetcher(wire, articles, size))
    wire.clean()
    wire.publish(copied_articles(articles, size, seed=20))
    for name, source in LINKS:
        ceiling = copy_rate(wire, source)
        rows.append(_run_alone(wire, JOBS[name], articles, ceiling))
    return _table(f"## Each stage alone, one process, {size:,} bytes of text an article", rows)


def measure_end_to_end(wire: Wire, articles: int, size: int) -> str:
    """Publish everything at once and let all stages run together; return the section of the page."""
    wire.clean()
    wire.start(*WORKERS)
    raws = list(copied_articles(articles, size, seed=21))
    started = time.monotonic()
    wire.publish(raws)
    published = time.monotonic() - started
    wait_until(lambda: wire.count() >= articles, "every article to be searchable", SECONDS, every=0.5)
    seconds = time.monotonic() - started
    memory = {label: resident_mb(running) for label, running in wire.supervisor.running.items()}
    wire.supervisor.stop()
    lines = [
        "## End to end: published to searchable, one process a stage, all at once",
        "",
        f"{articles:,} articles in {seconds:.0f} s: **{articles / seconds:,.0f} articles/s**, "
        f"{articles / seconds * 86_400 / 1e6:.1f} million a day; publishing them took {published:.1f} s of it.",
        "",
        "| process | resident MB at the end |",
        "|---|---:|",
        *(f"| {label} | {megabytes:,.0f} |" for label, megabytes in memory.items()),
    ]
    return "\n".join(lines) + "\n"


def copy_rate(wire: Wire, source: Topic) -> float:
    """Return messages a second when kafka-python only reads a topic and sends every value on: the ceiling of a stage."""
    scratch = "articles-raw-v1-dlq"
    with (
        closing(make_consumer(wire.settings, None, "bench")) as consumer,
        closing(make_producer(wire.settings, "bench")) as producer,
    ):
        partitions = [TopicPartition(source.name, number) for number in range(source.partitions)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        total = sum(consumer.end_offsets(partitions).values())
        copied = 0
        started = time.monotonic()
        while copied < total:
            deliveries = [
                producer.send(scratch, key=message.key, value=message.value)
                for messages in consumer.poll(timeout_ms=500).values()
                for message in messages
            ]
            for delivery in deliveries:
                delivery.get(timeout=60)
            copied += len(deliveries)
        return float(total / (time.monotonic() - started))


def resident_mb(running: Running) -> float:
    """Return the resident memory of a process and its children in MB."""
    return sum(part.memory_info().rss for part in _family(running)) / 1e6


def processor_seconds(running: Running) -> float:
    """Return the processor time that a process and its living children have taken."""
    return sum(part.cpu_times().user + part.cpu_times().system for part in _family(running))


def _family(running: Running) -> list[psutil.Process]:
    process = psutil.Process(running.process.pid)
    return [process, *process.children(recursive=True)]


def _run_alone(wire: Wire, job: Job, articles: int, ceiling: float) -> Row:
    """Measure from the moment the stage has its partitions to the last acknowledgement."""
    running = wire.supervisor.start_one(job)
    done = "frontwire_records_out_total"
    wait_until(lambda: wire.metric(job.label, "frontwire_ready") == 1, f"{job.label} to begin", SECONDS, every=0.02)
    already, begun, before = wire.metric(job.label, done), time.monotonic(), processor_seconds(running)
    wait_until(lambda: wire.metric(job.label, done) >= articles, f"{job.label} to finish", SECONDS, every=0.5)
    seconds, processor = time.monotonic() - begun, processor_seconds(running) - before
    memory = resident_mb(running)
    wire.supervisor.stop()
    return Row(job.name, (articles - already) / seconds, (articles - already) / processor, memory, ceiling)


def _measure_fetcher(wire: Wire, articles: int, size: int) -> Row:
    folder = wire.settings.config_dir / "incoming"
    folder.mkdir(exist_ok=True)
    write_jsonl(folder / "articles.jsonl", range(articles), size, seed=22)
    feeds = f"feeds:\n  - name: Bench\n    path: {folder}\n    kind: jsonl\n    timezone: Asia/Ho_Chi_Minh\n"
    (wire.settings.config_dir / "feeds.yaml").write_text(feeds, encoding="utf-8")
    ceiling = copy_rate(wire, ARTICLES_RAW)
    row = _run_alone(wire, JOBS["fetcher"], articles, ceiling)
    (wire.settings.config_dir / "feeds.yaml").write_text("feeds: []\n", encoding="utf-8")
    return row._replace(name="fetcher (a .jsonl file)")


def _table(title: str, rows: Sequence[Row]) -> str:
    lines = [
        title, "",
        "| stage | articles/s | a second of its processor time | ceiling, messages/s | what the ceiling is | MB with children |",
        "|---|---:|---:|---:|---|---:|",
        *(
            f"| {row.name} | {row.rate:,.0f} | {row.processor_rate:,.0f} | {row.ceiling:,.0f} | {row.what} | {row.memory:,.0f} |"
            for row in rows
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
