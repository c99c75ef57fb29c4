"""What the fetcher remembers of its hosts: rows of feed-state-v1, held in memory for the partitions this copy owns."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import structlog
from pydantic import ValidationError

from services.fetcher.transform import Seen
from shared import headers as record_headers
from shared.headers import Headers
from shared.ids import partition_of
from shared.models import SCHEMA_VERSION, FeedState, Model, SeenItem
from shared.stage import Outgoing
from shared.topics import FEED_STATE

_HEADERS: Final[Headers] = (
    (record_headers.SCHEMA_VERSION_HEADER, SCHEMA_VERSION.encode()),
    (record_headers.CONTENT_TYPE, b"application/json"),
)

log = structlog.get_logger("frontwire.fetcher.state")


@dataclass
class HostBook:
    """One host: the state of its feeds by name, and its published items by article id."""

    feeds: dict[str, FeedState] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)


class StateBook:
    """The hosts of the partitions this copy owns. A partition is ready when its rows have all been read."""

    def __init__(self) -> None:
        self._hosts: dict[int, dict[str, HostBook]] = {}
        self._ready: set[int] = set()

    def apply(self, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Take in one row as it stands in the topic; a row that cannot be read is logged and left out."""
        parts = (key or b"").decode("utf-8", "replace").split("|")
        if len(parts) not in (2, 3):
            log.warning("state_row_refused", partition=partition, key="|".join(parts)[:200])
            return
        book = self._hosts.setdefault(partition, {}).setdefault(parts[0], HostBook())
        try:
            if len(parts) == 2:
                _put(book.feeds, parts[1], value and FeedState.model_validate_json(value))
            else:
                _put(book.seen, parts[2], value and _seen(SeenItem.model_validate_json(value), book.seen.get(parts[2])))
        except ValidationError as error:
            log.warning("state_row_refused", partition=partition, key="|".join(parts)[:200], errors=error.error_count())

    def set_ready(self, partition: int) -> None:
        """Say that all rows of a partition have been read."""
        self._ready.add(partition)

    def drop(self, partition: int) -> None:
        """Forget a partition that another copy owns from now on."""
        self._ready.discard(partition)
        self._hosts.pop(partition, None)

    def host(self, name: str) -> HostBook | None:
        """Return the book of a host when this copy owns it and knows all of it, else None."""
        partition = partition_of_host(name)
        if partition not in self._ready:
            return None
        return self._hosts.setdefault(partition, {}).setdefault(name, HostBook())

    def ready_hosts(self) -> Iterator[tuple[str, HostBook]]:
        """Yield the hosts of all partitions that this copy owns and knows."""
        for partition in sorted(self._ready):
            yield from self.hosts(partition)

    def hosts(self, partition: int) -> Iterator[tuple[str, HostBook]]:
        """Yield the hosts of a partition with their books."""
        yield from self._hosts.get(partition, {}).items()


def _put(rows: dict[str, FeedState] | dict[str, Seen], key: str, value: object) -> None:
    if value:
        rows[key] = value  # type: ignore[assignment]
    else:
        rows.pop(key, None)


def _seen(row: SeenItem, other: Seen | None) -> Seen:
    """Return a row; when two feeds of a host once announced one article, the earlier sight stands."""
    seen = Seen(row.feed, row.fingerprint, row.first_seen_at, row.revision)
    if other is not None and other.feed != row.feed and other.first_seen_at < row.first_seen_at:
        return other
    return seen


def partition_of_host(host: str) -> int:
    """Return the partition of feed-state-v1 and pages-to-fetch-v1 that a host belongs to."""
    return partition_of(host, FEED_STATE.partitions)


def feed_row(host: str, state: FeedState) -> Outgoing:
    """Return the message that remembers a feed's state."""
    return _row(host, f"{host}|{state.feed}", state)


def seen_row(host: str, article_id: str, seen: Seen) -> Outgoing:
    """Return the message that remembers a published item."""
    row = SeenItem(
        feed=seen.feed,
        article_id=article_id,
        fingerprint=seen.fingerprint,
        first_seen_at=seen.first_seen_at,
        revision=seen.revision,
    )
    return _row(host, f"{host}|{seen.feed}|{article_id}", row)


def forgotten_row(host: str, feed: str, article_id: str) -> Outgoing:
    """Return the message that forgets a published item."""
    return Outgoing(FEED_STATE, partition_of_host(host), f"{host}|{feed}|{article_id}".encode(), None, _HEADERS)


def forgotten_feed_row(host: str, feed: str) -> Outgoing:
    """Return the message that forgets a feed's state."""
    return Outgoing(FEED_STATE, partition_of_host(host), f"{host}|{feed}".encode(), None, _HEADERS)


def _row(host: str, key: str, value: Model) -> Outgoing:
    return Outgoing(FEED_STATE, partition_of_host(host), key.encode(), value.to_json(), _HEADERS)
