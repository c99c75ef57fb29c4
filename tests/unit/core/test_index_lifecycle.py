"""Old indices on a cluster that has ILM: what `frontwire index apply` asks of a server that answers as the documentation says.

The Elasticsearch of the other tests has no ILM.
"""

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import pytest
from elasticsearch import Elasticsearch

from services.commands.common import project_folder
from services.indexer import templates

SHIPPED: Final = templates.load(project_folder() / "deploy/elasticsearch")
OLD: Final = "news-articles-2020.01"
# What was put, by path, in the order of its coming: /_ilm/policy/NAME, /_component_template/NAME, /_index_template/NAME …
Held = dict[str, Any]


def answer(held: Held, path: str) -> Any:
    """Return what a GET answers; None for 404."""
    kind, _, name = path.removeprefix("/").rpartition("/")
    body = held.get(path)
    match kind:
        case "_nodes":
            return {"nodes": {"n": {"modules": [{"name": "x-pack-ilm"}]}}}
        case "_ilm/policy":
            return body and {name: {"version": 1, "modified_date": 0, "policy": body["policy"]}}
        case "_component_template":
            return body and {"component_templates": [{"name": name, "component_template": body}]}
        case "_index_template":
            return body and {"index_templates": [{"name": name, "index_template": body}]}
        case "news-articles-*" if name == "_settings":
            return {OLD: {"settings": held.get(f"/{OLD}/_settings", {})}}
    return {}


@pytest.fixture
def cluster() -> Iterator[tuple[Elasticsearch, Held]]:
    """A client of a server that holds what is put, with one index from before ILM."""
    held: Held = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = re.sub(r"\?.*", "", self.path).replace("%2A", "*")
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null")
            if self.command == "PUT":
                held[path] = body
            said = {"acknowledged": True} if self.command == "PUT" else answer(held, path)
            text = json.dumps(said or {}).encode()
            self.send_response(404 if said is None else 200)
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        do_PUT = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    client = Elasticsearch(f"http://127.0.0.1:{server.server_port}")
    yield client, held
    client.close()
    server.shutdown()
    server.server_close()


def test_policies_come_before_the_templates_that_name_them_and_nothing_differs_then(
    cluster: tuple[Elasticsearch, Held],
) -> None:
    client, held = cluster
    found = templates.changes(client, SHIPPED)
    templates.apply(client, found)
    put = list(held)
    for alias, days in SHIPPED.retention_days.items():
        policy, template = f"/_ilm/policy/{alias}", f"/_index_template/{alias}"
        assert put.index(policy) < put.index(template)
        assert held[policy]["policy"]["phases"]["delete"] == {"min_age": f"{days + 31}d", "actions": {"delete": {}}}
        assert held[template]["template"]["settings"]["index.lifecycle.name"] == alias
    assert "index.lifecycle.name" not in held["/_index_template/news-feeds"]["template"]["settings"]
    assert held[f"/{OLD}/_settings"] == {"index.lifecycle.name": "news-articles"}
    assert templates.changes(client, SHIPPED) == []


def test_a_changed_policy_is_shown_and_put_back(cluster: tuple[Elasticsearch, Held]) -> None:
    client, held = cluster
    templates.apply(client, templates.changes(client, SHIPPED))
    held["/_ilm/policy/news-alerts"]["policy"]["phases"]["delete"]["min_age"] = "1d"
    (change,) = templates.changes(client, SHIPPED)
    assert (change.kind, change.name, change.lines) == ("lifecycle", "news-alerts", ("delete.min_age: 1d -> 1126d",))
    templates.apply(client, [change])
    assert templates.changes(client, SHIPPED) == []


def test_the_indexer_leaves_old_indices_to_ilm(cluster: tuple[Elasticsearch, Held]) -> None:
    client, held = cluster
    assert templates.remove_old(client, SHIPPED, datetime(2030, 1, 1, tzinfo=UTC)) == []
    assert held == {}
