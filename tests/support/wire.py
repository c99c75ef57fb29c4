"""The wire on real engines, for tests: clean topics and indices, services as processes, and ways to look at the result."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch, TransportError
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from services.commands.common import project_folder
from services.commands.demo_report import read_metrics
from services.commands.local import engine_settings
from shared import dead_letters, local_engines, topic_admin
from shared.dead_letters import DeadLetter
from shared.headers import Headers
from shared.kafka_clients import make_admin, make_consumer, make_producer, partitions_of, send, until_end
from shared.local_engines import free_port
from shared.models import RawArticle
from shared.settings import Settings, environment_of, load_settings
from shared.stage import Record, article_message
from shared.supervisor import SERVICES, Job, Supervisor
from shared.topics import ARTICLES_RAW, Topic, all_topics

ALIAS = "news-articles"
# A machine that others share may stand still for a minute: what is waited for may come late, but must come.
PATIENCE: Final = 300.0
JOBS = {job.name: job for job in SERVICES}
# From raw article to index, for tests that publish raw articles themselves.
WORKERS = tuple(job for job in SERVICES if job.name not in ("alerter", "fetcher", "notifier"))


def wait_until(check: Callable[[], object], what: str, seconds: float = PATIENCE, every: float = 0.3) -> None:
    """Wait until a check holds; fails the test with what was waited for, and the last answer."""
    until = time.monotonic() + seconds
    answer = check()
    while not answer:
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:.0f} s for {what}; last answer: {answer!r}")
        time.sleep(every)
        answer = check()


def wait_empty(
    left: Callable[[], Collection[object]], what: str, seconds: float = PATIENCE, every: float = 0.3
) -> None:
    """Wait until nothing is left; fails the test with what is."""
    until = time.monotonic() + seconds
    while found := left():
        assert time.monotonic() <= until, f"waited {seconds:.0f} s for {what}; left: {found}"
        time.sleep(every)


def delete_indices(client: Elasticsearch) -> None:
    """Delete every index of ours, by name: Elasticsearch refuses patterns."""
    names = list(client.indices.get(index="news-*,rebuilt-*", ignore_unavailable=True).body)
    if names:
        client.indices.delete(index=names)


class Wire:
    """One clean wire: its settings, its processes, its broker and its index."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.supervisor = Supervisor(settings)
        self.engines = engine_settings(settings)
        self.client = Elasticsearch(settings.elasticsearch_url, request_timeout=120)
        self._producer: KafkaProducer | None = None
        self._consumer: KafkaConsumer | None = None

    def clean(self) -> None:
        """Delete all topics, groups, tables and indices, and make the topics anew."""
        self._leave_broker()
        self.forget_tables()
        with closing(make_admin(self.settings)) as admin:
            names = {topic.name for topic in all_topics()} & set(admin.list_topics())
            if names:
                admin.delete_topics(sorted(names))
                wait_until(lambda: not names & set(admin.list_topics()), "topics to be deleted")
            topic_admin.apply(admin)
        self.forget_groups()
        delete_indices(self.client)

    def forget_groups(self) -> None:
        """Delete the groups of the services, so that each reads its topics from the beginning."""
        with closing(make_admin(self.settings)) as admin:
            groups = [group["group_id"] for group in admin.list_groups() if group["group_id"].startswith("frontwire")]
            if groups:
                admin.delete_groups(groups)

    def forget_tables(self) -> None:
        """Delete the tables that the processes keep on disk."""
        shutil.rmtree(self.settings.data_dir / "tables", ignore_errors=True)

    def start(self, *jobs: Job) -> None:
        """Start what does not run yet, and wait until each is ready."""
        running = self.supervisor.running
        self.supervisor.start(
            [job for job in jobs if job.label not in running or running[job.label].process.poll() is not None]
        )
        for job in jobs:
            self.wait_ready(job.label)

    def restart(self, label: str) -> None:
        """Start a killed process again, without waiting for it."""
        self.supervisor.start_one(self.supervisor.running[label].job)

    def wait_ready(self, label: str) -> None:
        """Wait until a process says it can work."""
        running = self.supervisor.running[label]

        def ready() -> bool:
            assert running.process.poll() is None, f"{label} ended: {running.log.read_text()[-2000:]}"
            return any(value == 1.0 for _, value in read_metrics(running.metrics_url).get("frontwire_ready", []))

        wait_until(ready, f"{label} to be ready")

    def metric(self, label: str, name: str) -> float:
        """Return the sum of a metric over its labels."""
        return sum(value for _, value in read_metrics(self.supervisor.running[label].metrics_url).get(name, []))

    @property
    def producer(self) -> KafkaProducer:
        """One producer for as long as the broker stays."""
        if self._producer is None:
            self._producer = make_producer(self.settings, "tests")
        return self._producer

    @property
    def consumer(self) -> KafkaConsumer:
        """One consumer without a group for as long as the broker stays: tests look several times a second."""
        if self._consumer is None:
            self._consumer = make_consumer(self.settings, None, "tests")
        return self._consumer

    def _leave_broker(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=5)
            self._producer = None
        if self._consumer is not None:
            self._consumer.close(autocommit=False)
            self._consumer = None

    def publish(self, raws: Iterable[RawArticle]) -> None:
        """Publish raw articles and wait for their acknowledgement."""
        deliveries = [send(self.producer, article_message(ARTICLES_RAW, raw)) for raw in raws]
        for delivery in deliveries:
            delivery.get(timeout=60)

    def put(
        self, topic: Topic, key: bytes | None, value: bytes | None, headers: Headers = (), partition: int = 0
    ) -> None:
        """Send raw bytes to a topic, as a foreign producer would."""
        self.producer.send(topic.name, key=key, value=value, headers=list(headers), partition=partition).get(timeout=60)

    def read(self, topic: Topic) -> list[Record]:
        """Return everything a topic holds, partition by partition in order."""
        consumer, partitions = self.consumer, partitions_of(topic)
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        records = list(until_end(consumer, partitions))
        assert all(consumer.position(each) >= ends[each] for each in partitions), f"{topic.name} not read to its end"
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def keys(self, topic: Topic) -> set[bytes | None]:
        """Return the keys that a topic holds: a record may stand there twice, since delivery is at least once."""
        return {record.key for record in self.read(topic)}

    def held(self, topic: Topic) -> int:
        """Return how many records a topic was sent."""
        return sum(self.consumer.end_offsets(partitions_of(topic)).values())

    def letters(self, topic: Topic) -> list[DeadLetter]:
        """Return the dead letters of a topic."""
        return list(dead_letters.read(self.settings, topic))

    def indexed(self) -> Counter[str]:
        """Return how often each article id is in the index."""
        found: Counter[str] = Counter()
        try:
            self.client.indices.refresh(index=ALIAS, ignore_unavailable=True)
            after: list[object] | None = None
            while True:
                answer = self.client.search(
                    index=ALIAS,
                    size=5000,
                    source=False,
                    sort=["article_id"],
                    search_after=after,
                    ignore_unavailable=True,
                )
                hits = answer["hits"]["hits"]
                found.update(hit["_id"] for hit in hits)
                if len(hits) < 5000:
                    return found
                after = hits[-1]["sort"]
        except (ApiError, TransportError):
            return found

    def count(self) -> int:
        """Return how many documents are searchable; 0 while Elasticsearch is away."""
        try:
            self.client.indices.refresh(index=ALIAS, ignore_unavailable=True)
            return int(self.client.count(index=ALIAS, ignore_unavailable=True)["count"])
        except (ApiError, TransportError):
            return 0

    def wait_indexed(self, ids: set[str]) -> None:
        """Wait until the index holds each of these ids; fails when one is there twice."""
        wait_until(lambda: ids <= set(self.indexed()), f"{len(ids)} documents", every=0.5)
        found = self.indexed()
        assert {found[each] for each in ids} == {1}

    def document(self, raw: RawArticle) -> dict[str, Any]:
        """Return what the index holds of an article, from the index of its month."""
        found = self.client.get(index=f"{ALIAS}-{raw.first_seen_at:%Y.%m}", id=raw.article_id)["_source"]
        return dict(found)

    def committed(self, group: str, topic: Topic) -> int:
        """Return the sum of a group's committed offsets on a topic."""
        with closing(make_consumer(self.settings, group, "tests")) as consumer:
            total = 0
            for partition in partitions_of(topic):
                try:
                    total += consumer.committed(partition) or 0
                except KafkaError:
                    continue
            return total

    def stop_engine(self, name: local_engines.EngineName) -> None:
        """Stop an engine; its data stays."""
        if name == "kafka":
            self._leave_broker()
        local_engines.stop(self.engines, name)

    def start_engine(self, name: local_engines.EngineName) -> None:
        """Start an engine again on its data."""
        local_engines.start_engine(self.engines, name)

    def close(self) -> None:
        """Stop every process."""
        self.supervisor.stop()
        self._leave_broker()
        self.client.close()


def frontwire(wire: Wire, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command against the wire's engines and configuration."""
    return subprocess.run(
        [sys.executable, "-m", "services.cli", *arguments],
        env=os.environ | environment_of(wire.settings),
        cwd=project_folder(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def logs_of(wire: Wire) -> str:
    """Return the end of every process's log, for a failed test."""
    parts = []
    for path in sorted((wire.settings.data_dir / "logs").glob("*.log")):
        parts.append(f"--- {path.name}\n{path.read_text(errors='replace')[-1500:]}")
    return "\n".join(parts)


@contextmanager
def own_engines(name: str, java_options: str | None = None) -> Iterator[Settings]:
    """Run Kafka and Elasticsearch on free ports with data of their own, which is deleted at the end."""
    with tempfile.TemporaryDirectory(prefix=f"frontwire-{name}-", ignore_cleanup_errors=True) as folder:
        settings = load_settings(
            data_dir=Path(folder),
            kafka_bootstrap=f"127.0.0.1:{free_port()}",
            elasticsearch_url=f"http://127.0.0.1:{free_port()}",
            engine_java_options=java_options,
        )
        engines = engine_settings(settings)
        local_engines.start(engines)
        try:
            yield settings
        finally:
            local_engines.reset(engines)


def copy_config(source: Path, target: Path, feeds: str = "feeds: []\n") -> None:
    """Make a configuration folder from the shipped one, with other feeds."""
    shutil.copytree(source, target)
    (target / "feeds.yaml").write_text(feeds, encoding="utf-8")
