"""The real engines: what they promise after a start, a kill, a second start and a reset."""

import http.client
import io
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from rich.console import Console

from shared.local_engines import (
    SHORT_RUN,
    EngineError,
    EngineName,
    EngineSettings,
    default_repository,
    free_port,
    kafka,
    kill,
    reset,
    start,
    start_engine,
    status,
    stop,
)
from shared.settings import load_settings

pytestmark = pytest.mark.engines

LARGE = 15 * 1024 * 1024


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineSettings]:
    """A stack of its own beside whatever runs: free ports, its own data, the common cache.

    Its cluster id begins with a dash, as one in 64 does: Kafka's storage tool must not take it for an option.
    """
    found = load_settings()
    wanted = EngineSettings(
        found.cache_dir,
        tmp_path_factory.mktemp("engines"),
        found.maven_repository or default_repository(),
        free_port(),
        free_port(),
        java_options=(SHORT_RUN,),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "cluster_id", lambda _: "-MxYz0123456789abcdefg")
        start(wanted)
    yield wanted
    reset(wanted)


def ask(settings: EngineSettings, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", settings.elasticsearch_port, timeout=30)
    content = None if body is None else json.dumps(body)
    connection.request(method, path, content, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    found = json.load(answer)
    connection.close()
    return answer.status, found


def admin(settings: EngineSettings) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{settings.kafka_port}")


def test_running_engines_are_reused_and_described(settings: EngineSettings) -> None:
    before = status(settings)
    again = start(settings)
    assert again.started == ()
    assert again.bootstrap_servers == f"127.0.0.1:{settings.kafka_port}"
    assert again.elasticsearch_url == f"http://127.0.0.1:{settings.elasticsearch_port}"
    assert [each.state for each in before] == ["running", "running"]
    assert [each.pid for each in status(settings)] == [each.pid for each in before]
    assert [(each.name, each.version) for each in before] == [("kafka", "4.3.1"), ("elasticsearch", "8.17.4")]
    assert all(each.rss_mb is not None and each.log.is_file() and each.data.is_dir() for each in before)


def test_another_port_with_the_same_data_is_refused(settings: EngineSettings) -> None:
    other = EngineSettings(settings.cache, settings.data, settings.repository, free_port(), settings.elasticsearch_port)
    with pytest.raises(EngineError, match=f"kafka already runs on port {settings.kafka_port}"):
        start(other)


def test_the_core_distribution_has_what_the_wire_uses(settings: EngineSettings) -> None:
    assert ask(settings, "GET", "/_cluster/health")[1]["status"] == "green"
    _, nodes = ask(settings, "GET", "/_nodes/_local/plugins")
    (node,) = nodes["nodes"].values()
    assert [module["name"] for module in node["modules"]] == ["transport-netty4"]
    fields = (
        "keyword",
        "text",
        "date",
        "date_range",
        "long",
        "float",
        "boolean",
        "ip",
        "geo_point",
        "flattened",
        "nested",
    )
    mapping = {"properties": {kind: {"type": kind} for kind in fields}}
    assert ask(settings, "PUT", "/every-type", {"mappings": mapping})[0] == 200
    assert ask(settings, "DELETE", "/every-type")[0] == 200


def test_data_survives_a_kill(settings: EngineSettings) -> None:
    server = f"127.0.0.1:{settings.kafka_port}"
    client = admin(settings)
    assert "never-made" not in client.list_topics()
    client.create_topics([NewTopic("kept", 1, 1, topic_configs={"max.message.bytes": str(LARGE + 4096)})])
    client.close()
    with KafkaProducer(bootstrap_servers=server, max_request_size=LARGE + 4096) as producer:
        producer.send("kept", b"x" * LARGE).get(60)
    assert ask(settings, "PUT", "/kept/_doc/1?refresh=true", {"title": "Tin thử"})[0] == 201
    for name in ("kafka", "elasticsearch"):
        kill(settings, name)
    assert [each.state for each in status(settings)] == ["stopped", "stopped"]
    assert start(settings).started == ("elasticsearch", "kafka")
    assert ask(settings, "GET", "/kept/_doc/1")[1]["_source"] == {"title": "Tin thử"}
    consumer = KafkaConsumer(bootstrap_servers=server, fetch_max_bytes=LARGE * 2, max_partition_fetch_bytes=LARGE * 2)
    consumer.assign([TopicPartition("kept", 0)])
    consumer.seek_to_beginning()
    assert len(next(consumer).value) == LARGE
    consumer.close()


def test_topics_are_not_made_by_asking_for_them(settings: EngineSettings) -> None:
    client = admin(settings)
    client.describe_topics(["typing-mistake"])
    assert "typing-mistake" not in client.list_topics()
    client.close()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("kafka", r"cannot format Kafka's data folder: .*OutOfMemoryError.*format\.log"),
        ("elasticsearch", r"(?s)elasticsearch ended while it started; its last lines .*OutOfMemoryError"),
    ],
)
def test_a_failed_start_shows_the_log_and_leaves_nothing_behind(
    settings: EngineSettings, tmp_path: Path, name: EngineName, message: str
) -> None:
    broken = EngineSettings(settings.cache, tmp_path, settings.repository, free_port(), free_port(), 4, 4)
    with pytest.raises(EngineError, match=message):
        start_engine(broken, name, Console(file=io.StringIO()))
    assert [each.state for each in status(broken)] == ["stopped", "stopped"]
    reset(broken)


def test_stop_frees_the_ports_and_reset_leaves_nothing(settings: EngineSettings) -> None:
    homes = [each.data for each in status(settings)]
    assert stop(settings) == ("kafka", "elasticsearch")
    for port in (settings.kafka_port, settings.elasticsearch_port):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    reset(settings)
    assert not [home for home in homes if home.exists()]
