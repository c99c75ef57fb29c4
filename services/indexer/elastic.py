"""The indexer's talk with Elasticsearch: bulk requests and what each answer means."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, Final

import orjson
from elastic_transport import ConnectionError as ElasticConnectionError
from elastic_transport import ConnectionTimeout, TlsError
from elasticsearch import ApiError, Elasticsearch, TransportError

from shared.errors import Transient
from shared.settings import Settings

REQUEST_TIMEOUT_SECONDS: Final = 30.0
_RETRY_STATUS: Final = frozenset({408, 429, 502, 503, 504})
# A write block, a closed index or a missing shard heals: it is waited for, not dead-lettered.
_RETRY_ERRORS: Final = frozenset(
    {
        "circuit_breaking_exception",
        "cluster_block_exception",
        "es_rejected_execution_exception",
        "index_closed_exception",
        "no_shard_available_action_exception",
        "process_cluster_event_timeout_exception",
        "unavailable_shards_exception",
    }
)


class Result(Enum):
    """What became of one item of a bulk request."""

    DONE = auto()
    STALE = auto()
    RETRY = auto()
    REFUSED = auto()


@dataclass(frozen=True)
class Item:
    """One action of a bulk request, already serialised as one or two NDJSON lines."""

    article_id: str
    lines: bytes


class RequestTooLarge(Exception):
    """Elasticsearch answered 413: the request must be split."""


def connect(settings: Settings) -> Elasticsearch:
    """Return a client that leaves retrying to the caller."""
    options: dict[str, Any] = {"request_timeout": REQUEST_TIMEOUT_SECONDS, "max_retries": 0, "retry_on_timeout": False}
    if settings.elasticsearch_api_key:
        options["api_key"] = settings.elasticsearch_api_key.get_secret_value()
    if settings.elasticsearch_ca_file:
        options["ca_certs"] = str(settings.elasticsearch_ca_file)
    return Elasticsearch(settings.elasticsearch_url, **options)


def index_item(index: str, article_id: str, version: int, document: dict[str, Any]) -> Item:
    """Return the action that writes a document under its external version: an older version never wins."""
    action = {"index": {"_index": index, "_id": article_id, "version": version, "version_type": "external"}}
    return Item(article_id, orjson.dumps(action) + b"\n" + orjson.dumps(document) + b"\n")


def delete_item(index: str, article_id: str, version: int) -> Item:
    """Return the action that removes a document, unless a newer version is there."""
    action = {"delete": {"_index": index, "_id": article_id, "version": version, "version_type": "external"}}
    return Item(article_id, orjson.dumps(action) + b"\n")


def bulk(client: Elasticsearch, items: Sequence[Item]) -> list[tuple[Result, str]]:
    """Send one bulk request; return for each item what became of it, with the error text.

    Raises `Transient` when the whole request failed and may be repeated as it is, `RequestTooLarge` when it must be split.
    """
    body = b"".join(item.lines for item in items)
    try:
        answer = client.perform_request(
            "POST",
            "/_bulk?filter_path=items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason",
            headers={"content-type": "application/x-ndjson", "accept": "application/json"},
            body=body,
        ).body
    except (ElasticConnectionError, ConnectionTimeout, TlsError, TransportError) as error:
        raise Transient(f"Elasticsearch cannot be reached: {error}") from error
    except ApiError as error:
        if error.status_code == 413:
            raise RequestTooLarge from error
        raise Transient(f"Elasticsearch answered {error.status_code}: {str(error)[:200]}") from error
    return [_judge(next(iter(item.values()))) for item in answer["items"]]


def _judge(item: dict[str, Any]) -> tuple[Result, str]:
    status = item["status"]
    error = item.get("error", {})
    if status < 300 or status == 404:
        return Result.DONE, ""
    if status == 409:
        return Result.STALE, ""
    text = "; ".join(filter(None, (error.get("type"), error.get("reason"), error.get("caused_by", {}).get("reason"))))
    if status in _RETRY_STATUS or error.get("type") in _RETRY_ERRORS:
        return Result.RETRY, text
    return Result.REFUSED, text or f"status {status}"


def locate(client: Elasticsearch, alias: str, ids: Sequence[str]) -> dict[str, str]:
    """Return in which index behind the alias each of these documents lives; ids that are nowhere are absent.

    Raises `Transient` when Elasticsearch cannot answer.
    """
    try:
        client.indices.refresh(index=alias, ignore_unavailable=True)
        found = client.search(
            index=alias, query={"ids": {"values": list(ids)}}, source=False, size=len(ids), ignore_unavailable=True
        )
    except (ApiError, TransportError) as error:
        raise Transient(f"Elasticsearch: {str(error)[:200]}") from error
    return {hit["_id"]: hit["_index"] for hit in found["hits"]["hits"]}


def chunks(items: Sequence[Item], max_items: int, max_bytes: int) -> Iterator[list[Item]]:
    """Yield the items in order, in requests of at most so many items and bytes (one item may be larger)."""
    chunk: list[Item] = []
    size = 0
    for item in items:
        if chunk and (len(chunk) >= max_items or size + len(item.lines) > max_bytes):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += len(item.lines)
    if chunk:
        yield chunk


def templates(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the index templates of a folder by name."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def apply_templates(client: Elasticsearch, folder: Path) -> list[str]:
    """Put every index template whose content differs on the cluster; return the names of those that were written."""
    written: list[str] = []
    for name, template in templates(folder).items():
        digest = hashlib.sha256(orjson.dumps(template, option=orjson.OPT_SORT_KEYS)).hexdigest()
        if _digest_on_cluster(client, name) != digest:
            client.indices.put_index_template(name=name, **template, meta={"sha256": digest})
            written.append(name)
    return written


def _digest_on_cluster(client: Elasticsearch, name: str) -> str | None:
    if not client.indices.exists_index_template(name=name):
        return None
    found = client.indices.get_index_template(name=name).body["index_templates"][0]["index_template"]
    digest: str | None = found.get("_meta", {}).get("sha256")
    return digest
