"""docker-compose.yml cannot be started in CI: it is held against the code, and the rules are held against planted faults."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from ruamel.yaml import YAML

from services.commands.common import project_folder
from shared import status_server
from shared.status_server import Health
from tests.support.compose_rules import is_variable, problems

PROJECT = project_folder()
Mutation = Callable[[dict[str, Any]], object]


def read(path: str) -> Any:
    return YAML(typ="safe").load((PROJECT / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    # Through JSON: merged blocks become copies of their own, so that a mutation concerns one service.
    parsed: dict[str, Any] = json.loads(json.dumps(read("docker-compose.yml")))
    return parsed


def test_the_file_agrees_with_the_code(compose: dict[str, Any]) -> None:
    assert problems(compose, PROJECT) == []


def service(name: str, **changes: Any) -> Mutation:
    return lambda compose: compose["services"][name].update(changes)


def variable(name: str, key: str, value: str | None) -> Mutation:
    return lambda compose: compose["services"][name]["environment"].update({key: value})


def without(name: str, key: str) -> Mutation:
    return lambda compose: compose["services"][name].pop(key)


MUTATIONS: dict[str, tuple[Mutation, str]] = {
    "misspelt key": (service("sketch", healthchek={}), "sketch: unknown key healthchek"),
    "floating tag": (service("kafka", image="apache/kafka:latest"), "no full version"),
    "no tag": (service("prometheus", image="prom/prometheus"), "no full version"),
    "another release": (service("fetcher", image="frontwire:0.0.9"), "fetcher: image frontwire:0.0.9"),
    "missing Dockerfile": (service("indexer", build={"dockerfile": "Dockerfile"}), "its Dockerfile does not exist"),
    "Kibana of another version": (
        service("kibana", image="docker.elastic.co/kibana/kibana:8.18.0"),
        "of one 8.19 version",
    ),
    "root": (service("extractor", user="0:0"), "extractor: user '0:0'"),
    "user left out": (without("extractor", "user"), "extractor: user None"),
    "capabilities": (without("decide", "cap_drop"), "decide: keeps capabilities"),
    "privileges": (service("decide", security_opt=[]), "decide: may gain privileges"),
    "no memory limit": (without("kafka", "mem_limit"), "kafka: memory or processes"),
    "endless log": (without("kibana", "logging"), "kibana: its log grows"),
    "writable image": (service("fetcher", read_only=False), "fetcher: needs read_only"),
    "no health check": (without("normaliser", "healthcheck"), "normaliser: its health check needs"),
    "health check of another port": (
        variable("indexer", "FRONTWIRE_METRICS_PORT", "9200"),
        "does not ask /healthz on port 9200",
    ),
    "no restart": (service("sketch", restart="always"), "sketch: needs restart"),
    "default password": (
        variable("elasticsearch", "ELASTIC_PASSWORD", "${ELASTIC_PASSWORD:-changeme}"),
        "without asking",
    ),
    "password in the file": (variable("kibana", "ELASTICSEARCH_PASSWORD", "changeme"), "holds a secret in the file"),
    "secret that the example lacks": (
        variable("kibana", "X", "${OTHER:?see deploy/.env.example}"),
        "OTHER is asked for",
    ),
    "open port": (service("kibana", ports=["5601:5601"]), "kibana: port 5601:5601 is open"),
    "published broker": (service("kafka", ports=["127.0.0.1:9092:9092"]), "kafka: publishes port"),
    "missing folder": (service("fetcher", volumes=["./deploy/conf:/app/deploy/conf:ro"]), "does not exist"),
    "folder elsewhere": (service("fetcher", volumes=["./deploy/config:/config:ro"]), "is mounted on /config"),
    "writable folder": (service("fetcher", volumes=["./deploy/config:/app/deploy/config"]), "can be written"),
    "undeclared volume": (service("decide", volumes=["table:/data"]), "volume decide-data is declared or used"),
    "shared table": (service("decide-standby", volumes=["decide-data:/data"]), "each with a volume of its own"),
    "no data folder": (without("indexer", "tmpfs"), "nothing is mounted on /data"),
    "undeclared network": (service("sketch", networks=["wire", "lan"]), "network lan is not declared"),
    "broker with a way out": (service("kafka", networks=["wire", "desk"]), "is on a network that has a way out"),
    "service scraped twice": (service("fetcher", networks=["wire", "desk"]), "shares 2 networks with prometheus"),
    "waits for nothing": (
        service("sketch", depends_on={"topic": {"condition": "service_started"}}),
        "waits for topic, which does not exist",
    ),
    "waits for what does not end": (
        service("sketch", depends_on={"kafka": {"condition": "service_completed_successfully"}}),
        "which does not end",
    ),
    "unknown variable": (variable("fetcher", "FRONTWIRE_KAFKA", "kafka:9092"), "no variable FRONTWIRE_KAFKA"),
    "file of no secret": (variable("fetcher", "FRONTWIRE_USER_AGENT_FILE", "/data/x"), "no variable FRONTWIRE_USER"),
    "value refused": (variable("fetcher", "FRONTWIRE_LOG_FORMAT", "xml"), "log_format"),
    "config path": (variable("extractor", "FRONTWIRE_CONFIG_DIR", "/app/config"), "/app/config is not in the image"),
    "template path": (
        variable("indexer", "FRONTWIRE_ELASTICSEARCH_TEMPLATES", "/app/deploy/elastic"),
        "is not in the image",
    ),
    "key without its volume": (service("indexer", volumes=[]), "nothing is mounted on /keys"),
    "metrics for nobody": (variable("sketch", "FRONTWIRE_METRICS_HOST", "127.0.0.1"), "sketch: its metrics"),
    "broker's port": (variable("sketch", "FRONTWIRE_KAFKA_BOOTSTRAP", "kafka:29092"), "does not listen on 29092"),
    "broker's name": (variable("sketch", "FRONTWIRE_KAFKA_BOOTSTRAP", "broker:9092"), "no service broker"),
    "unknown command": (service("topics", command=["topic", "apply"]), "No such command 'topic'"),
    "unknown service to run": (service("fetcher", command=["run", "fetch"]), "'fetch' is not one of"),
    "unknown option": (service("topics", command=["topics", "apply", "--force"]), "No such option"),
    "missing script": (service("elasticsearch-setup", entrypoint=["python", "x.py"]), "x.py does not exist"),
    "service left out": (lambda compose: compose["services"].pop("sketch"), "nothing runs sketch"),
    "no standby": (lambda compose: compose["services"].pop("decide-standby"), "decide needs two copies"),
    "auto-created topics": (
        variable("kafka", "KAFKA_AUTO_CREATE_TOPICS_ENABLE", "true"),
        "auto.create.topics.enable is true",
    ),
    "small messages": (variable("kafka", "KAFKA_MESSAGE_MAX_BYTES", None), "message.max.bytes is None"),
    "another broker": (service("kafka", image="apache/kafka:3.9.0"), "not the version of the local engine"),
    "security off": (variable("elasticsearch", "xpack.security.enabled", "false"), "its security is off"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_planted_fault_is_found(compose: dict[str, Any], name: str) -> None:
    mutate, expected = MUTATIONS[name]
    broken = copy.deepcopy(compose)
    mutate(broken)
    assert any(expected in problem for problem in problems(broken, PROJECT)), problems(broken, PROJECT)


def test_what_the_operator_may_set_is_a_setting() -> None:
    offered = re.findall(r"^#([A-Z_]+)=", (PROJECT / "deploy/.env.example").read_text(encoding="utf-8"), re.MULTILINE)
    assert offered
    assert all(is_variable(name) for name in offered)


def test_the_health_check_tells_a_live_process_from_a_failed_one(compose: dict[str, Any]) -> None:
    health = Health("compose-test")
    trouble: list[str] = []
    health.live_when("work", lambda: trouble[0] if trouble else None)
    server = status_server.serve(health, "127.0.0.1", 0)
    _, program, *rest = compose["services"]["sketch"]["healthcheck"]["test"]
    assert program == "python"
    check = [sys.executable, *(word.replace(":9100/", f":{server.server_port}/") for word in rest)]
    try:
        assert subprocess.run(check, capture_output=True, timeout=30).returncode == 0
        trouble.append("stuck")
        assert subprocess.run(check, capture_output=True, timeout=30).returncode != 0
    finally:
        server.shutdown()
        server.server_close()
