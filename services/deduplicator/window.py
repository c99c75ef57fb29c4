"""The articles of the last days that a new one is held against: rows in a table, and a packed index over them in memory.

The rows are the truth and the index follows from them: `rebuild` makes the very same index after a restart. Time is the
articles' own: the window's time is the latest fetch time seen in it, an article's time its publication.
"""

from collections.abc import Collection, Iterator, MutableMapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from services.deduplicator.index import KeyIndex, Slots
from services.deduplicator.rows import ID_BYTES, Row, Words, pack_id, pack_row, row_order, unpack_id, unpack_row
from services.deduplicator.rules import (
    STORY_EVIDENCE,
    STORY_EVIDENCE_UNDATED,
    STORY_MEMBER,
    STORY_SIMILARITY,
    STORY_SIMILARITY_UNDATED,
    STORY_SUPPORT,
    Counts,
    Floats,
    estimated_containment,
)
from services.deduplicator.sketching import PERMUTATIONS, PHRASE_KEYS
from services.deduplicator.story_index import KEYS_A_STORY, STORY_DAYS, StoryIndex

DAYS: Final = 14
ARTICLES_A_KEY: Final = 16
"""Articles that one candidate key leads to: the earliest stay, later ones are found by their other keys."""
MAX_VERIFIED: Final = 24
"""Candidates, the likeliest first, that are held against one article in full."""
MAX_RELATED: Final = 8
"""Articles on the same event, the likeliest first, whose stories are looked at."""
EXPIRED_A_STEP: Final = 4
"""Rows that leave the window with one new article: the window shrinks four times as fast as it grows, in bounded steps."""

_FLOOR: Final = 0.25
"""Estimated containment below which a candidate is not looked at further."""
_CHANCE: Final = 1 / 256
"""Share of one-byte MinHash values that agree by chance."""
_DAY_SECONDS: Final = 86_400
_LAST_SECOND: Final = 4_000_000_000
_FIRST_CAPACITY: Final = 1024
_GROWTH: Final = 1.5
_LOADED_AT_ONCE: Final = 4096
_REMEMBERED_ROWS: Final = 4096
"""Rows kept unpacked, about 3 kB each: what is in the news now is a candidate again and again."""


class Candidate(NamedTuple):
    """An article of the window that shares text: its row, how alike the texts are (both estimated), and how alike the terms."""

    article_id: str
    row: Row
    similarity: float
    containment: float
    kinship: float


class Kin(NamedTuple):
    """An article of the window on the same event: its story, and how alike the two are (0 to 1)."""

    article_id: str
    story: str
    score: float


class Window:
    """The articles that a new one is held against. `rows` maps article id to packed row: a dict, or a changelogged table.

    A window on rows that are not empty must be rebuilt before it is asked. Rows that two writers placed at one place in the order
    (which one ordered topic rules out) are kept once.

    Counters for metrics: `len(window)` rows, `nbytes` of memory in the index, `capped` and `capped_stories` for what was
    left out because a limit was reached, `expired` rows.
    """

    def __init__(self, rows: MutableMapping[str, Any], *, days: float = DAYS) -> None:
        self.days = days
        self._rows = rows
        self._seconds = int(days * _DAY_SECONDS)
        self.expired = 0
        self._unverified = 0
        self._clear()

    def _clear(self) -> None:
        self._make_indexes(_FIRST_CAPACITY)
        self._oldest = self._next_order = 0
        self._live = 0
        self._now = 0
        self._unpacked: dict[str, Row] = {}

    def _make_indexes(self, capacity: int) -> None:
        self._copies = KeyIndex(width=PHRASE_KEYS, limit=ARTICLES_A_KEY, capacity=capacity)
        self._stories = StoryIndex(capacity)
        self._allocate(capacity)

    def _allocate(self, capacity: int) -> None:
        self._signatures = np.zeros((capacity, PERMUTATIONS), np.uint8)
        self._shingles: Words = np.zeros(capacity, np.uint32)
        self._times: Words = np.zeros(capacity, np.uint32)
        self._entered: Words = np.zeros(capacity, np.uint32)
        self._dated = np.zeros(capacity, np.bool_)
        self._ids = np.zeros(capacity, f"V{ID_BYTES}")
        self._occupied = np.zeros(capacity, np.bool_)

    def __len__(self) -> int:
        return self._live

    @property
    def nbytes(self) -> int:
        """Bytes held by the index in memory."""
        return self._copies.nbytes + self._stories.nbytes + sum(column.nbytes for column in self._columns())

    @property
    def capped(self) -> int:
        """Keys and candidates for copies that were left out because a limit was reached."""
        return self._copies.refused + self._unverified

    @property
    def capped_stories(self) -> int:
        """Keys and candidates for stories that were left out: usual when the news has one subject."""
        return self._stories.capped

    def _columns(self) -> tuple[npt.NDArray[Any], ...]:
        return (self._signatures, self._shingles, self._times, self._entered, self._dated, self._ids, self._occupied)

    def recall(self, article_id: str) -> Row | None:
        """Return the row of an article, None when the window does not hold it."""
        packed = self._rows.get(article_id)
        return None if packed is None else unpack_row(packed)

    def moment(self, fetched: datetime) -> int:
        """Return the window's time once an article fetched then is in it (seconds since 1970)."""
        return max(self._now, seconds(fetched))

    def look(self, row: Row, now: int, *, besides: str) -> tuple[list[Candidate], list[Kin]]:
        """Return the articles that may be copies of one (its row), and those on the same event, each the likeliest first.

        Never among them is the article `besides` itself. Only what entered the window, and was published, within the window's
        days of it is looked at.
        """
        similar, similarity, containment = self._similar(row, now)
        related = self._stories.sought(row.terms, row.time, self._oldest)
        # Both at once: most of what this takes does not depend on how many are held against the article.
        likeness, evidence = self._stories.likeness(row.terms, np.concatenate((similar, related)))
        candidates = [
            Candidate(name, self._row(name), alike, contained, kinship)
            for name, alike, contained, kinship in zip(
                self._names(similar), similarity.tolist(), containment.tolist(), likeness.tolist(), strict=False
            )
            if name != besides
        ]
        first = len(similar)
        kin = [
            Kin(name, self._row(name).story, round(min(score, 1.0), 4))
            for name, score in self._related(row, now, related, likeness[first:], evidence[first:])
            if name != besides
        ]
        return candidates, kin

    def _similar(self, row: Row, now: int) -> tuple[Slots, Floats, Floats]:
        """Return the slots that share text, the likeliest first, with similarity and containment, both estimated."""
        slots = np.fromiter(self._copies.find(row.phrases), np.int64)
        slots = slots[self._is_near(slots, row, now, self._seconds)]
        if not len(slots):
            return slots, np.empty(0), np.empty(0)
        agreeing = _agreeing(self._signatures.take(slots, axis=0), row.signature) / PERMUTATIONS
        similarity = np.maximum((agreeing - _CHANCE) / (1 - _CHANCE), 0.0)
        containment = estimated_containment(similarity, row.shingles, self._shingles.take(slots))
        likeliest = np.lexsort((self._orders(slots), -containment))
        likeliest = likeliest[containment[likeliest] >= _FLOOR]
        self._unverified += max(0, len(likeliest) - MAX_VERIFIED)
        kept = likeliest[:MAX_VERIFIED]
        return slots[kept], similarity[kept], containment[kept]

    def _related(
        self, row: Row, now: int, slots: Slots, scores: Floats, evidence: Floats
    ) -> Iterator[tuple[str, float]]:
        """Yield the ids on the same event with their scores, the likeliest first.

        Terms decide, weighted by rarity; when one of the two has no date of its own, more of them are asked for.
        """
        both_dated = self._dated.take(slots) & row.dated
        near = self._is_near(slots, row, now, STORY_DAYS * _DAY_SECONDS)
        near &= scores >= np.where(both_dated, STORY_SIMILARITY, STORY_SIMILARITY_UNDATED)
        near &= evidence >= np.where(both_dated, STORY_EVIDENCE, STORY_EVIDENCE_UNDATED)
        slots, scores = slots[near], scores[near]
        likeliest = np.lexsort((self._orders(slots), -scores))[:MAX_RELATED]
        return zip(self._names(slots[likeliest]), scores[likeliest].tolist(), strict=True)

    def _is_near(self, slots: Slots, row: Row, now: int, seconds_apart: int) -> npt.NDArray[np.bool_]:
        """Return which slots are still in the window, and hold an article published so near to one (its row)."""
        near: npt.NDArray[np.bool_] = np.abs(self._times.take(slots).astype(np.int64) - row.time) <= seconds_apart
        near &= self._entered.take(slots) >= now - self._seconds
        return near

    def supports(self, row: Row, story: str, *, knows: Collection[str]) -> bool:
        """Return whether an article is on the event of a story: alike to most of its members, or known (by id) to be."""
        slots = self._stories.members(story)
        alike = self._stories.likeness(row.terms, slots)[0] >= STORY_MEMBER
        votes = [yes or name in knows for name, yes in zip(self._names(slots), alike.tolist(), strict=True)]
        return bool(sum(votes) >= STORY_SUPPORT * len(votes))

    def _names(self, slots: Slots) -> list[str]:
        """Return the ids of the articles in these slots."""
        packed = self._ids[slots].tobytes()
        return [unpack_id(packed[at : at + ID_BYTES]) for at in range(0, len(packed), ID_BYTES)]

    def _row(self, article_id: str) -> Row:
        row = self._unpacked.get(article_id)
        if row is None:
            row = unpack_row(self._rows[article_id])
            self._keep_unpacked(article_id, row)
        return row

    def _keep_unpacked(self, article_id: str, row: Row) -> None:
        if len(self._unpacked) >= _REMEMBERED_ROWS:
            self._unpacked.clear()
        self._unpacked[article_id] = row

    def _orders(self, slots: Slots) -> Slots:
        """Return the place in the one order of each slot: slots are filled round and round in that order."""
        return self._oldest + (slots - self._oldest) % self._copies.capacity

    def remember(self, article_id: str, row: Row, now: int, *, replacing: Row | None) -> None:
        """Put an article at the end of the order, in place of its former row if it has one, then let a few expired rows go."""
        if replacing:
            self._release(article_id, replacing)
        self._now = now
        order = self._next_order
        if order - self._oldest >= self._copies.capacity:
            self._grow()
        slot = order % self._copies.capacity
        taken = self._copies.link(slot, row.phrases)
        self._next_order += 1
        keys, keys_taken = row.story_keys, row.story_taken
        if row.leads_story(article_id):
            keys = self._stories.keys_of(row.terms, row.time, row.story)
            keys_taken = self._stories.add(slot, row.terms, keys)
        placed = replace(row, order=order, entered=now, phrases_taken=taken, story_keys=keys, story_taken=keys_taken)
        self._occupy(slot, article_id, placed)
        self._rows[article_id] = pack_row(placed)
        self._keep_unpacked(article_id, placed)
        self._expire()

    def confirm(self, article_id: str) -> None:
        """Write an article's row again as it stands: a row of the local store may not have reached the changelog."""
        self._rows[article_id] = self._rows[article_id]

    def forget(self, article_id: str) -> bool:
        """Take an article out of the window (a takedown); return whether it was there."""
        row = self.recall(article_id)
        if row is None:
            return False
        self._release(article_id, row)
        del self._rows[article_id]
        return True

    def _occupy(self, slot: int, article_id: str, row: Row) -> None:
        self._signatures[slot] = row.signature
        self._shingles[slot] = row.shingles
        self._times[slot] = row.time
        self._entered[slot] = row.entered
        self._dated[slot] = row.dated
        self._ids[slot] = pack_id(article_id)
        self._occupied[slot] = True
        self._live += 1

    def _release(self, article_id: str, row: Row) -> None:
        self._unpacked.pop(article_id, None)
        slot = row.order % self._copies.capacity
        if bytes(self._ids[slot]) == pack_id(article_id):
            self._copies.unlink(slot)
            self._stories.remove(slot)
            self._occupied[slot] = False
            self._live -= 1

    def _expire(self) -> None:
        for _ in range(EXPIRED_A_STEP):
            slot = self._oldest % self._copies.capacity
            if self._occupied[slot]:
                if int(self._entered[slot]) + self._seconds >= self._now:
                    return
                self.forget(unpack_id(bytes(self._ids[slot])))
                self.expired += 1
            self._oldest += self._oldest < self._next_order

    def _grow(self) -> None:
        orders = np.arange(self._oldest, self._next_order)
        old = orders % self._copies.capacity
        orders, old = orders[self._occupied[old]], old[self._occupied[old]]
        capacity = int(self._copies.capacity * _GROWTH)
        new = orders % capacity
        columns = self._columns()
        self._copies.grow(capacity, old, new)
        self._stories.grow(capacity, old, new)
        self._allocate(capacity)
        for column, former in zip(self._columns(), columns, strict=True):
            column[new] = former[old]

    def rebuild(self) -> None:
        """Make the index anew from the rows: at the start, and when the table was recovered or handed over."""
        self._clear()
        orders = [row_order(packed) for packed in self._rows.values()]
        if not orders:
            return
        self._oldest, self._next_order = min(orders), max(orders) + 1
        capacity = max(_FIRST_CAPACITY, int((self._next_order - self._oldest) * _GROWTH))
        self._make_indexes(capacity)
        items = iter(self._rows.items())
        while batch := list(islice(items, _LOADED_AT_ONCE)):
            self._load([(article_id, unpack_row(packed)) for article_id, packed in batch])

    def _load(self, items: list[tuple[str, Row]]) -> None:
        batch = []
        for article_id, row in items:
            slot = row.order % self._copies.capacity
            if not self._occupied[slot]:
                self._occupy(slot, article_id, row)
                batch.append((article_id, row))
        slots = np.array([row.order % self._copies.capacity for _, row in batch], np.int64)
        self._now = max(self._now, *(row.entered for _, row in batch))
        rows = [row for _, row in batch]
        self._copies.load(slots, *_linked([r.phrases for r in rows], [r.phrases_taken for r in rows], PHRASE_KEYS))
        leads = np.array([row.leads_story(article_id) for article_id, row in batch])
        rows = [row for row, leading in zip(rows, leads, strict=True) if leading]
        linked = _linked([r.story_keys for r in rows], [r.story_taken for r in rows], KEYS_A_STORY)
        self._stories.load(slots[leads], [row.terms for row in rows], *linked)


def _agreeing(signatures: npt.NDArray[np.uint8], signature: npt.NDArray[np.uint8]) -> Counts:
    """Return in how many of their values each of many signatures agrees with one."""
    bits = np.packbits(signatures == signature, axis=1)
    counts: Counts = np.bitwise_count(bits).sum(axis=1)
    return counts


def _linked(keys: list[Words], taken: list[int], width: int) -> tuple[Words, npt.NDArray[np.bool_]]:
    """Return the keys of many rows as one table of `width` columns, and which of them the index holds."""
    table = np.zeros((len(keys), width), np.uint32)
    for line, held in zip(table, keys, strict=True):
        line[: len(held)] = held
    return table, (np.array(taken, np.int64)[:, None] >> np.arange(width) & 1).astype(np.bool_)


def article_time(published: str | None, first_seen: datetime, *, backlog: bool, days: float) -> int:
    """Return the time that places an article among the others (seconds since 1970).

    It is the time of publication, or of the first sight of an undated article, and never later than that. What a live feed dates
    before the window is placed at the window's far end (the date is wrong, or an old text was taken up again); what is read
    from a backlog keeps its date.
    """
    seen = seconds(first_seen)
    if published is None:
        return seen
    moment = datetime.fromisoformat(published)
    stated = min(seconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC)), seen)
    return stated if backlog else max(stated, seen - int(days * _DAY_SECONDS))


def seconds(moment: datetime) -> int:
    """Return an aware time as whole seconds since 1970 UTC, kept inside the range that a row can hold."""
    return min(max(0, int(moment.timestamp())), _LAST_SECOND)
