"""The indexer's talk with Elasticsearch: bulk requests and what each answer means."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import msgspec
from elastic_transport import ConnectionError as ElasticConnectionError
from elastic_transport import ConnectionTimeout, TlsError
from elasticsearch import ApiError, Elasticsearch, TransportError

from shared.errors import Transient
from shared.settings import Settings

REQUEST_TIMEOUT_SECONDS: Final = 30.0
# So long Elasticsearch waits for a shard that has no node: less than the request may take, so that it can say so.
SHARD_TIMEOUT: Final = "10s"
MAX_ITEMS: Final = 1000
MAX_REQUEST_BYTES: Final = 5 * 1024 * 1024
# 0.5, 1, 2, 4, 8, 15, 15 s: a disk or a shard in trouble gets three quarters of a minute.
SERVER_FAULT_TRIES: Final = 8
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


_ENCODER: Final = msgspec.json.Encoder()


class Result(Enum):
    """What became of one item of a bulk request; FAULT is an error of the server that may be the document's doing."""

    DONE = auto()
    STALE = auto()
    RETRY = auto()
    FAULT = auto()
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
    return Item(article_id, _ENCODER.encode_lines((action, document)))


def delete_item(index: str, article_id: str, version: int) -> Item:
    """Return the action that removes a document, unless a newer version is there."""
    action = {"delete": {"_index": index, "_id": article_id, "version": version, "version_type": "external"}}
    return Item(article_id, _ENCODER.encode_lines((action,)))


def bulk(client: Elasticsearch, items: Sequence[Item]) -> list[tuple[Result, str]]:
    """Send one bulk request; return for each item what became of it, with the error text.

    Raises `Transient` when the whole request failed and may be repeated as it is, `RequestTooLarge` when it must be split.
    """
    body = b"".join(item.lines for item in items)
    try:
        answer = client.perform_request(
            "POST",
            f"/_bulk?timeout={SHARD_TIMEOUT}&filter_path=items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.reason",
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
    return Result.FAULT if status >= 500 else Result.REFUSED, text or f"status {status}"


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


class Delivery:
    """Items on their way into the index: sent until each has a final answer, in as many requests as that takes.

    An item on which Elasticsearch itself fails is tried `SERVER_FAULT_TRIES` times and then counts as refused: a document that
    always breaks the server must not hold up its partition, and its dead letter can be replayed.
    """

    def __init__(self, client: Elasticsearch, items: Sequence[Item]) -> None:
        self._client = client
        self._waiting = list(items)
        self._results: dict[int, tuple[Result, str]] = {}
        self._max_bytes = MAX_REQUEST_BYTES
        self._faults = 0

    def send(self) -> "Delivery":
        """Send what waits, and return itself. Raises `Transient` when something has to be sent again later."""
        while self._waiting:
            try:
                for chunk in chunks(self._waiting, MAX_ITEMS, self._max_bytes):
                    answers = bulk(self._client, chunk)
                    self._results |= {id(item): answer for item, answer in zip(chunk, answers, strict=True)}
            except RequestTooLarge:
                self._split()
            except Transient:
                self._waiting = self._unanswered()
                raise
            else:
                self._judge_rest()
        return self

    def result(self, item: Item) -> tuple[Result, str]:
        """Return the final answer for an item, with the error text."""
        return self._results[id(item)]

    def _split(self) -> None:
        if self._max_bytes == 1:
            self._results[id(self._unanswered()[0])] = (Result.REFUSED, "larger than Elasticsearch takes")
        self._max_bytes = max(1, self._max_bytes // 4)
        self._waiting = self._unanswered()

    def _judge_rest(self) -> None:
        faulty = [item for item in self._waiting if self._results[id(item)][0] is Result.FAULT]
        self._faults += bool(faulty)
        if self._faults >= SERVER_FAULT_TRIES:
            self._results |= {id(item): (Result.REFUSED, self._results[id(item)][1]) for item in faulty}
        again = {Result.RETRY, Result.FAULT}
        self._waiting = [item for item in self._waiting if self._results[id(item)][0] in again]
        if self._waiting:
            raise Transient(f"Elasticsearch: {self._results[id(self._waiting[0])][1][:200]}")

    def _unanswered(self) -> list[Item]:
        """Return what has no final answer after a request of several was broken off."""
        final = {Result.DONE, Result.STALE, Result.REFUSED}
        return [item for item in self._waiting if self._results.get(id(item), (Result.RETRY, ""))[0] not in final]


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
