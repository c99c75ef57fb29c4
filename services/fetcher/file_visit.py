"""One visit of a feed of files: read, compare with what was published, publish in batches, remember.

Runs in a thread of its own, because it reads files and waits for the broker. Nothing else touches the book of its pseudo host.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog

from services.fetcher.documents import Item, Page
from services.fetcher.feeds import Feed
from services.fetcher.files import Found, HtmlFile, list_files, read_file, unreadable
from services.fetcher.outbox import STAGE, Refusal, article_outcome, count, refusal_outcome
from services.fetcher.state import HostBook, seen_row
from services.fetcher.transform import (
    Seen,
    Verdict,
    article_id_of,
    fingerprint,
    item_of_page,
    judge,
    raw_article,
    remembered,
)
from shared import metrics
from shared.errors import Drop
from shared.ids import article_id_for_link, article_id_for_text
from shared.stage import Outcome, Outgoing
from shared.takedowns import IsTakenDown

BATCH_ITEMS: Final = 500
BATCH_BYTES: Final = 8 * 1024 * 1024
# A file written to less than this long ago may not be finished.
SETTLED_AFTER_SECONDS: Final = 1.0
_REFUSED: Final = "refused"

log = structlog.get_logger("frontwire.fetcher.files")

Stamp = tuple[int, int]


@dataclass
class Tally:
    """What a visit met: items published as new or changed, items refused, already known, or taken down."""

    published: int = 0
    refused: int = 0
    known: int = 0
    taken_down: int = 0


@dataclass
class _Batch:
    outcomes: list[Outcome] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    size: int = 0

    def add(self, outcome: Outcome, article_id: str, seen: Seen) -> None:
        self.outcomes.append(outcome)
        self.seen[article_id] = seen
        self.size += sum(len(message.value or b"") for message in outcome.outputs)

    @property
    def full(self) -> bool:
        return len(self.outcomes) >= BATCH_ITEMS or self.size >= BATCH_BYTES


@dataclass
class FileVisit:
    """Everything one visit needs. `stamps` keeps time and size of files between visits, so that only changed ones are read.

    `extract` gives the article of a saved page (without text when there is none), `stopped` tells between two items that the
    visit is no longer wanted, `make_room` waits between two batches and may tell the same with False, `on_batch` hears of the
    tally after each batch.
    """

    feed: Feed
    book: HostBook
    send: Callable[[Sequence[Outgoing]], None]
    extract: Callable[[HtmlFile], Page]
    clock: Callable[[], datetime]
    backlog: bool
    stamps: dict[Path, Stamp] = field(default_factory=dict)
    stopped: Callable[[], bool] = lambda: False
    make_room: Callable[[], bool] = lambda: True
    settle_seconds: float = SETTLED_AFTER_SECONDS
    on_batch: Callable[[Tally], None] = lambda _: None
    is_taken_down: IsTakenDown = lambda article_id: False

    def run(self) -> Tally:
        """Publish what is new or changed. Raises `Missing` (OSError) for absent paths and `Transient` when Kafka is away."""
        tally, batch, read = Tally(), _Batch(), {}
        for path, stamp in self._unread():
            try:
                for found in read_file(path, self.feed.kind):
                    self._take(found, batch, tally)
                    if batch.full:
                        self._flush(batch, tally)
                        batch = _Batch()
                        if not self.make_room():
                            return tally
                    if self.stopped():
                        return tally
            except OSError as error:
                log.warning("file_unreadable", feed=self.feed.name, file=str(path), reason=error.strerror or str(error))
            else:
                read[path] = stamp
        self._flush(batch, tally)
        self.stamps.update(read)
        return tally

    def _unread(self) -> Iterator[tuple[Path, Stamp]]:
        for path in list_files(self.feed.all_paths):
            try:
                status = path.stat()
            except OSError:
                continue
            stamp = (status.st_mtime_ns, status.st_size)
            age = self.clock().timestamp() - status.st_mtime
            if self.stamps.get(path) != stamp and not 0 <= age < self.settle_seconds:
                yield path, stamp

    def _take(self, found: Found, batch: _Batch, tally: Tally) -> None:
        article_id, mark = self._identify(found)
        if self.is_taken_down(article_id):
            tally.taken_down += 1
            metrics.RECORDS_DROPPED.labels(STAGE, Drop.TAKEN_DOWN.value).inc()
            return
        seen = batch.seen.get(article_id) or self.book.seen.get(article_id)
        if judge(self.feed, mark, seen) is Verdict.KNOWN:
            tally.known += 1
            return
        now = self.clock()
        sight = remembered(self.feed, mark, seen, now)
        outcome = self._outcome(found, article_id, sight, now)
        batch.add(outcome, article_id, sight)
        tally.refused += outcome.refused is not None
        tally.published += outcome.refused is None

    def _identify(self, found: Found) -> tuple[str, str]:
        match found:
            case Refusal():
                return article_id_for_link(f"{_REFUSED}:{found.sha256}"), _REFUSED
            case HtmlFile():
                return article_id_for_text(found.markup), fingerprint(Item(text=found.markup))
            case Item():
                return article_id_of(self.feed, found, self.clock(), self.book.seen), fingerprint(found)

    def _outcome(self, found: Found, article_id: str, sight: Seen, now: datetime) -> Outcome:
        page_published = None
        if isinstance(found, HtmlFile):
            page = self.extract(found)
            page_published = page.published
            found = item_of_page(page) if page.text else unreadable(found.path, found.body, "the page holds no article")
        if isinstance(found, Refusal):
            return refusal_outcome(found, now)
        article = raw_article(self.feed, found, article_id, sight, fetched_at=now, backlog=self.backlog)
        article = article.model_copy(update={"page_published": page_published})
        return article_outcome(article, self.feed.name, now)

    def _flush(self, batch: _Batch, tally: Tally) -> None:
        """Publish a batch, then its rows: a row never claims what was not acknowledged."""
        if not batch.outcomes:
            return
        self.send([message for outcome in batch.outcomes for message in outcome.outputs])
        self.send([seen_row(self.feed.host, article_id, seen) for article_id, seen in batch.seen.items()])
        self.book.seen.update(batch.seen)
        count(batch.outcomes, self.feed.name)
        self.on_batch(tally)
