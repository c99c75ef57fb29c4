"""The program that prepares Elasticsearch for docker-compose.yml, against a server that answers as its security does."""

import json
import runpy
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner, Result
from ruamel.yaml import YAML

from services.commands.common import project_folder
from services.indexer.templates import load

PROJECT = project_folder()


class Cluster(BaseHTTPRequestHandler):
    """Answers the four security requests as Elasticsearch does; `good` holds the keys it takes."""

    good: ClassVar[set[str]] = set()
    asked: ClassVar[list[tuple[str, str, Any]]] = []

    def do_GET(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
        self.asked.append((self.command, self.path, body))
        status, answer = 200, {}
        match self.command, self.path:
            case "GET", "/_security/_authenticate":
                status = 200 if self.headers["Authorization"].removeprefix("ApiKey ") in self.good else 401
            case "PUT" | "POST", "/_security/api_key":
                encoded = f"a2V5OnNlY3JldA{len(self.asked):02}"
                self.good.add(encoded)
                answer = {"id": "key", "name": body["name"], "api_key": "secret", "encoded": encoded}
        text = json.dumps(answer).encode()
        self.send_response(status)
        for header, value in {"X-Elastic-Product": "Elasticsearch", "Content-Type": "application/json"}.items():
            self.send_header(header, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_PUT(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the test reads `asked`."""


@pytest.fixture
def cluster() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Cluster)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    Cluster.good.clear()
    Cluster.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


SETUP: dict[str, Any] = YAML(typ="safe").load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"))["services"][
    "elasticsearch-setup"
]


def prepare(url: str, key: Path, *more: str) -> Result:
    """Run the program of the compose service with its arguments, on another address and another file."""
    program = runpy.run_path(str(PROJECT / SETUP["entrypoint"][-1]))["main"]
    places = {"http://elasticsearch:9200": url, "/keys/indexer": str(key)}
    passwords = dict.fromkeys(SETUP["environment"], "from-the-operator")
    return CliRunner().invoke(program, [*(places.get(word, word) for word in SETUP["command"]), *more], env=passwords)


def test_the_setup_writes_one_key_and_keeps_it(cluster: str, tmp_path: Path) -> None:
    key = tmp_path / "indexer"
    first = prepare(cluster, key)
    assert first.exit_code == 0, first.output
    written = key.read_text(encoding="utf-8")
    assert written in Cluster.good
    assert written not in first.output
    assert key.stat().st_mode & 0o777 == 0o600
    assert prepare(cluster, key).exit_code == 0
    assert key.read_text(encoding="utf-8") == written
    paths = [path for _, path, _ in Cluster.asked]
    assert paths.count("/_security/api_key") == 1
    assert paths.count("/_security/user/kibana_system/_password") == 2
    role = next(body for _, path, body in Cluster.asked if path == "/_security/api_key")["role_descriptors"]
    granted = [name for grant in role["frontwire-indexer"]["indices"] for name in grant["names"]]
    aliases = load(PROJECT / "deploy/elasticsearch").indices
    assert aliases
    assert not [alias for alias in aliases if not any(fnmatch(f"{alias}-2025.11", name) for name in granted)]
    assert not [name for name in granted if not name.removeprefix("rebuilt-").startswith("news-")]


def test_a_key_the_cluster_does_not_take_is_replaced(cluster: str, tmp_path: Path) -> None:
    key = tmp_path / "indexer"
    key.write_text("b2xkOmtleQ==", encoding="utf-8")
    assert prepare(cluster, key).exit_code == 0
    assert key.read_text(encoding="utf-8") in Cluster.good


def test_renewing_invalidates_the_old_key(cluster: str, tmp_path: Path) -> None:
    key = tmp_path / "indexer"
    key.write_text("b2xkOmtleQ==", encoding="utf-8")
    Cluster.good.add("b2xkOmtleQ==")
    assert prepare(cluster, key, "--renew").exit_code == 0
    assert key.read_text(encoding="utf-8") != "b2xkOmtleQ=="
    assert ("DELETE", "/_security/api_key", {"ids": ["old"]}) in Cluster.asked


def test_an_absent_cluster_is_one_clear_line(tmp_path: Path) -> None:
    ended = prepare("http://127.0.0.1:1", tmp_path / "indexer")
    assert ended.exit_code == 1
    assert "is not prepared" in ended.output
    assert ended.exception is None or isinstance(ended.exception, SystemExit)
